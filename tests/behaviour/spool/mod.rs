//! What enters by the spool is on disk before its sender goes on.

mod ends;
mod held;
mod hook;
mod hook_faults;
mod intake;
mod killed;
mod power_cut;
pub mod registry;
mod stops;
mod terminal;
mod traces;
mod turns;

use std::{
    fs,
    io::Write,
    os::unix::process::ExitStatusExt,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use serde_json::{Value, json};

use crate::support::headspace::Headspace;

/// Runs `headspace hook` with this on its standard input.
pub fn hook(headspace: &Headspace, input: impl AsRef<[u8]>) -> Output {
    feed(headspace.command(&["hook"]), input.as_ref())
}

fn feed(mut command: Command, input: &[u8]) -> Output {
    command.stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let written = stdin.write_all(input);
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    assert!(
        written.is_ok() || output.status.signal().is_some(),
        "not all of the input is read"
    );
    output
}

/// The CLI sees nothing of it.
pub fn assert_silent(output: &Output) {
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), &*said, &*errors), (Some(0), "", ""));
}

pub fn stop(session: &str) -> Value {
    json!({"session_id": session, "cwd": "/home/dev/shop", "hook_event_name": "Stop"})
}

/// The lines of the spool, in their order.
pub fn lines(headspace: &Headspace) -> Vec<String> {
    let read = |path| fs::read_to_string(path).expect("a segment");
    let text: String = segments(headspace).into_iter().map(read).collect();
    text.lines().map(str::to_owned).collect()
}

pub fn segments(headspace: &Headspace) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(headspace.state().join("spool")) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("readable").path())
        .collect();
    paths.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "jsonl")
    });
    paths.sort();
    paths
}
