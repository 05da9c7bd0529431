//! Where nothing is wrong it says so, and leaves no trace.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::report::{command, doctor, examined, listen};
use crate::support::{
    headspace::{Headspace, Kind, eventually, on_both},
    talk::stored,
    web::Web,
};

on_both! {
    fn a_healthy_one_is_reported_as_healthy(kind: Kind) {
        let headspace = Headspace::on(kind);
        stored(&headspace, "well", 3);
        let _watcher = headspace.watch();
        let web = Web::start(&headspace);
        web.wait_for_status("healthy");
        let report = with_port(&headspace, web.port);
        assert_eq!(report.code, 0);
        let mut checks = vec![
            "settings", "roots", "transcripts", "permissions", "database",
            "schema", "watcher", "socket", "port", "health",
        ];
        checks.extend(match kind {
            Kind::Sqlite => &["integrity"][..],
            Kind::Postgres => &["rights"],
        });
        for check in checks {
            let states: Vec<&str> = report.of(check).iter().map(|one| one.0).collect();
            assert_eq!(states, ["ok"], "{check}: {report:#?}");
        }
        report.says("roots", "ok", "holds 1 session and 0 files of subagents", "");
        report.says("health", "ok", "healthy", "");
        // For people: aligned, a line a check, without colour where there is no terminal.
        let said = headspace.run(&["doctor"]);
        let text = String::from_utf8(said.stdout).expect("text");
        assert!(!text.contains('\u{1b}'), "{text}");
        assert!(text.contains("ok       database     "), "{text}");
        assert!(!text.contains("well 1"), "no word of a transcript: {text}");
    }

    fn nothing_is_changed_made_or_left_behind(kind: Kind) {
        let headspace = Headspace::on(kind);
        let before = tree(headspace.dir());
        doctor(&headspace);
        assert_eq!(tree(headspace.dir()), before, "where nothing ever ran");
        stored(&headspace, "trace", 3);
        fs::set_permissions(headspace.state(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("opened");
        let before = tree(headspace.dir());
        doctor(&headspace);
        assert_eq!(tree(headspace.dir()), before, "where something is recorded");
    }
}

#[test]
fn what_is_wrong_can_be_put_right_by_the_commands_given() {
    let headspace = Headspace::on(Kind::Sqlite);
    fs::create_dir(headspace.state()).expect("a state folder");
    fs::set_permissions(
        headspace.state(),
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )
    .expect("opened");
    let report = doctor(&headspace);
    let fix = report.says("permissions", "warning", "mode 0755", "chmod");
    assert!(shell(&fix), "{fix}");
    // The database that is not there yet is made by the command given.
    let fix = report.says("database", "note", "is not there yet", "headspace migrate");
    let (migrate, _) = fix.split_once(", ").expect("a command");
    assert!(
        headspace
            .run(&[migrate.trim_start_matches("headspace ")])
            .status
            .success()
    );
    let report = doctor(&headspace);
    assert_eq!(
        report
            .of("permissions")
            .iter()
            .filter(|one| one.0 == "warning")
            .count(),
        0,
        "{report:#?}"
    );
    report.says(
        "schema",
        "ok",
        &format!("version {}", headspace::store::SCHEMA_VERSION),
        "",
    );
}

#[test]
fn it_works_while_everything_comes_up_and_goes_down() {
    let headspace = Headspace::on(Kind::Sqlite);
    let mut watcher = headspace.watch();
    eventually("the watcher is well", || {
        doctor(&headspace)
            .of("watcher")
            .iter()
            .all(|one| one.0 == "ok")
    });
    assert!(watcher.stop().success());
    doctor(&headspace).says(
        "watcher",
        "warning",
        "no watcher is running",
        "headspace up",
    );
}

fn with_port(headspace: &Headspace, port: u16) -> super::report::Report {
    let mut command = command(headspace);
    command.env("HEADSPACE_WEB__LISTEN", listen(port));
    examined(command)
}

fn shell(command: &str) -> bool {
    let status = std::process::Command::new("sh")
        .args(["-c", command])
        .status();
    status.expect("a shell").success()
}

/// Every file and folder with its size, its mode and when it was changed.
fn tree(folder: &Path) -> BTreeMap<PathBuf, (u64, u32, i64, i64)> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(path) = open.pop() {
        let metadata = fs::symlink_metadata(&path).expect("it is there");
        if metadata.is_dir() {
            let entries = fs::read_dir(&path).expect("a folder");
            open.extend(entries.map(|entry| entry.expect("an entry").path()));
        }
        let changed = (
            metadata.size(),
            metadata.mode(),
            metadata.ctime(),
            metadata.ctime_nsec(),
        );
        found.insert(path, changed);
    }
    found
}
