//! What was stored stays, whatever is cut from the file; what is written next
//! is stored once.

use std::{fs, path::Path};

use rustix::process::Signal;

use crate::support::{
    headspace::{Headspace, Kind, on_both},
    oracle,
    transcripts::{Session, append},
};

on_both! {
    fn after_a_cut_to_nothing_the_file_is_read_from_its_start(kind: Kind) {
        let (headspace, mut session, path) = three_turns(kind);
        let watcher = headspace.watch();
        headspace.store.wait_for_turns(&["one", "two", "three"]);
        cut(&path, 0);
        append(&path, session.prompt("four"));
        headspace.store.wait_for_turns(&["one", "two", "three", "four"]);
        oracle::assert_clean_with_extra(&headspace);
        drop(watcher);
    }

    fn after_a_cut_to_a_line_end_it_is_read_on_from_there(kind: Kind) {
        let (headspace, mut session, path) = three_turns(kind);
        let watcher = headspace.watch();
        headspace.store.wait_for_turns(&["one", "two", "three"]);
        cut(&path, line_end(&path, 2));
        append(&path, session.prompt("instead of three"));
        headspace.store.wait_for_turns(&["one", "two", "three", "instead of three"]);
        oracle::assert_clean_with_extra(&headspace);
        drop(watcher);
    }

    fn a_line_that_was_cut_through_is_a_rejection_and_the_next_goes_on(kind: Kind) {
        let (headspace, mut session, path) = three_turns(kind);
        let watcher = headspace.watch();
        headspace.store.wait_for_turns(&["one", "two", "three"]);
        let torn = line_end(&path, 2) + 20;
        cut(&path, torn);
        // Claude Code ends a torn line before it goes on.
        append(&path, format!("\n{}", session.prompt("four")));
        headspace.store.wait_for_turns(&["one", "two", "three", "four"]);
        assert_eq!(headspace.store.number("SELECT length FROM rejections"), 20);
        oracle::assert_clean_with_extra(&headspace);
        drop(watcher);
    }

    fn a_file_that_was_cut_and_grew_past_the_old_offset_unseen_is_found_out(kind: Kind) {
        let (headspace, mut session, path) = three_turns(kind);
        let mut watcher = headspace.watch();
        headspace.store.wait_for_turns(&["one", "two", "three"]);
        let before = fs::metadata(&path).expect("the file").len();
        watcher.signal(Signal::STOP);
        cut(&path, line_end(&path, 1));
        let long = "a long line ".repeat(100);
        append(&path, session.prompt(&long));
        append(&path, session.prompt("last"));
        assert!(fs::metadata(&path).expect("the file").len() > before);
        watcher.signal(Signal::CONT);
        headspace.store.wait_for_turns(&["one", "two", "three", &long, "last"]);
        assert_eq!(headspace.store.number("SELECT count(*) FROM rejections"), 0);
        assert_eq!(headspace.store.number("SELECT rewrites FROM checkpoints"), 1);
        oracle::assert_clean_with_extra(&headspace);
        assert!(watcher.stop().success());
    }

    fn of_a_last_line_that_was_replaced_both_versions_are_kept(kind: Kind) {
        let (headspace, mut session, path) = three_turns(kind);
        let watcher = headspace.watch();
        headspace.store.wait_for_turns(&["one", "two", "three"]);
        watcher.signal(Signal::STOP);
        cut(&path, line_end(&path, 2));
        // As long as the line it replaces: only the content differs.
        append(&path, session.prompt("THREE"));
        watcher.signal(Signal::CONT);
        headspace.store.wait_for_turns(&["one", "two", "three", "THREE"]);
        oracle::assert_clean_with_extra(&headspace);
        drop(watcher);
    }

    fn a_half_line_that_was_taken_back_is_forgotten(kind: Kind) {
        let (headspace, mut session, path) = three_turns(kind);
        let watcher = headspace.watch();
        headspace.store.wait_for_turns(&["one", "two", "three"]);
        let end = line_end(&path, 3);
        let long = session.prompt(&"never finished ".repeat(50));
        append(&path, &long.as_bytes()[..long.len() - 10]);
        // A line of another file is stored, so the half line was seen.
        let mut other = Session::new("other", "/home/dev/cut");
        append(&path.with_file_name(other.file_name()), other.prompt("beside"));
        headspace.store.wait_for_turns(&["one", "two", "three", "beside"]);
        watcher.signal(Signal::STOP);
        cut(&path, end);
        append(&path, session.prompt("short"));
        watcher.signal(Signal::CONT);
        headspace.store.wait_for_turns(&["one", "two", "three", "beside", "short"]);
        oracle::assert_clean(&headspace);
        drop(watcher);
    }
}

fn three_turns(kind: Kind) -> (Headspace, Session, std::path::PathBuf) {
    let headspace = Headspace::on(kind);
    let mut session = Session::new("cut", "/home/dev/cut");
    let path = headspace.project("-home-dev-cut").join(session.file_name());
    for text in ["one", "two", "three"] {
        append(&path, session.prompt(text));
    }
    (headspace, session, path)
}

fn cut(path: &Path, size: u64) {
    let file = fs::File::options()
        .write(true)
        .open(path)
        .expect("the file");
    file.set_len(size).expect("it is cut");
}

/// Where the n-th line ends.
fn line_end(path: &Path, n: usize) -> u64 {
    let bytes = fs::read(path).expect("the file");
    let lines = bytes.split_inclusive(|&byte| byte == b'\n').take(n);
    lines.map(|line| line.len() as u64).sum()
}
