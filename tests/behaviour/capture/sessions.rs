//! When a session begins, ends and begins again, and which session is its parent.

use std::fs;

use crate::support::{
    headspace::{Headspace, Kind, eventually, on_both},
    oracle,
    transcripts::{Session, append},
};

on_both! {
    fn a_session_ends_after_inactivity_and_activity_opens_it_again(kind: Kind) {
        let mut headspace = Headspace::on(kind);
        headspace.set("HEADSPACE_WATCH__INACTIVITY_TIMEOUT_SECONDS", 1);
        let mut session = Session::new("idle", "/home/dev/idle");
        let path = headspace.project("-idle").join(session.file_name());
        let watcher = headspace.watch();
        append(&path, session.prompt("first"));
        let life = "SELECT event_type FROM events WHERE event_type <> 'state_transition' ORDER BY id";
        let lived = |expected: &[&str]| headspace.store.column(life) == expected;
        let first = ["session_registered", "turn_detected", "session_ended"];
        eventually("the session ends", || lived(&first));
        let reason = "SELECT payload ->> 'reason' FROM events WHERE event_type = 'session_ended'";
        assert_eq!(headspace.store.column(reason), ["timeout"]);
        assert_eq!(headspace.store.column("SELECT end_reason FROM agents"), ["timeout"]);
        // With the fields by which a journal is searched.
        let fields = format!("event_type=\"session_ended\" session=\"{}\"", session.uuid);
        watcher.wait_for_log(&fields);

        append(&path, session.reply("second"));
        eventually("the session is registered again and ends", || lived(&[first, first].concat()));
        assert_eq!(headspace.store.number("SELECT registrations FROM agents"), 2);
        oracle::assert_clean(&headspace);
        drop(watcher);
    }

    fn a_session_that_ended_while_nobody_watched_is_ended_once(kind: Kind) {
        let mut headspace = Headspace::on(kind);
        let mut session = Session::new("old", "/home/dev/old");
        let path = headspace.project("-old").join(session.file_name());
        append(&path, session.prompt("long ago"));
        headspace.watch_once();
        headspace.set("HEADSPACE_WATCH__INACTIVITY_TIMEOUT_SECONDS", 1);
        let ended = "SELECT count(*) FROM events WHERE event_type = 'session_ended'";
        let watcher = headspace.watch();
        eventually("the session ends", || headspace.store.number(ended) == 1);
        drop(watcher);
        headspace.watch_once();
        assert_eq!(headspace.store.number(ended), 1);
        oracle::assert_clean(&headspace);
    }

    fn a_subagent_is_a_child_and_never_a_turn_of_its_parent(kind: Kind) {
        let headspace = Headspace::on(kind);
        let parent = Session::new("parent", "/home/dev/parent");
        // Only the agent's file is there: its records name the parent.
        let folder = headspace.project("-parent").join(&parent.uuid).join("subagents");
        fs::create_dir_all(&folder).expect("a folder");
        let mut agent = parent.subagent("a1b2c3d");
        append(&folder.join(agent.file_name()), [agent.prompt("a task"), agent.reply("done")].concat());
        headspace.watch_once();
        assert!(headspace.store.turns().is_empty());
        let rows = headspace.store.column(
            "SELECT child.session_uuid || ' of ' || parent.session_uuid FROM agents child
             JOIN agents parent ON parent.id = child.parent_agent_id",
        );
        assert_eq!(rows, [format!("{0}/a1b2c3d of {0}", parent.uuid)]);
        oracle::assert_clean(&headspace);
    }
}
