//! What the clock decides, and what it does not.

use std::{
    fs::File,
    process::{Command, Stdio},
    time::{Duration, SystemTime},
};

use serde_json::json;

use super::rows::transitions;
use crate::support::{
    headspace::{Headspace, Kind, eventually, on_both},
    transcripts::{Session, append},
};

const ENDED: &str = "SELECT concat(payload ->> 'reason', ' ', payload ->> 'detail') FROM events
                     WHERE event_type = 'session_ended' ORDER BY id";

/// A session that was last written an hour ago.
fn old_session(headspace: &Headspace) -> Session {
    let mut session = Session::new("old", "/home/dev/shop");
    let path = headspace
        .project("-home-dev-shop")
        .join(session.file_name());
    append(&path, session.prompt("Add a test."));
    let hour = Duration::from_secs(3600);
    let file = File::options()
        .append(true)
        .open(&path)
        .expect("it is there");
    file.set_modified(SystemTime::now() - hour)
        .expect("another time");
    session
}

/// Puts what the registry's observer would write into the spool.
fn observed(headspace: &Headspace, session: &str, pid: u32) {
    let line = json!({"key": "k", "received_at": "2026-11-24T16:40:00.000000Z", "host": "here",
        "pid": 1, "kind": "observation", "observed": {
            "claude_session_id": session, "status": "busy", "pid": pid,
            "working_directory": "/home/dev/shop", "status_updated_at": 1_795_538_402_000_i64}});
    let spool = headspace.state().join("spool");
    std::fs::create_dir_all(&spool).expect("a folder");
    append(
        &spool.join("00000000000000000001.jsonl"),
        format!("{line}\n"),
    );
}

on_both! {
    fn silence_ends_a_session_of_which_no_process_is_known_and_once_ends_none(kind: Kind) {
        let mut headspace = Headspace::on(kind);
        headspace.set("HEADSPACE_WATCH__INACTIVITY_TIMEOUT_SECONDS", 1);
        old_session(&headspace);
        headspace.watch_once();
        headspace.watch_once();
        assert!(headspace.store.column(ENDED).is_empty());
        let _watcher = headspace.watch();
        eventually("it ends", || headspace.store.column(ENDED) == ["timeout "]);
        let last = transitions(&headspace).pop().expect("a transition");
        assert_eq!(
            (&last["rule"], &last["confidence"], &last["trigger"], &last["outcome"]),
            (&json!("44"), &json!(0.5), &json!("timeout"), &json!("abandoned"))
        );
        assert!(headspace.run(&["rebuild", "--check"]).status.success());
    }

    fn one_that_lives_is_not_over_and_is_judged_again_when_its_process_left_no_trace(kind: Kind) {
        let mut headspace = Headspace::on(kind);
        headspace.set("HEADSPACE_WATCH__INACTIVITY_TIMEOUT_SECONDS", 1);
        headspace.set("HEADSPACE_LOGGING__LEVEL", "debug");
        let session = old_session(&headspace);
        let mut process = Command::new("cat").stdin(Stdio::piped()).spawn().expect("cat");
        observed(&headspace, &session.uuid, process.id());
        headspace.watch_once();
        let watcher = headspace.watch();
        watcher.wait_for_log("is not over");
        assert!(headspace.store.column(ENDED).is_empty());
        // It has no file in the registry, so nothing tells of its end.
        process.kill().expect("it runs");
        process.wait().expect("it has ended");
        eventually("it ends", || headspace.store.column(ENDED) == ["closed process gone"]);
    }
}
