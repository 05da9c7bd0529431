//! The command that is installed, called as the CLI calls it.

use std::{
    fs::{self, Permissions},
    io::Write,
    os::unix::fs::PermissionsExt,
    process::{Command, Output, Stdio},
};

use serde_json::{Value, json};

use super::{commands, done, read, with_settings};
use crate::spool::{assert_silent, lines, stop};

/// A shell runs the command, in an environment that knows nothing of headspace.
fn call(command: &str, input: &[u8]) -> Output {
    let mut child = Command::new("/bin/sh")
        .args(["-c", command])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a shell");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(input).expect("all of it is read");
    drop(stdin);
    child.wait_with_output().expect("it ends")
}

#[test]
fn it_reaches_the_spool_of_the_state_folder_it_was_installed_for() {
    let (headspace, path) = with_settings("{}");
    done(&headspace, &["install"]);
    let command = commands(&read(&path), "Stop").remove(0);
    assert!(
        command.starts_with(env!("CARGO_BIN_EXE_headspace")),
        "{command}"
    );
    assert_silent(&call(&command, stop("a").to_string().as_bytes()));
    let line: Value = serde_json::from_str(&lines(&headspace)[0]).expect("JSON");
    assert_eq!(line["hook"], stop("a"));
}

#[test]
fn without_its_program_it_reads_all_and_says_nothing() {
    let (headspace, path) = with_settings("{}");
    done(&headspace, &["install"]);
    let command = commands(&read(&path), "Stop").remove(0);
    let program = env!("CARGO_BIN_EXE_headspace");
    let broken = headspace.dir().join("broken");
    fs::write(&broken, "\u{7f}ELF nonsense").expect("written");
    fs::set_permissions(&broken, Permissions::from_mode(0o755)).expect("set");
    let long = json!({"tool_response": "x".repeat(1 << 20)}).to_string();
    for other in ["/gone/headspace", broken.to_str().expect("a path")] {
        let command = command.replace(program, other);
        assert!(command.contains(other));
        assert_silent(&call(&command, long.as_bytes()));
    }
    assert!(lines(&headspace).is_empty());
}

#[test]
fn the_path_that_is_found_by_name_is_the_one_that_stays() {
    let (mut headspace, path) = with_settings("{}");
    let bin = headspace.dir().join("bin");
    fs::create_dir(&bin).expect("made");
    let named = bin.join("headspace");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_headspace"), &named).expect("a link");
    headspace.set("PATH", format!("{}:/usr/bin:/bin", bin.display()));
    done(&headspace, &["install"]);
    let command = commands(&read(&path), "Stop").remove(0);
    assert!(
        command.starts_with(named.to_str().expect("a path")),
        "{command}"
    );
}
