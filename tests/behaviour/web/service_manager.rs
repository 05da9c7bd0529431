//! `/health` asks the service manager, and depends on it for nothing.
//!
//! The manager here is a script that stands for one that hangs, talks nonsense
//! or is not there.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    time::{Duration, Instant},
};

use rustix::process::{Pid, test_kill_process};
use serde_json::Value;

use crate::support::{
    headspace::{Headspace, Kind, eventually},
    web::{Web, command},
};

/// How soon an answer must be there; it waits 80 ms at most.
const AT_ONCE: Duration = Duration::from_secs(1);

#[test]
fn answers_are_in_time_although_a_manager_hangs_and_it_is_not_left_behind() {
    let mut headspace = Headspace::on(Kind::Sqlite);
    let _watcher = headspace.watch();
    let web = with_systemctl(&mut headspace, "exec sleep 600");
    let times = ask_often(&web);
    eprintln!("a manager that hangs: {times:?}");
    assert!(times.iter().all(|time| *time < AT_ONCE), "{times:?}");
    let asked = questions(&headspace);
    eventually("a manager that hangs is killed", || {
        questions(&headspace).iter().all(|pid| !is_alive(*pid))
    });
    assert_eq!(asked.len(), 1, "it is left in peace for a while");
}

#[test]
fn nonsense_changes_nothing_and_is_not_asked_for_again() {
    let mut headspace = Headspace::on(Kind::Sqlite);
    let _watcher = headspace.watch();
    for nonsense in [
        "head -c 1000000 /dev/urandom",
        "exec yes LoadState",
        "exit 1",
        "kill -9 $$",
        "echo 'System has not been booted with systemd' >&2; exit 1",
    ] {
        fs::remove_file(headspace.dir().join("asked")).ok();
        let web = with_systemctl(&mut headspace, nonsense);
        ask_often(&web);
        assert_eq!(questions(&headspace).len(), 1, "{nonsense}");
    }
}

#[test]
fn a_machine_without_a_manager_is_fine() {
    let headspace = Headspace::on(Kind::Sqlite);
    let _watcher = headspace.watch();
    let mut command = command(&headspace);
    command.env("PATH", headspace.dir());
    ask_often(&Web::from(&headspace, command));
}

#[test]
fn however_many_ask_the_manager_is_asked_once_and_again_when_the_watcher_changes() {
    let mut headspace = Headspace::on(Kind::Sqlite);
    let mut watcher = headspace.watch();
    let web = with_systemctl(
        &mut headspace,
        "printf 'LoadState=not-found\\nActiveState=inactive\\n'",
    );
    let began = Instant::now();
    let asked_for = |web: &Web| {
        ask_often(web);
        questions(&headspace).len() as u64
    };
    let asked = asked_for(&web);
    let most = began.elapsed().as_secs() / 2 + 1;
    assert!((1..=most).contains(&asked), "{asked} questions, not {most}");
    watcher.stop();
    let health = web.health();
    assert_eq!(health["watcher"]["running"], false, "{health}");
    eventually("another question", || {
        web.health();
        questions(&headspace).len() as u64 > asked
    });
}

#[test]
fn what_the_manager_says_of_our_watcher_is_shown() {
    let mut headspace = Headspace::on(Kind::Sqlite);
    let watcher = headspace.watch();
    let pid = watcher.pid().as_raw_nonzero();
    let says = format!(
        "printf 'MainPID={pid}\\nNRestarts=3\\nResult=success\\nLoadState=loaded\\nActiveState=active\\nSubState=running\\nActiveEnterTimestamp=Sat 2026-11-21 11:32:57.317982 UTC\\n'"
    );
    let web = with_systemctl(&mut headspace, &says);
    let mut shown = Value::Null;
    eventually("the unit is shown", || {
        shown = web.health();
        shown["watcher"]["supervisor"] == "systemd"
    });
    let watcher = &shown["watcher"];
    assert_eq!(watcher["running"], true, "{shown}");
    assert_eq!(watcher["unit"], "headspace-watcher.service");
    assert_eq!(watcher["active_state"], "active");
    assert_eq!(watcher["sub_state"], "running");
    assert_eq!(watcher["since"], "2026-11-21T11:32:57.317982Z");
    assert_eq!(watcher["restarts"], 3);
    assert_eq!(watcher["result"], "success");
    assert_eq!(watcher["main_pid"], pid.get());
    let status = String::from_utf8(headspace.run(&["status", "--verbose"]).stdout).expect("text");
    let line = "headspace-watcher.service (systemd): active, running, 3 restarts, since 2026-11-21T11:32:57.317982Z";
    assert!(status.contains(line), "{status}");
}

/// Starts the web process where `systemctl` is this script. Each question puts
/// its process into a file.
fn with_systemctl(headspace: &mut Headspace, script: &str) -> Web {
    let file = headspace.dir().join("systemctl");
    let asked = headspace.dir().join("asked");
    let script = format!("#!/bin/sh\necho $$ >>{}\n{script}\n", asked.display());
    fs::write(&file, script).expect("a script");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("a mode");
    let folder = headspace.dir().to_owned();
    let path = std::env::var("PATH").expect("a path");
    headspace.set("PATH", format!("{}:{path}", folder.display()));
    // No manager of this user is here.
    headspace.set("XDG_RUNTIME_DIR", folder.display());
    Web::start(headspace)
}

/// The watcher runs, and every answer says so, until the manager was asked.
fn ask_often(web: &Web) -> Vec<Duration> {
    (0..20)
        .map(|_| {
            let began = Instant::now();
            let health = web.health();
            assert_eq!(health["watcher"]["running"], true, "{health}");
            assert_eq!(health["status"], "healthy", "{health}");
            assert_eq!(health["watcher"]["supervisor"], "none", "{health}");
            began.elapsed()
        })
        .collect()
}

fn questions(headspace: &Headspace) -> Vec<Pid> {
    let text = fs::read_to_string(headspace.dir().join("asked")).unwrap_or_default();
    let pid = |line: &str| Pid::from_raw(line.parse().ok()?);
    text.lines().filter_map(pid).collect()
}

fn is_alive(process: Pid) -> bool {
    test_kill_process(process).is_ok()
}
