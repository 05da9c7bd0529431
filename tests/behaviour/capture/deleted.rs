//! Claude Code deletes old transcripts: the record outlives them.

use std::{fs, os::unix::fs::MetadataExt, path::Path};

use rustix::process::Signal;

use crate::support::{
    headspace::{Headspace, Kind, eventually, on_both},
    oracle,
    transcripts::{Session, append},
};

on_both! {
    fn events_stay_when_their_file_goes_and_a_file_that_returns_is_read(kind: Kind) {
        let headspace = Headspace::on(kind);
        let mut session = Session::new("gone", "/home/dev/gone");
        let path = headspace.project("-gone").join(session.file_name());
        append(&path, session.prompt("before"));
        let watcher = headspace.watch();
        headspace.store.wait_for_turns(&["before"]);
        fs::remove_file(&path).expect("it is deleted");
        append(&path, session.prompt("after"));
        headspace.store.wait_for_turns(&["before", "after"]);
        oracle::assert_clean_with_extra(&headspace);
        drop(watcher);
    }

    fn a_file_deleted_while_it_is_being_read_is_read_to_its_end(kind: Kind) {
        const LINES: i64 = 5000;
        let headspace = Headspace::on(kind);
        let mut session = Session::new("long", "/home/dev/long");
        let path = headspace.project("-long").join(session.file_name());
        let lines: String = (0..LINES).map(|n| session.prompt(&format!("line {n}"))).collect();
        append(&path, lines);
        let turns = "SELECT count(*) FROM events WHERE event_type = 'turn_detected'";
        let mut watcher = headspace.start(&["watch"]);
        let stored = || headspace.store.try_column(turns).map_or(0, |rows| rows[0].parse().unwrap_or(0));
        eventually("the first lines are stored", || stored() > 0);
        watcher.signal(Signal::STOP);
        let then: i64 = stored();
        assert!(then < LINES, "all was read before it could be deleted");
        fs::remove_file(&path).expect("it is deleted");
        watcher.signal(Signal::CONT);
        eventually("all lines are stored", || stored() == LINES);
        assert!(watcher.stop().success());
        assert!(!watcher.log().contains("vanished"), "{}", watcher.log());
    }

    fn another_file_with_the_same_inode_is_another_transcript(kind: Kind) {
        let headspace = Headspace::on(kind);
        let (mut old, mut new) = (Session::new("old", "/home/dev/a"), Session::new("new", "/home/dev/a"));
        let folder = headspace.project("-a");
        let path = folder.join(old.file_name());
        append(&path, old.prompt("old"));
        headspace.watch_once();
        let inode = fs::metadata(&path).expect("the file").ino();
        let kept = headspace.dir().join("kept");
        fs::hard_link(&path, &kept).expect("a second name");
        fs::remove_file(&path).expect("it is deleted");
        let path = folder.join(new.file_name());
        take_inode(&kept, &path);
        assert_eq!(fs::metadata(&path).expect("the file").ino(), inode);
        append(&path, new.prompt("the new transcript, longer than the old"));
        assert_eq!(headspace.watch_once().known, 0);
        assert_eq!(headspace.store.turns(), ["old", "the new transcript, longer than the old"]);
        oracle::assert_clean_with_extra(&headspace);
    }
}

/// Empties the deleted file and gives it back under another name: to a program
/// that was away it is what a file system makes of a number that is free again.
fn take_inode(kept: &Path, path: &Path) {
    fs::File::create(kept).expect("it is emptied");
    fs::rename(kept, path).expect("it is back");
}
