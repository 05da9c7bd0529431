//! `/cd` moves a transcript to another project's folder: it goes on where it was.

use std::fs;

use crate::support::{
    headspace::{Caught, Headspace, Kind, on_both},
    oracle,
    transcripts::{Session, append},
};

on_both! {
    fn a_file_moved_while_it_is_watched_goes_on(kind: Kind) {
        let headspace = Headspace::on(kind);
        let mut session = Session::new("moved", "/home/dev/here");
        let path = headspace.project("-home-dev-here").join(session.file_name());
        append(&path, session.prompt("here"));
        let mut watcher = headspace.watch();
        headspace.store.wait_for_turns(&["here"]);
        let moved = headspace.project("-home-dev-there").join(session.file_name());
        fs::rename(&path, &moved).expect("it is moved");
        append(&moved, session.reply("there"));
        headspace.store.wait_for_turns(&["here", "there"]);
        // Whether it was still being read under its old name decides if it goes on
        // at its offset or is read again; either way each line is stored once.
        append(&moved, session.prompt("on"));
        headspace.store.wait_for_turns(&["here", "there", "on"]);
        assert!(watcher.stop().success());
        assert_eq!(headspace.store.number("SELECT sum(rewrites) FROM checkpoints"), 0);
        oracle::assert_clean(&headspace);
    }

    fn a_file_moved_while_nobody_watched_is_not_read_again(kind: Kind) {
        let headspace = Headspace::on(kind);
        let mut session = Session::new("moved", "/home/dev/here");
        let path = headspace.project("-home-dev-here").join(session.file_name());
        append(&path, session.prompt("here"));
        append(&path, "{\"torn\":\n");
        headspace.watch_once();
        let moved = headspace.project("-home-dev-there").join(session.file_name());
        fs::rename(&path, &moved).expect("it is moved");
        append(&moved, session.reply("there"));
        let caught = Caught { stored: 1, known: 0, rejected: 0 };
        assert_eq!(headspace.watch_once(), caught);
        assert_eq!(headspace.store.number("SELECT count(*) FROM checkpoints"), 1);
        assert_eq!(headspace.store.turns(), ["here", "there"]);
        oracle::assert_clean(&headspace);
    }
}
