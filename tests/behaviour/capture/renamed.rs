//! `/cd` moves a transcript to another project's folder: it goes on where it was.

use std::fs;

use crate::support::{
    headspace::{Caught, Headspace, Kind, on_both},
    oracle,
    transcripts::{Session, append},
};

on_both! {
    fn a_moved_file_goes_on_at_its_offset_while_watched(kind: Kind) {
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
        // That line may have been read through the old name's open file; the
        // checkpoint takes the new name with a line read through that.
        append(&moved, session.prompt("on"));
        headspace.store.wait_for_turns(&["here", "there", "on"]);
        assert!(watcher.stop().success());
        let moved = moved.canonicalize().expect("a path");
        assert_eq!(headspace.store.column("SELECT path FROM checkpoints"), [moved.to_string_lossy()]);
        assert!(!watcher.log().contains("duplicates in"), "{}", watcher.log());
        assert_eq!(headspace.store.number("SELECT rewrites FROM checkpoints"), 0);
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
        // The reply, and that its command is complete.
        let caught = Caught { stored: 2, known: 0, rejected: 0 };
        assert_eq!(headspace.watch_once(), caught);
        assert_eq!(headspace.store.number("SELECT count(*) FROM checkpoints"), 1);
        assert_eq!(headspace.store.turns(), ["here", "there"]);
        oracle::assert_clean(&headspace);
    }
}
