//! Copies share lines: a shared line is one event, whichever file was read first.

use std::{
    fs,
    time::{Duration, SystemTime},
};

use crate::support::{
    headspace::{Headspace, Kind, on_both},
    oracle,
    transcripts::{Session, append},
};

on_both! {
    fn a_fork_adds_only_its_own_turns(kind: Kind) {
        let headspace = Headspace::on(kind);
        let folder = headspace.project("-forked");
        let mut first = Session::new("first", "/home/dev/forked");
        let fork = Session::new("fork", "/home/dev/forked");
        let history = [first.prompt("asked"), first.reply("answered")].concat();
        append(&folder.join(first.file_name()), &history);
        // A fork has the same uuids and times under a session of its own.
        let path = folder.join(fork.file_name());
        append(&path, history.replace(&first.uuid, &fork.uuid));
        append(&path, first.prompt("only in the fork").replace(&first.uuid, &fork.uuid));
        append(&folder.join(first.file_name()), first.prompt("only in the first"));
        let caught = headspace.watch_once();
        // Four turns, two sessions, and four times that a command moved.
        assert_eq!((caught.stored, caught.known), (4 + 2 + 4, 2), "{caught:?}");
        let mut turns = headspace.store.turns();
        turns.sort();
        assert_eq!(turns, ["answered", "asked", "only in the first", "only in the fork"]);
        oracle::assert_clean(&headspace);
    }

    /// Copies are younger than what they copy, which may fill a transaction.
    fn the_backlog_is_read_oldest_first_also_behind_a_long_file(kind: Kind) {
        let headspace = Headspace::on(kind);
        let folder = headspace.project("-aged");
        let newest = SystemTime::now() - Duration::from_secs(3600);
        let mut sessions = Vec::new();
        for number in 0..6 {
            let mut session = Session::new(&format!("aged {number}"), "/home/dev/aged");
            let prompts = if number == 1 { 700 } else { 1 };
            let lines: String = (0..prompts).map(|_| session.prompt("again")).collect();
            let path = folder.join(session.file_name());
            append(&path, lines);
            let file = fs::File::options().append(true).open(&path).expect("the file");
            let age = Duration::from_secs(60 * (6 - number));
            file.set_modified(newest - age).expect("its time is set");
            sessions.push(session.uuid);
        }
        headspace.watch_once();
        let read = "SELECT session_uuid FROM agents ORDER BY id";
        assert_eq!(headspace.store.column(read), sessions);
    }

    fn a_backup_beside_the_file_adds_nothing(kind: Kind) {
        let headspace = Headspace::on(kind);
        let mut session = Session::new("kept", "/home/dev/kept");
        let path = headspace.project("-kept").join(session.file_name());
        append(&path, [session.prompt("one"), session.reply("two")].concat());
        let watcher = headspace.watch();
        headspace.store.wait_for_turns(&["one", "two"]);
        fs::copy(&path, path.with_file_name("backup.jsonl")).expect("a copy");
        append(&path, session.prompt("three"));
        headspace.store.wait_for_turns(&["one", "two", "three"]);
        drop(watcher);
        headspace.watch_once();
        assert_eq!(headspace.store.turns(), ["one", "two", "three"]);
        oracle::assert_clean(&headspace);
    }

    fn a_rotated_file_is_read_on_under_its_name(kind: Kind) {
        for rename in [true, false] {
            let headspace = Headspace::on(kind);
            let mut session = Session::new("rotated", "/home/dev/rotated");
            let path = headspace.project("-rotated").join(session.file_name());
            append(&path, session.prompt("before"));
            let watcher = headspace.watch();
            headspace.store.wait_for_turns(&["before"]);
            let old = path.with_extension("jsonl.1");
            if rename {
                fs::rename(&path, old).expect("it is renamed");
            } else {
                fs::copy(&path, old).expect("it is copied");
                fs::File::create(&path).expect("it is emptied");
            }
            append(&path, session.prompt("after"));
            headspace.store.wait_for_turns(&["before", "after"]);
            oracle::assert_clean_with_extra(&headspace);
            drop(watcher);
        }
    }
}
