//! A session ends when the CLI says so, and begins again with what comes later.

use std::{fs, io::Write};

use serde_json::{Value, json};

use super::stop;
use crate::support::{
    headspace::{Headspace, Kind, on_both},
    oracle,
    transcripts::{Session, append},
};

/// Appends a hook that came at this second.
fn hooked(headspace: &Headspace, second: u32, session: &str, name: &str, more: Value) {
    let mut hook = stop(session);
    hook["hook_event_name"] = json!(name);
    for (name, value) in more.as_object().unwrap() {
        hook[name] = value.clone();
    }
    let line = json!({"key": format!("{session}{second}"), "received_at": at(second),
        "host": "here", "pid": 1, "kind": "hook", "hook": hook});
    spooled(headspace, &line);
}

fn spooled(headspace: &Headspace, line: &Value) {
    let spool = headspace.state().join("spool");
    fs::create_dir_all(&spool).unwrap();
    let segment = spool.join("00000000000000000001.jsonl");
    let file = fs::File::options().create(true).append(true).open(segment);
    writeln!(file.unwrap(), "{line}").unwrap();
}

fn at(second: u32) -> String {
    format!(
        "2026-03-01T08:{:02}:{:02}.500000Z",
        second / 60,
        second % 60
    )
}

/// How the sessions went, in the order of the log.
fn lives(headspace: &Headspace) -> Vec<String> {
    headspace.store.column(
        "SELECT concat(event_type, ' ', payload ->> 'session_uuid', ' ', payload ->> 'reason',
                       ' ', payload ->> 'detail')
         FROM events WHERE event_type IN ('session_registered', 'session_ended') ORDER BY id",
    )
}

on_both! {
    fn the_end_of_a_session_closes_it_and_what_comes_later_opens_it_again(kind: Kind) {
        let headspace = Headspace::on(kind);
        hooked(&headspace, 1, "a", "SessionStart", json!({"source": "startup"}));
        hooked(&headspace, 9, "a", "SessionEnd", json!({"reason": "prompt_input_exit"}));
        // In two settings files, and a straggler of the same second.
        hooked(&headspace, 9, "a", "SessionEnd", json!({"reason": "prompt_input_exit"}));
        hooked(&headspace, 10, "a", "Notification", json!({"message": "late"}));
        headspace.watch_once();
        let mut expected = vec!["session_registered a  ", "session_ended a closed prompt_input_exit"];
        assert_eq!(lives(&headspace), expected);
        let ended = "SELECT count(*) FROM agents JOIN events ON events.agent_id = agents.id
                     WHERE ended_at = events.timestamp AND end_reason = 'closed'
                       AND event_type = 'session_ended'";
        assert_eq!(headspace.store.number(ended), 1, "at its own time");
        // Read late: from before the end.
        hooked(&headspace, 5, "a", "PreToolUse", json!({}));
        headspace.watch_once();
        assert_eq!(lives(&headspace), expected);
        hooked(&headspace, 60, "a", "SessionStart", json!({"source": "resume"}));
        headspace.watch_once();
        expected.push("session_registered a  ");
        assert_eq!(lives(&headspace), expected);
        // The end from before that, once more.
        hooked(&headspace, 9, "a", "SessionEnd", json!({"reason": "other"}));
        headspace.watch_once();
        assert_eq!(lives(&headspace), expected);
        assert_eq!(headspace.store.column("SELECT ended_at FROM agents"), [""]);
        assert!(headspace.run(&["verify"]).status.success());
    }

    fn a_cleared_session_ends_and_its_successor_begins(kind: Kind) {
        let headspace = Headspace::on(kind);
        hooked(&headspace, 1, "old", "SessionStart", json!({"source": "startup"}));
        for (old, new, reason, source) in
            [("old", "new", "clear", "clear"), ("new", "branch", "resume", "fork")]
        {
            hooked(&headspace, 20, old, "SessionEnd", json!({"reason": reason}));
            hooked(&headspace, 20, new, "SessionStart", json!({"source": source}));
        }
        headspace.watch_once();
        assert_eq!(lives(&headspace), [
            "session_registered old  ", "session_ended old closed clear",
            "session_registered new  ", "session_ended new closed resume",
            "session_registered branch  ",
        ]);
    }

    fn a_start_within_a_second_of_the_end_opens_it_again(kind: Kind) {
        let headspace = Headspace::on(kind);
        hooked(&headspace, 1, "a", "SessionStart", json!({"source": "startup"}));
        hooked(&headspace, 9, "a", "SessionEnd", json!({"reason": "prompt_input_exit"}));
        hooked(&headspace, 10, "a", "SessionStart", json!({"source": "resume"}));
        headspace.watch_once();
        let ended = "session_ended a closed prompt_input_exit";
        let began = "session_registered a  ";
        assert_eq!(lives(&headspace), [began, ended, began]);
        assert_eq!(headspace.store.column("SELECT ended_at FROM agents"), [""]);
    }

    fn the_exit_of_a_launched_program_ends_its_session(kind: Kind) {
        let headspace = Headspace::on(kind);
        let mut session = Session::new("launched", "/home/dev/shop");
        let path = headspace.project("-home-dev-shop").join(session.file_name());
        append(&path, session.prompt("Add a test."));
        headspace.watch_once();
        let line = json!({"key": "k", "received_at": at(30), "host": "here", "pid": 1,
            "kind": "exited", "session_uuid": session.uuid, "code": 3});
        spooled(&headspace, &line);
        headspace.watch_once();
        let ended = format!("session_ended {} closed exit code 3", session.uuid);
        assert_eq!(lives(&headspace).last(), Some(&ended));
        let moved = headspace.store.column(
            "SELECT concat(payload ->> 'rule', ' ', payload ->> 'outcome', ' ', payload ->> 'trigger')
             FROM events WHERE event_type = 'state_transition' ORDER BY id DESC LIMIT 1");
        assert_eq!(moved, ["42 abandoned process"]);
        assert!(headspace.run(&["rebuild", "--check"]).status.success());
    }

    fn a_transcript_that_is_read_after_the_end_leaves_it_ended(kind: Kind) {
        let headspace = Headspace::on(kind);
        let mut session = Session::new("ended", "/home/dev/shop");
        let path = headspace.project("-home-dev-shop").join(session.file_name());
        // The last record has the second before the hook.
        let lines: String = (0..4).map(|n| session.prompt(&format!("words {n}"))).collect();
        hooked(&headspace, 4, &session.uuid, "SessionEnd", json!({"reason": "other"}));
        headspace.watch_once();
        append(&path, lines);
        headspace.watch_once();
        let ends = "SELECT count(*) FROM agents WHERE end_reason = 'closed'";
        assert_eq!(headspace.store.number(ends), 1);
        assert_eq!(headspace.store.turns().len(), 4);
        for _ in 0..4 {
            append(&path, session.prompt("more"));
        }
        headspace.watch_once();
        assert_eq!(headspace.store.number("SELECT registrations FROM agents"), 2);
        assert_eq!(headspace.store.number(ends), 0);
        oracle::assert_clean(&headspace);
    }
}
