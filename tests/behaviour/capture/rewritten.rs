//! A file may be written anew: equal lines are the same events, others are new.

use std::fs;

use crate::support::{
    headspace::{Caught, Headspace, Kind, on_both},
    oracle,
    transcripts::{Session, append},
};

on_both! {
    fn a_rewritten_file_adds_only_what_is_new_in_it(kind: Kind) {
        for in_place in [true, false] {
            let headspace = Headspace::on(kind);
            let mut session = Session::new("rewritten", "/home/dev/rewritten");
            let path = headspace.project("-rewritten").join(session.file_name());
            let lines: Vec<String> = ["a", "b", "c", "d"].map(|text| session.prompt(text)).into();
            let new: Vec<String> = ["e", "f"].map(|text| session.reply(text)).into();
            append(&path, lines.concat());
            headspace.watch_once();

            let write = |lines: &[&String]| {
                let bytes = lines.iter().flat_map(|line| line.bytes()).collect::<Vec<u8>>();
                let target = if in_place { path.clone() } else { path.with_extension("new") };
                fs::write(&target, bytes).expect("it is written");
                fs::rename(&target, &path).expect("it is put in place");
            };
            let [a, b, c, d] = [&lines[0], &lines[1], &lines[2], &lines[3]];
            let [e, f] = [&new[0], &new[1]];

            write(&[a, b, c, d]);
            let same = Caught { stored: 0, known: 0, rejected: 0 };
            assert_eq!(headspace.watch_once(), same, "the same lines, in place: {in_place}");

            write(&[a, c, d]);
            let fewer = Caught { stored: 0, known: 3, rejected: 0 };
            assert_eq!(headspace.watch_once(), fewer, "fewer lines, in place: {in_place}");

            write(&[e, a, b, c, d, f]);
            // Two replies; the first completes the command.
            let more = Caught { stored: 3, known: 4, rejected: 0 };
            assert_eq!(headspace.watch_once(), more, "more lines, in place: {in_place}");

            assert_eq!(headspace.store.turns(), ["a", "b", "c", "d", "e", "f"]);
            assert_eq!(headspace.store.number("SELECT count(*) FROM checkpoints"), 1);
            oracle::assert_clean_with_extra(&headspace);
        }
    }

    fn a_file_that_is_replaced_while_watched_is_read_anew(kind: Kind) {
        let headspace = Headspace::on(kind);
        let mut session = Session::new("replaced", "/home/dev/replaced");
        let path = headspace.project("-replaced").join(session.file_name());
        append(&path, session.prompt("old"));
        let watcher = headspace.watch();
        headspace.store.wait_for_turns(&["old"]);
        let new = path.with_extension("new");
        append(&new, session.prompt("new"));
        fs::rename(&new, &path).expect("it is replaced");
        headspace.store.wait_for_turns(&["old", "new"]);
        oracle::assert_clean_with_extra(&headspace);
        drop(watcher);
    }
}
