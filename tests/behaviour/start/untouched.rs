//! What `claude` has is what it would have without us: its process, its terminal, its
//! signals, its environment.

use std::{
    fs,
    io::Write,
    os::unix::process::{CommandExt, ExitStatusExt},
    process::{Command, Stdio},
};

use rustix::process::{Pid, Signal, WaitOptions, kill_process, kill_process_group, waitpid};

use super::{Ground, heeds_all_signals};
use crate::support::headspace::{Kind, eventually};

/// Waits with a sign of each signal that it gets, and ends with one of them.
const LISTENS: &str = "
for name in INT TERM HUP QUIT USR1 WINCH; do trap \"echo $name >>\\\"\\$DIR/heard\\\"\" $name; done
echo $$ >\"$DIR/pid.new\"; mv \"$DIR/pid.new\" \"$DIR/pid\"
while [ ! -e \"$DIR/end\" ]; do sleep 0.02; done
exit 7";

#[test]
fn it_is_the_same_process_and_gets_its_signals_itself() {
    let ground = Ground::on(Kind::Sqlite, LISTENS);
    let mut command = ground.command(&[]);
    let mut child = command.process_group(0).spawn().expect("it starts");
    let read = |name: &str| fs::read_to_string(ground.path(name)).unwrap_or_default();
    eventually("claude runs", || !read("pid").is_empty());
    let pid = Pid::from_child(&child);
    assert_eq!(read("pid").trim(), pid.as_raw_nonzero().to_string());
    for (signal, name) in [
        (Signal::TERM, "TERM"),
        (Signal::HUP, "HUP"),
        (Signal::USR1, "USR1"),
        (Signal::WINCH, "WINCH"),
    ] {
        kill_process(pid, signal).expect("sent");
        eventually(name, || read("heard").lines().last() == Some(name));
    }
    // As a terminal sends it: to all of the group.
    for (signal, name) in [(Signal::INT, "INT"), (Signal::QUIT, "QUIT")] {
        kill_process_group(pid, signal).expect("sent");
        eventually(name, || read("heard").lines().last() == Some(name));
    }
    assert_eq!(read("heard").lines().count(), 6, "each once");
    kill_process_group(pid, Signal::STOP).expect("sent");
    let (_, status) = waitpid(Some(pid), WaitOptions::UNTRACED)
        .expect("a child")
        .expect("it is stopped");
    assert!(status.stopped());
    kill_process_group(pid, Signal::CONT).expect("sent");
    let (_, status) = waitpid(Some(pid), WaitOptions::CONTINUED)
        .expect("a child")
        .expect("it goes on");
    assert!(status.continued());
    fs::write(ground.path("end"), "").expect("written");
    let status = child.wait().expect("it ends");
    assert_eq!((status.code(), status.signal()), (Some(7), None));
    ground.wait_for_end();
}

#[test]
fn it_has_no_child_that_it_does_not_know_and_nothing_is_held_open() {
    let ground = Ground::on(
        Kind::Sqlite,
        "cat \"/proc/$$/task/$$/children\"; echo; umask; env; exit 0",
    );
    let run = |mut command: Command| {
        let output = command.env("MINE", "1").stdin(Stdio::null()).output();
        let output = output.expect("its output ends");
        let said = String::from_utf8(output.stdout).expect("text");
        let mut lines: Vec<String> = said.lines().map(str::to_owned).collect();
        // The `cat` that reads the list is in it.
        let children = lines.remove(0).split_whitespace().count();
        lines.retain(|line| !line.starts_with("_=") && !line.starts_with("PWD="));
        (children, lines)
    };
    let shell = |program: &str| {
        let plain = ground.command(&[]);
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("umask 002; exec {program}")]);
        shell.env_clear().current_dir(ground.path("project"));
        shell.envs(
            plain
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        shell
    };
    let start = format!("{} start", env!("CARGO_BIN_EXE_headspace"));
    let (own, with_us) = (run(shell("claude")), run(shell(&start)));
    assert_eq!(with_us, own);
    assert_eq!(own.1[0], "0002");
}

#[test]
fn it_has_the_terminal_and_what_is_typed() {
    let does = "tty >\"$DIR/tty\"; stty size >\"$DIR/size\"; \
        trap 'echo INT >\"$DIR/heard\"' INT; : >\"$DIR/ready\"; \
        read -r line; echo \"$line\" >\"$DIR/line\"; \
        while [ ! -e \"$DIR/heard\" ]; do sleep 0.02; done; exit 5";
    let ground = Ground::on(Kind::Sqlite, does);
    let line = format!(
        "stty rows 33 cols 99; exec {} start",
        env!("CARGO_BIN_EXE_headspace")
    );
    let plain = ground.command(&[]);
    let mut script = Command::new("script");
    script
        .args(["-qec", &line, "/dev/null"])
        .env_clear()
        .envs(
            plain
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .current_dir(ground.path("project"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    heeds_all_signals(&mut script);
    let mut script = script.spawn().expect("script");
    let mut keys = script.stdin.take().expect("a pipe");
    eventually("claude runs", || ground.path("ready").exists());
    keys.write_all(b"hello\n").expect("typed");
    eventually("it is read", || ground.path("line").exists());
    keys.write_all(b"\x03").expect("typed");
    let output = script.wait_with_output().expect("it ends");
    drop(keys);
    let screen = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(5), "{screen}");
    let read = |name: &str| fs::read_to_string(ground.path(name)).expect("written");
    assert!(read("tty").starts_with("/dev/pts/"), "{}", read("tty"));
    assert_eq!(read("line").trim(), "hello");
    assert_eq!(read("size").trim(), "33 99");
    ground.wait_for_end();
}
