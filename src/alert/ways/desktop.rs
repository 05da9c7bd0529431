//! Notices of this desktop: `notify-send` on Linux, `osascript` on macOS.
//!
//! All text goes as arguments of its own. macOS knows no way to take a notice back.

use super::{
    super::{message::Message, text},
    Fault,
    child::{self, Ended, NotRun},
};

/// What shows a notice here.
pub const PROGRAM: &str = match cfg!(target_os = "macos") {
    true => "osascript",
    false => "notify-send",
};

const SCRIPT: [&str; 3] = [
    "on run argv",
    "display notification (item 2 of argv) with title (item 1 of argv)",
    "end run",
];

#[derive(Default)]
pub struct Desktop {
    /// This `notify-send` is too old to print ids.
    knows_no_ids: bool,
}

impl Desktop {
    /// Shows a notice, and gives the id by which it can be closed.
    pub async fn show(&mut self, message: &Message) -> Result<Option<String>, Fault> {
        if cfg!(target_os = "macos") {
            let script = SCRIPT.iter().flat_map(|line| ["-e", line]);
            let arguments: Vec<&str> = script.chain([&*message.title, &*message.body]).collect();
            return run(PROGRAM, &arguments).await.map(|_| None);
        }
        let body = text::markup(&message.body);
        let shown = ["--app-name=headspace", "--", &message.title, &body];
        if !self.knows_no_ids {
            let ended = try_run(PROGRAM, &[&["--print-id"], &shown[..]].concat()).await?;
            match ended.is_ok {
                true => return Ok(id(&ended.output)),
                false if ended.errors.contains("print-id") => self.knows_no_ids = true,
                false => return Err(failed(PROGRAM, &ended)),
            }
        }
        run(PROGRAM, &shown).await.map(|_| None)
    }

    /// Closes a notice; without an id it stays.
    pub async fn close(&mut self, message: &Message, id: Option<&str>) -> Result<(), Fault> {
        let Some(id) = id else { return Ok(()) };
        let bus = "org.freedesktop.Notifications";
        let call = ["call", "--session", "--dest", bus];
        let object = ["--object-path", "/org/freedesktop/Notifications"];
        let method = [
            "--method",
            "org.freedesktop.Notifications.CloseNotification",
            id,
        ];
        match child::run("gdbus", &[&call[..], &object, &method].concat(), b"").await {
            Ok(ended) if ended.is_ok => return Ok(()),
            Ok(ended) => return Err(failed("gdbus", &ended)),
            Err(NotRun::Missing) => {}
            Err(NotRun::Fault(fault)) => return Err(fault),
        }
        // The next best: it becomes one that leaves by itself.
        let replace = format!("--replace-id={id}");
        let shown = ["--app-name=headspace", "--expire-time=1", &replace];
        let words = ["--", "headspace", &message.text];
        run(PROGRAM, &[&shown[..], &words].concat())
            .await
            .map(|_| ())
    }
}

/// What `--print-id` prints.
fn id(output: &str) -> Option<String> {
    let is_number = !output.is_empty() && output.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| output.to_owned())
}

async fn run(program: &str, arguments: &[&str]) -> Result<Ended, Fault> {
    let ended = try_run(program, arguments).await?;
    match ended.is_ok {
        true => Ok(ended),
        false => Err(failed(program, &ended)),
    }
}

async fn try_run(program: &str, arguments: &[&str]) -> Result<Ended, Fault> {
    match child::run(program, arguments, b"").await {
        Ok(ended) => Ok(ended),
        Err(NotRun::Missing) => Err(Fault(format!(
            "there is no {program}; it comes with libnotify (libnotify-bin, libnotify)"
        ))),
        Err(NotRun::Fault(fault)) => Err(fault),
    }
}

fn failed(program: &str, ended: &Ended) -> Fault {
    tracing::debug!(errors = ended.errors, "{program} said: {}", ended.errors);
    Fault(format!("{program} ended with {}", ended.status))
}
