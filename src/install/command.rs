//! Running the machine's own tools. Each has a time limit of its own: systemctl
//! waits for a start no longer than the unit allows.

use std::{
    env,
    process::{Command, Stdio},
};

/// What a tool did not do, and why.
#[derive(Debug, thiserror::Error)]
#[error("{command}: {message}")]
pub struct CommandFailed {
    pub command: String,
    pub message: String,
}

/// Runs a tool to its end, and returns what it prints.
pub fn run(words: &[impl AsRef<str>]) -> Result<String, CommandFailed> {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    let failed = |message| CommandFailed {
        command: words.join(" "),
        message,
    };
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).stdin(Stdio::null());
    // After `su` a shell does not know where its own manager listens.
    if env::var_os("XDG_RUNTIME_DIR").is_none() {
        let uid = rustix::process::geteuid().as_raw();
        command.env("XDG_RUNTIME_DIR", format!("/run/user/{uid}"));
    }
    let output = command
        .output()
        .map_err(|error| failed(format!("cannot run it: {error}")))?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(printed);
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    Err(failed(match (errors.trim(), printed.trim()) {
        ("", "") => output.status.to_string(),
        ("", printed) => printed.to_owned(),
        (errors, _) => errors.to_owned(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_what_was_printed_or_what_went_wrong() {
        assert_eq!(run(&["echo", "yes"]).unwrap(), "yes\n");
        let failed = run(&["sh", "-c", "echo no >&2; exit 3"]).unwrap_err();
        assert_eq!(failed.to_string(), "sh -c echo no >&2; exit 3: no");
        let failed = run(&["/nowhere/tool"]).unwrap_err().to_string();
        assert!(
            failed.starts_with("/nowhere/tool: cannot run it: "),
            "{failed}"
        );
    }
}
