//! What comes line by line is merged when its file is quiet.

use std::fs;

use super::{assert_same, exported, with_archive};
use crate::support::{
    headspace::{Kind, eventually, on_both},
    talk::Talk,
};

const PIECES: &str = "SELECT count(*) FROM archive";

on_both! {
    fn the_pieces_of_a_quiet_file_become_few(kind: Kind) {
        let mut headspace = with_archive(kind);
        let mut talk = Talk::new(&headspace, "quiet");
        let watcher = headspace.watch();
        let mut said = Vec::new();
        for number in 0..40 {
            said.push(format!("line {number}"));
            talk.say(&said[number]);
            headspace.store.wait_for_turns(&said);
        }
        // Nothing is merged as long as the file is not quiet for a minute.
        let before = headspace.store.number(PIECES);
        assert!(before >= 40, "{before}");
        watcher.kill();
        let loose = headspace.store.number("SELECT sum(length(content)) FROM archive");
        // A new watcher finds what the old one left, and what comes after it.
        headspace.set("HEADSPACE_WATCH__RECONCILE_INTERVAL_SECONDS", 1);
        let watcher = headspace.watch();
        eventually("they are merged", || headspace.store.number(PIECES) == 1);
        let dense = headspace.store.number("SELECT sum(length(content)) FROM archive");
        assert!(dense * 2 < loose, "{dense} of {loose}");
        for number in 40..44 {
            said.push(format!("line {number}"));
            talk.say(&said[number]);
            headspace.store.wait_for_turns(&said);
        }
        eventually("these are merged", || headspace.store.number(PIECES) == 2);
        drop(watcher);
        let bytes = fs::read(&talk.path).expect("the file");
        assert_same("merged", &exported(&headspace, &talk.session.uuid), &bytes);
    }
}
