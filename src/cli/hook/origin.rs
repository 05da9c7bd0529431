//! What only the environment of a hook knows: its terminal and the CLI's process.

use serde_json::{Map, Value};

use crate::spool::Sender;

/// Variables by which terminals name their windows and panes.
const NAMES: [&str; 9] = [
    "TMUX",
    "TMUX_PANE",
    "ITERM_SESSION_ID",
    "KITTY_WINDOW_ID",
    "KITTY_LISTEN_ON",
    "WEZTERM_PANE",
    "TERM_PROGRAM",
    "SSH_TTY",
    "TERM_SESSION_ID",
];
/// What an editor sets, secrets aside.
const EDITOR: &str = "VSCODE_";
const SECRET: [&str; 5] = ["TOKEN", "SECRET", "PASSWORD", "AUTH", "COOKIE"];
const MAX_VALUE: usize = 1024;
/// A hook runs in a shell, which the CLI may start through another.
const SHELLS: [&str; 8] = ["sh", "bash", "dash", "zsh", "ksh", "fish", "busybox", "env"];
const MAX_SHELLS: usize = 5;

pub fn find() -> Sender {
    let cli = cli();
    Sender {
        cli_pid: cli.as_ref().map(|cli| cli.pid),
        cli_started: cli.as_ref().map(|cli| cli.started),
        tty: cli.and_then(|cli| cli.tty),
        environment: environment(std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        })),
    }
}

fn environment(variables: impl Iterator<Item = (String, String)>) -> Map<String, Value> {
    let is_wanted = |name: &str| {
        NAMES.contains(&name)
            || (name.starts_with(EDITOR) && !SECRET.iter().any(|secret| name.contains(secret)))
    };
    variables
        .filter(|(name, value)| is_wanted(name) && !value.is_empty() && value.len() <= MAX_VALUE)
        .map(|(name, value)| (name, Value::String(value)))
        .collect()
}

/// A process, as the kernel knows it.
struct Process {
    pid: u32,
    parent: u32,
    name: String,
    started: u64,
    tty: Option<String>,
}

/// The nearest process above this one that is no shell.
fn cli() -> Option<Process> {
    // This is the child that appends; the hook itself is its parent.
    let hook = of(u32::try_from(rustix::process::getppid()?.as_raw_nonzero().get()).ok()?)?;
    let mut process = of(hook.parent)?;
    for _ in 0..MAX_SHELLS {
        if !SHELLS.contains(&process.name.as_str()) {
            break;
        }
        process = of(process.parent)?;
    }
    Some(process)
}

#[cfg(target_os = "linux")]
fn of(pid: u32) -> Option<Process> {
    parse(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// `/proc/<pid>/stat`; the name may hold anything, so what follows is counted
/// from its last parenthesis.
#[cfg(target_os = "linux")]
fn parse(stat: &str) -> Option<Process> {
    let (head, rest) = stat.rsplit_once(')')?;
    let (pid, name) = head.split_once('(')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    Some(Process {
        pid: pid.trim().parse().ok()?,
        name: name.to_owned(),
        parent: fields.get(1)?.parse().ok()?,
        tty: fields.get(4)?.parse().ok().and_then(tty),
        started: fields.get(19)?.parse().ok()?,
    })
}

/// The terminal of a device number: a pseudo-terminal or a console.
#[cfg(target_os = "linux")]
fn tty(device: i32) -> Option<String> {
    let device = device.cast_unsigned();
    let major = (device >> 8) & 0xfff;
    let minor = (device & 0xff) | ((device >> 12) & 0xf_ff00);
    match major {
        136..=143 => Some(format!("/dev/pts/{}", (major - 136) * 256 + minor)),
        4 if minor < 64 => Some(format!("/dev/tty{minor}")),
        _ => None,
    }
}

#[cfg(target_os = "macos")]
fn of(pid: u32) -> Option<Process> {
    let mut info = std::mem::MaybeUninit::<libc::proc_bsdinfo>::zeroed();
    let size = i32::try_from(size_of::<libc::proc_bsdinfo>()).ok()?;
    let pid = i32::try_from(pid).ok()?;
    // SAFETY: the buffer is as large as is said, and any bytes are a valid value.
    let info = unsafe {
        let flavor = libc::PROC_PIDTBSDINFO;
        if libc::proc_pidinfo(pid, flavor, 0, info.as_mut_ptr().cast(), size) != size {
            return None;
        }
        info.assume_init()
    };
    let name = info.pbi_comm.iter().take_while(|c| **c != 0);
    Some(Process {
        pid: info.pbi_pid,
        parent: info.pbi_ppid,
        name: name.map(|c| char::from(c.cast_unsigned())).collect(),
        started: info.pbi_start_tvsec * 1_000_000 + info.pbi_start_tvusec,
        tty: tty(info.e_tdev),
    })
}

#[cfg(target_os = "macos")]
fn tty(device: u32) -> Option<String> {
    let device = libc::dev_t::try_from(device)
        .ok()
        .filter(|device| *device > 0)?;
    // SAFETY: the answer is nothing or a text that this thread's next call replaces.
    let name = unsafe {
        let name = libc::devname(device, libc::S_IFCHR);
        (!name.is_null()).then(|| std::ffi::CStr::from_ptr(name))?
    };
    Some(format!("/dev/{}", name.to_str().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panes_are_kept_and_secrets_are_not() {
        let variables = [
            ("TMUX_PANE", "%3"),
            ("KITTY_WINDOW_ID", ""),
            ("VSCODE_PID", "7"),
            ("VSCODE_GIT_IPC_AUTH_TOKEN", "secret"),
            ("ANTHROPIC_API_KEY", "secret"),
            ("PATH", "/bin"),
        ];
        let found = environment(variables.iter().map(|(n, v)| ((*n).into(), (*v).into())));
        assert_eq!(
            Value::Object(found),
            serde_json::json!({"TMUX_PANE": "%3", "VSCODE_PID": "7"})
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_is_read_whatever_its_name() {
        let stat = "42 (a) b (c) S 7 42 42 34819 42 4194304 0 0 0 0 0 0 0 0 20 0 1 0 98765 1 1";
        let process = parse(stat).unwrap();
        assert_eq!((process.pid, process.parent), (42, 7));
        assert_eq!((process.name.as_str(), process.started), ("a) b (c", 98765));
        assert_eq!(process.tty.as_deref(), Some("/dev/pts/3"));
        assert!(tty(0).is_none() && tty(1025).as_deref() == Some("/dev/tty1"));
        assert_eq!(
            tty(0x8800 | 44 | (1 << 20)).as_deref(),
            Some("/dev/pts/300")
        );
        let own = of(std::process::id()).unwrap();
        assert_eq!(own.pid, std::process::id());
    }
}
