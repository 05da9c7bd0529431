//! Programs that are missing or hang, and no settings at all: it is over in time.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    time::{Duration, Instant},
};

use super::report::{NOBODY, command, doctor_as, examined};
use crate::support::headspace::{Headspace, Kind};

const WHOLE: Duration = Duration::from_secs(10);

#[test]
fn the_report_is_there_in_time_although_a_manager_hangs() {
    let headspace = Headspace::on(Kind::Sqlite);
    let programs = headspace.dir().join("programs");
    fs::create_dir(&programs).expect("a folder");
    program(&programs.join("systemctl"), "#!/bin/sh\nexec sleep 600\n");
    let mut command = command(&headspace);
    let path = format!(
        "{}:{}",
        programs.display(),
        std::env::var("PATH").expect("a PATH")
    );
    command.env("PATH", path);
    let began = Instant::now();
    let report = examined(command);
    assert!(began.elapsed() < WHOLE, "{:?}", began.elapsed());
    report.says("units", "note", "systemctl does not answer", "");
    assert_eq!(report.code, 0, "{report:#?}");
}

#[test]
fn a_machine_without_these_programs_is_not_at_fault() {
    let headspace = Headspace::on(Kind::Sqlite);
    let mut command = command(&headspace);
    command.env("PATH", headspace.dir());
    let report = examined(command);
    assert_eq!(report.code, 0, "{report:#?}");
    report.says("units", "note", "there is no systemctl", "");
}

#[test]
fn an_ordinary_user_gets_all_of_it() {
    let headspace = Headspace::on(Kind::Sqlite);
    for path in [headspace.dir(), &headspace.root()] {
        fs::set_permissions(path, PermissionsExt::from_mode(0o777)).expect("opened");
    }
    let report = doctor_as(&headspace, NOBODY);
    for check in [
        "settings",
        "roots",
        "permissions",
        "database",
        "watcher",
        "socket",
        "port",
    ] {
        assert!(!report.of(check).is_empty(), "{check}: {report:#?}");
    }
}

#[test]
fn without_anything_it_says_what_is_missing() {
    let headspace = Headspace::on(Kind::Sqlite);
    let home = headspace.dir().join("home");
    fs::create_dir(&home).expect("a folder");
    let mut command = headspace.command(&["doctor", "--json"]);
    command.env_clear().env("HOME", &home);
    let report = examined(command);
    report.says(
        "roots",
        "warning",
        "home/.claude does not exist",
        "start Claude Code once",
    );
    report.says("database", "note", "is not there yet", "headspace migrate");
}

fn program(path: &Path, text: &str) {
    fs::write(path, text).expect("written");
    fs::set_permissions(path, PermissionsExt::from_mode(0o755)).expect("a mode");
}
