//! `headspace hook`: the hook is a line of the spool, whatever runs or does not.

use std::{
    os::unix::fs::PermissionsExt,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use super::{assert_silent, feed, hook, lines, segments, stop};
use crate::support::headspace::{Headspace, Kind};

#[test]
fn with_nothing_running_a_hook_is_one_line_of_a_private_file() {
    let headspace = Headspace::on(Kind::Sqlite);
    assert_silent(&hook(&headspace, stop("a").to_string()));
    let lines = lines(&headspace);
    assert_eq!(lines.len(), 1);
    let line: Value = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!(line["hook"], stop("a"));
    assert_eq!(line["kind"], "hook");
    assert_eq!(line["key"].as_str().unwrap().len(), 32);
    assert!(line["pid"].is_u64() && line["host"].is_string());
    assert!(line["received_at"].as_str().unwrap().ends_with('Z'));
    let mode = segments(&headspace)[0]
        .metadata()
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn it_adds_what_only_its_environment_knows() {
    let headspace = Headspace::on(Kind::Sqlite);
    // As the CLI does it: a shell in between.
    let mut command = headspace.command(&["hook"]);
    let program = command.get_program().to_owned();
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("{program:?} hook; true"));
    shell.envs(
        command
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    command = shell;
    command
        .env("TMUX_PANE", "%7")
        .env("VSCODE_GIT_IPC_AUTH_TOKEN", "secret");
    command
        .env("ITERM_SESSION_ID", "w0t1p2:X")
        .env("ANTHROPIC_API_KEY", "secret");
    assert_silent(&feed(command, stop("a").to_string().as_bytes()));
    let line: Value = serde_json::from_str(&lines(&headspace)[0]).unwrap();
    let sender = &line["sender"];
    assert_eq!(
        sender["environment"],
        json!({"TMUX_PANE": "%7", "ITERM_SESSION_ID": "w0t1p2:X"})
    );
    assert_eq!(sender["cli_pid"], std::process::id());
    assert!(sender["cli_started"].is_string());
}

#[test]
fn garbage_is_kept_with_its_reason_and_nothing_is_nothing() {
    let headspace = Headspace::on(Kind::Sqlite);
    for nothing in ["", " \n"] {
        assert_silent(&hook(&headspace, nothing));
    }
    assert!(lines(&headspace).is_empty());
    for garbage in ["{\"a\":", "[]", "\0\0\0"] {
        assert_silent(&hook(&headspace, garbage));
    }
    assert_silent(&hook(&headspace, [0xff, 0xfe]));
    let kinds: Vec<Value> = lines(&headspace)
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["kind"].clone())
        .collect();
    assert_eq!(kinds, vec!["garbage"; 4]);
}

#[test]
fn ten_megabytes_are_read_to_their_end_and_kept_within_bounds() {
    let headspace = Headspace::on(Kind::Sqlite);
    let mut large = stop("large");
    large["tool_response"] = json!({"stdout": "x".repeat(10 << 20)});
    let input = large.to_string();
    assert_silent(&hook(&headspace, &input));
    let line: Value = serde_json::from_str(&lines(&headspace)[0]).unwrap();
    assert_eq!(line["cut_from_bytes"], input.len());
    assert_eq!(line["hook"]["session_id"], "large");
    assert!(lines(&headspace)[0].len() < 1 << 20);
    // Beyond all bounds: read, and no hook.
    assert_silent(&hook(&headspace, "y".repeat(40 << 20)));
    let line: Value = serde_json::from_str(&lines(&headspace)[1]).unwrap();
    assert_eq!(
        (line["kind"].as_str(), line["length"].as_u64()),
        (Some("garbage"), Some(40 << 20))
    );
}

#[test]
fn wrong_arguments_and_no_home_are_silent_too() {
    let headspace = Headspace::on(Kind::Sqlite);
    for arguments in [
        &["hook", "--bogus"][..],
        &["--log-level", "loud", "hook"],
        &["hook", "Stop", "more"],
        &["--state-dir", "/dev/null/state", "hook"],
        &["--state-dir", "", "hook"],
    ] {
        let output = feed(headspace.command(arguments), b"{}");
        assert_silent(&output);
    }
}

#[test]
fn an_input_that_does_not_end_is_taken_for_what_came_in_time() {
    let headspace = Headspace::on(Kind::Sqlite);
    let mut command = headspace.command(&["hook"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, stop("a").to_string().as_bytes()).unwrap();
    let status = child.wait().unwrap();
    assert!(status.success());
    crate::support::headspace::eventually("the hook is there", || lines(&headspace).len() == 1);
    drop(stdin);
}

#[test]
fn a_hundred_at_once_are_a_hundred_lines() {
    let headspace = Headspace::on(Kind::Sqlite);
    std::thread::scope(|scope| {
        for worker in 0..10 {
            let headspace = &headspace;
            scope.spawn(move || {
                for n in 0..10 {
                    let session = format!("{worker}-{n}");
                    assert_silent(&hook(headspace, stop(&session).to_string()));
                }
            });
        }
    });
    let mut sessions: Vec<String> = lines(&headspace)
        .iter()
        .map(|line| {
            let line: Value = serde_json::from_str(line).expect("no line is torn");
            line["hook"]["session_id"].as_str().unwrap().to_owned()
        })
        .collect();
    sessions.sort();
    sessions.dedup();
    assert_eq!(sessions.len(), 100);
}
