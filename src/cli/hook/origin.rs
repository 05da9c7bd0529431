//! What only the environment of a hook knows: its terminal and the CLI's process.

use serde_json::{Map, Value};

use crate::{
    process::{Process, of},
    spool::Sender,
};

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
    sender(cli())
}

/// Of a process that is the CLI, or becomes it, and has our environment.
pub fn of_cli(pid: u32) -> Sender {
    sender(of(pid))
}

fn sender(cli: Option<Process>) -> Sender {
    Sender {
        cli_pid: cli.as_ref().map(|cli| cli.pid),
        cli_started: cli.as_ref().map(|cli| cli.started.clone()),
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
}
