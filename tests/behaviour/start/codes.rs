//! Each way to end has its exit code.

use std::{
    fs::{self, Permissions},
    os::unix::{fs::PermissionsExt, process::ExitStatusExt},
    process::Output,
};

use super::{Ground, heeds_all_signals};
use crate::support::{headspace::Kind, web::Web};

fn output(ground: &Ground, arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = ground.command(arguments).output().expect("it starts");
    let said = String::from_utf8(stderr).expect("text");
    (status.code(), said)
}

#[test]
fn every_exit_code_of_claude_is_passed_on() {
    let ground = Ground::on(Kind::Sqlite, "exit \"$CODE\"");
    for code in 0..=255 {
        let mut command = ground.command(&[]);
        let status = command.env("CODE", code.to_string()).status();
        assert_eq!(status.expect("it starts").code(), Some(code));
    }
}

#[test]
fn a_death_by_a_signal_is_that_death_and_a_shell_says_128_more() {
    let ground = Ground::on(Kind::Sqlite, "kill -\"$SIGNAL\" $$");
    for (name, number) in [
        ("KILL", 9),
        ("TERM", 15),
        ("HUP", 1),
        ("INT", 2),
        ("SEGV", 11),
    ] {
        let mut command = ground.command(&[]);
        let status = command.env("SIGNAL", name).status().expect("it starts");
        assert_eq!(status.signal(), Some(number), "{name}");
        let mut shell = ground.headspace.command_under(
            {
                let mut shell = std::process::Command::new("sh");
                shell.args(["-c", "\"$@\" 2>/dev/null; exit $?", "sh"]);
                shell
            },
            &["start"],
        );
        shell
            .current_dir(ground.path("project"))
            .env("SIGNAL", name);
        heeds_all_signals(&mut shell);
        let status = shell.status().expect("it starts");
        assert_eq!(status.code(), Some(128 + number), "{name}");
    }
}

#[test]
fn what_keeps_claude_from_starting_has_a_code_of_its_own() {
    let ground = Ground::on(Kind::Sqlite, "exit 0");
    let (code, said) = output(&ground, &["--require-server"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("the server does not answer"), "{said}");
    assert!(!ground.path("arguments").exists());
    assert_eq!(
        output(&ground, &[]).0,
        Some(0),
        "without the flag it starts"
    );
    {
        let _web = Web::start(&ground.headspace);
        assert_eq!(output(&ground, &["--require-server"]).0, Some(0));
    }
    // A file where the state folder should be.
    let mut command = ground.command(&[]);
    command.env("HEADSPACE_STATE_DIR", ground.path("bin/claude"));
    let failed = command.output().expect("it starts");
    let said = String::from_utf8_lossy(&failed.stderr).into_owned();
    assert_eq!(failed.status.code(), Some(4), "{said}");
    assert!(said.contains("the session cannot be registered"), "{said}");
    fs::set_permissions(ground.path("bin/claude"), Permissions::from_mode(0o644)).expect("set");
    let (code, said) = output(&ground, &[]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("claude is not found in PATH"), "{said}");
}
