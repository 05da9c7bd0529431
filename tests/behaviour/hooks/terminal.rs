//! On a terminal the change is shown, and made when the user says yes.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use super::{ours, read, with_settings};

/// What `hooks install` says on a terminal where this is typed.
fn typed(answer: &str, more: &str) -> (String, usize) {
    let (headspace, path) = with_settings("{\n  \"model\": \"opus\"\n}\n");
    let program = env!("CARGO_BIN_EXE_headspace");
    let plain = headspace.command(&[]);
    let mut script = Command::new("script");
    script
        .args([
            "-qec",
            &format!("{program} hooks install {more}"),
            "/dev/null",
        ])
        .env_clear()
        .envs(
            plain
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut script = script.spawn().expect("script");
    let mut keys = script.stdin.take().expect("a pipe");
    keys.write_all(answer.as_bytes()).expect("typed");
    let output = script.wait_with_output().expect("it ends");
    drop(keys);
    assert!(output.status.success(), "{output:?}");
    let screen = String::from_utf8(output.stdout).expect("text");
    (screen, ours(&read(&path), "Stop"))
}

#[test]
fn the_change_is_shown_and_the_answer_counts() {
    for (answer, more, expected) in [
        ("y\n", "", 1),
        ("\n", "", 1),
        ("n\n", "", 0),
        ("what\n", "", 0),
    ] {
        let (screen, found) = typed(answer, more);
        assert!(screen.contains("+    \"Stop\": ["), "{screen}");
        assert!(screen.contains("settings.json? [Y/n]"), "{screen}");
        assert_eq!(found, expected, "{answer:?}: {screen}");
    }
    let (screen, found) = typed("", "--yes");
    assert!(!screen.contains("[Y/n]"), "{screen}");
    assert_eq!(found, 1);
}
