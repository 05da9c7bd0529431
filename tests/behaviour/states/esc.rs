//! Esc before any output leaves no record: the registry says idle, and no end comes.

use std::fs;

use serde_json::json;

use super::rows::{shown, transitions};
use crate::{
    spool::registry::{Cli, statuses},
    support::{
        headspace::{Headspace, Kind, eventually, on_both},
        transcripts::{Session, append},
    },
};

const OUTCOME: &str = "SELECT state || ' ' || coalesce(outcome, '-') FROM commands ORDER BY id";

/// A prompt without an answer, whose process came back to its prompt.
fn asked_and_idle(headspace: &Headspace, cli: &mut Cli) -> Session {
    let mut session = Session::new("esc", "/home/dev/shop");
    let path = headspace
        .project("-home-dev-shop")
        .join(session.file_name());
    append(&path, session.prompt("Add a test."));
    cli.says(&session.uuid, "busy");
    eventually("it is busy", || statuses(&headspace.store).len() == 1);
    cli.says(&session.uuid, "idle");
    eventually("it is idle", || shown(headspace) == "idle|none||false");
    session
}

/// Puts a line of the registry's observer into the spool.
fn observed(headspace: &Headspace, session: &str, status: &str, at: i64) {
    let line = json!({"key": format!("{status}{at}"), "received_at": "2026-11-24T16:40:00.000000Z",
        "host": "here", "pid": 1, "kind": "observation", "observed": {
            "claude_session_id": session, "status": status, "pid": std::process::id(),
            "working_directory": "/home/dev/shop", "status_updated_at": at}});
    let spool = headspace.state().join("spool");
    fs::create_dir_all(&spool).expect("a folder");
    append(
        &spool.join("00000000000000000001.jsonl"),
        format!("{line}\n"),
    );
}

on_both! {
    fn a_turn_without_an_end_was_interrupted_after_two_seconds(kind: Kind) {
        let headspace = Headspace::on(kind);
        let _watcher = headspace.watch();
        let mut cli = Cli::start(&headspace);
        let mut session = asked_and_idle(&headspace, &mut cli);
        eventually("it is closed", || headspace.store.column(OUTCOME) == ["complete interrupted"]);
        let moves = transitions(&headspace);
        let last = moves.last().expect("a transition");
        assert_eq!(
            (&last["rule"], &last["confidence"], &last["trigger"], &last["outcome"]),
            (&json!("26"), &json!(0.95), &json!("timeout"), &json!("interrupted"))
        );
        // The end was only late: it is true.
        let path = headspace.project("-home-dev-shop").join(session.file_name());
        append(&path, session.reply("The test is there."));
        eventually("it was done", || headspace.store.column(OUTCOME) == ["complete done"]);
        assert!(headspace.run(&["rebuild", "--check"]).status.success());
    }

    fn a_restart_in_between_keeps_the_verdict_and_once_gives_none(kind: Kind) {
        let headspace = Headspace::on(kind);
        let mut session = Session::new("esc", "/home/dev/shop");
        let path = headspace.project("-home-dev-shop").join(session.file_name());
        append(&path, session.prompt("Add a test."));
        observed(&headspace, &session.uuid, "busy", 1_795_538_402_000);
        observed(&headspace, &session.uuid, "idle", 1_795_538_403_000);
        headspace.watch_once();
        headspace.watch_once();
        assert_eq!(headspace.store.column(OUTCOME), ["idle -"]);
        let _watcher = headspace.watch();
        eventually("it is closed", || headspace.store.column(OUTCOME) == ["complete interrupted"]);
        assert!(headspace.run(&["rebuild", "--check"]).status.success());
    }
}
