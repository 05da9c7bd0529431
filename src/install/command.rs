//! Running the machine's own tools, for a bounded time.

use std::{
    env, io,
    process::{Command, Output, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

/// A question is answered at once, or something is wrong.
const QUERY_LIMIT: Duration = Duration::from_secs(10);
/// A service may take its whole start.
const RUN: Duration = Duration::from_secs(120);

#[derive(Debug, thiserror::Error)]
pub enum Failed {
    #[error("cannot run {program}: {error}")]
    Start { program: String, error: io::Error },
    #[error("{command}: no answer within {} s", .limit.as_secs())]
    Late { command: String, limit: Duration },
    #[error("{command}: {message}")]
    Status { command: String, message: String },
}

/// What a command says.
pub fn query(words: &[&str]) -> Result<String, Failed> {
    run_for(QUERY_LIMIT, words)
}

/// Lets a command do its work.
pub fn run(words: &[impl AsRef<str>]) -> Result<String, Failed> {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    run_for(RUN, &words)
}

fn run_for(limit: Duration, words: &[&str]) -> Result<String, Failed> {
    let (program, arguments) = words.split_first().expect("a command has a name");
    let start = |error| Failed::Start {
        program: (*program).to_owned(),
        error,
    };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    // After `su` a shell does not know where its own manager listens.
    if env::var_os("XDG_RUNTIME_DIR").is_none() {
        let uid = rustix::process::geteuid().as_raw();
        command.env("XDG_RUNTIME_DIR", format!("/run/user/{uid}"));
    }
    let child = command.spawn().map_err(start)?;
    let pid = rustix::process::Pid::from_child(&child);
    let (send, receive) = mpsc::channel();
    // After the deadline nobody wants to hear it.
    thread::spawn(move || send.send(child.wait_with_output()));
    match receive.recv_timeout(limit) {
        Ok(output) => verdict(words, output.map_err(start)?),
        Err(_) => {
            // Ours, and not waited for yet, so the number is still its own.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            Err(Failed::Late {
                command: words.join(" "),
                limit,
            })
        }
    }
}

fn verdict(words: &[&str], output: Output) -> Result<String, Failed> {
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(said);
    }
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let message = [errors.trim(), said.trim(), &output.status.to_string()]
        .into_iter()
        .find(|text| !text.is_empty())
        .unwrap_or_default()
        .to_owned();
    Err(Failed::Status {
        command: words.join(" "),
        message,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_what_was_said_or_what_went_wrong() {
        assert_eq!(query(&["echo", "yes"]).unwrap(), "yes\n");
        let message = query(&["sh", "-c", "echo no >&2; exit 3"]).unwrap_err();
        assert_eq!(message.to_string(), "sh -c echo no >&2; exit 3: no");
        let message = query(&["/nowhere/tool"]).unwrap_err().to_string();
        assert!(
            message.starts_with("cannot run /nowhere/tool: "),
            "{message}"
        );
    }

    #[test]
    fn a_command_that_never_ends_is_ended() {
        let limit = Duration::from_millis(50);
        let message = run_for(limit, &["sleep", "600"]).unwrap_err();
        assert!(matches!(message, Failed::Late { .. }), "{message}");
    }
}
