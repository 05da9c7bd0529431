//! A watcher that is stopped, hangs, is degraded, is of another version.

use std::process::Command;

use rustix::process::Signal;

use super::report::doctor;
use crate::support::{
    headspace::{Headspace, Kind, Store, eventually, on_both},
    talk::{Talk, stored, tamper, wait_for_count},
};

on_both! {
    fn a_watcher_that_hangs_fails(kind: Kind) {
        let headspace = Headspace::on(kind);
        let mut talk = Talk::new(&headspace, "hangs");
        talk.say("before");
        let watcher = headspace.watch();
        wait_for_count(&headspace.store, 2);
        eventually("it has reported", || headspace.store.number("SELECT count(*) FROM watchers") == 1);
        watcher.signal(Signal::STOP);
        doctor(&headspace).says("watcher", "ok", "running (pid", "");
        // The test need not wait for as long as it takes to be sure.
        let long_ago = match kind {
            Kind::Sqlite => "'2020-01-01T00:00:00.000000Z'",
            Kind::Postgres => "'2020-01-01T00:00:00Z'::timestamptz",
        };
        tamper(&headspace.store, &format!("UPDATE watchers SET beat_at = {long_ago}, started_at = {long_ago}"));
        let lock = headspace.state().join("watcher.lock");
        let aged = Command::new("touch").args(["-d", "2020-01-01"]).arg(lock).status();
        assert!(aged.expect("touch").success());
        let report = doctor(&headspace);
        assert_eq!(report.code, 1);
        let pid = watcher.pid().as_raw_nonzero();
        let kill = format!("kill -9 {pid}");
        report.says("watcher", "failed", "the watcher has not reported for", &kill);
        watcher.kill();
        doctor(&headspace).says("watcher", "warning", "no watcher is running", "headspace watch");
    }

    fn another_version_is_a_warning(kind: Kind) {
        let headspace = Headspace::on(kind);
        let watcher = headspace.watch();
        watcher.signal(Signal::STOP);
        tamper(&headspace.store, "UPDATE watchers SET version = '0.0.1'");
        let pid = watcher.pid().as_raw_nonzero();
        doctor(&headspace).says("watcher", "warning", "the watcher is version 0.0.1", &format!("kill {pid}"));
    }
}

#[test]
fn a_degraded_watcher_says_why() {
    let mut headspace = Headspace::on(Kind::Postgres);
    stored(&headspace, "degraded", 1);
    let Store::Postgres(database) = &headspace.store else {
        panic!("made on PostgreSQL");
    };
    let role = format!("doctor_{}", database.name);
    database.sql(&format!(
        "CREATE ROLE {role} LOGIN;
         GRANT ALL ON ALL TABLES IN SCHEMA public TO {role};
         GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {role};
         REVOKE INSERT ON events FROM {role}"
    ));
    let url = headspace
        .store
        .url()
        .replace("//postgres@", &format!("//{role}@"));
    headspace.set("HEADSPACE_DATABASE__URL", url);
    let watcher = headspace.watch();
    Talk::new(&headspace, "more").say("words not repeated");
    watcher.wait_for_log("degraded: positions are kept");
    let is_degraded = "SELECT count(*) FROM watchers WHERE state = 'degraded'";
    eventually("its row says so", || {
        headspace.store.number(is_degraded) == 1
    });
    let report = doctor(&headspace);
    report.says("watcher", "warning", "degraded: ", "it recovers by itself");
    report.says(
        "watcher",
        "warning",
        "permission denied for table events",
        "",
    );
    report.says(
        "rights",
        "failed",
        "lacks INSERT ON events",
        "GRANT INSERT ON events",
    );
    assert!(
        !format!("{report:?}").contains("not repeated"),
        "{report:#?}"
    );
}
