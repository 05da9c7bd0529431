//! A program that is told: it may fail, hang and be killed with the watcher.

use std::{fs, path::Path};

use super::{Told, script};
use crate::support::{
    asking::Asking,
    headspace::{Kind, eventually},
};

/// Waits until a program has written down whose end matters.
fn pid_in(file: &Path) -> u32 {
    // It is not there before the command has run.
    let read = || fs::read_to_string(file).unwrap_or_default();
    eventually("it runs", || read().ends_with('\n'));
    read().trim().parse().expect("a pid")
}

fn wait_until_gone(pid: u32) {
    let entry = Path::new("/proc").join(pid.to_string());
    eventually("it is gone", || !entry.exists());
}

/// A session that asks; its alert is due in some seconds.
fn ask(at: &Told, name: &str) -> Asking {
    let mut asking = Asking::new(&at.headspace, name);
    asking.prompt(name);
    asking.ask(&at.headspace, "make");
    asking
}

#[test]
fn one_that_fails_is_logged_and_the_next_alert_is_sent() {
    let mut at = Told::on(Kind::Sqlite);
    let body = format!(
        "read -r line; case $line in *first*) echo geheim >&2; exit 7;; esac; \
         echo \"$line\" >> '{}'; env > '{}/env'; printf '%s\\n' \"$@\" > '{}/args'",
        at.file.display(),
        at.headspace.dir().display(),
        at.headspace.dir().display()
    );
    let program = script(at.headspace.dir(), "picky", &body);
    let words = serde_json::json!([program, "--from", "a b"]);
    at.headspace.set("HEADSPACE_NOTIFY__COMMAND", words);
    let watcher = at.headspace.watch();
    let _first = ask(&at, "first");
    watcher.wait_for_log("an alert was not sent by command");
    let _second = ask(&at, "second");
    at.wait_for(1);
    let log = watcher.log();
    let line = log.lines().find(|line| line.contains("not sent")).unwrap();
    assert!(
        line.contains("WARN") && line.contains("exit status: 7"),
        "{line}"
    );
    assert!(!log.contains("geheim"), "{log}");
    eventually("it ran to its end", || {
        at.headspace.dir().join("args").exists()
    });
    // Its arguments are as they were set, and the watcher's secrets are not its.
    let read = |name: &str| fs::read_to_string(at.headspace.dir().join(name)).unwrap();
    eventually("the arguments are there", || {
        read("args") == "--from\na b\n"
    });
    assert!(!read("env").contains("HEADSPACE_"), "{}", read("env"));
}

#[test]
fn one_that_hangs_is_killed_and_capture_goes_on_meanwhile() {
    let mut at = Told::on(Kind::Sqlite);
    let pid = at.headspace.dir().join("pid");
    let body = format!("echo $$ > '{}'; sleep 600; true", pid.display());
    let program = script(at.headspace.dir(), "hangs", &body);
    at.headspace
        .set("HEADSPACE_NOTIFY__COMMAND", program.display());
    let mut watcher = at.headspace.watch();
    let _asking = ask(&at, "first");
    let pid = pid_in(&pid);
    let mut other = Asking::new(&at.headspace, "other");
    other.prompt("while it hangs");
    let said = || {
        at.headspace
            .store
            .turns()
            .contains(&"while it hangs".to_owned())
    };
    eventually("capture goes on", said);
    watcher.wait_for_log("timed out after 10 s and was killed");
    wait_until_gone(pid);
    assert!(watcher.is_running());
    assert!(watcher.stop().success());
}

#[test]
fn an_alert_that_was_on_its_way_when_the_watcher_was_killed_is_not_sent_again() {
    let mut at = Told::on(Kind::Sqlite);
    let runs = at.headspace.dir().join("runs");
    let body = format!(
        "cat >> '{}'; echo run >> '{}'; exec sleep 5",
        at.file.display(),
        runs.display()
    );
    let program = script(at.headspace.dir(), "slow", &body);
    at.headspace
        .set("HEADSPACE_NOTIFY__COMMAND", program.display());
    let watcher = at.headspace.watch();
    let _first = ask(&at, "first");
    at.wait_for(1);
    watcher.kill();
    let _watcher = at.headspace.watch();
    let _second = ask(&at, "second");
    let messages = at.wait_for(2);
    assert_eq!(messages[1]["text"], "second · second: asks to run `make`");
}

#[test]
fn one_that_runs_when_the_watcher_stops_ends_with_all_it_started() {
    let mut at = Told::on(Kind::Sqlite);
    let pid = at.headspace.dir().join("pid");
    let body = format!("sleep 600 & echo $! > '{}'; wait", pid.display());
    let program = script(at.headspace.dir(), "slow", &body);
    at.headspace
        .set("HEADSPACE_NOTIFY__COMMAND", program.display());
    let mut watcher = at.headspace.watch();
    let _first = ask(&at, "first");
    let pid = pid_in(&pid);
    assert!(watcher.stop().success());
    wait_until_gone(pid);
}

#[test]
fn one_that_is_not_there_is_named() {
    let mut at = Told::on(Kind::Sqlite);
    at.headspace
        .set("HEADSPACE_NOTIFY__COMMAND", "/no/such/program");
    let watcher = at.headspace.watch();
    let _asking = ask(&at, "first");
    watcher.wait_for_log("there is no program /no/such/program");
}
