//! A line counts when it is complete, not before.

use crate::support::{
    headspace::{Headspace, Kind, on_both},
    oracle,
    transcripts::{Session, append},
};

on_both! {
    fn a_line_written_in_two_halves_is_one_event(kind: Kind) {
        let headspace = Headspace::on(kind);
        let mut session = Session::new("halves", "/home/dev/halves");
        let path = headspace.project("-halves").join(session.file_name());
        append(&path, session.prompt("first"));
        let watcher = headspace.watch();
        headspace.store.wait_for_turns(&["first"]);

        let line = session.reply("second, with a long ending");
        let (half, rest) = line.as_bytes().split_at(line.len() / 2);
        append(&path, half);
        // A later line of another file is stored, so the half was looked at too.
        let mut other = Session::new("other", "/home/dev/halves");
        append(&headspace.project("-halves").join(other.file_name()), other.prompt("beside"));
        headspace.store.wait_for_turns(&["first", "beside"]);

        append(&path, rest);
        headspace.store.wait_for_turns(&["first", "beside", "second, with a long ending"]);
        oracle::assert_clean(&headspace);
        drop(watcher);
    }
}
