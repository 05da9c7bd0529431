//! One watcher works on a state folder; two on one tree and one database
//! store everything once.

use rustix::process::Signal;

use crate::support::{
    headspace::{Headspace, Kind, on_both},
    oracle,
    transcripts::{Session, append},
};

on_both! {
    fn the_second_on_a_state_folder_is_refused_and_told_who_is_first(kind: Kind) {
        let headspace = Headspace::on(kind);
        let first = headspace.watch();
        let second = headspace.run(&["watch", "--once"]);
        assert_eq!(second.status.code(), Some(1));
        let said = String::from_utf8_lossy(&second.stderr);
        let pid = format!("pid {}", first.pid().as_raw_nonzero());
        assert!(said.contains("another watcher") && said.contains(&pid), "{said}");
    }

    fn a_watcher_that_was_stopped_and_overtaken_stores_nothing_twice(kind: Kind) {
        let headspace = Headspace::on(kind);
        let mut session = Session::new("two", "/home/dev/two");
        let path = headspace.project("-two").join(session.file_name());
        let stale = headspace.watch();
        append(&path, session.prompt("by the first"));
        headspace.store.wait_for_turns(&["by the first"]);
        stale.signal(Signal::STOP);

        let other = headspace.dir().join("other-state");
        let mut command = headspace.command(&["watch"]);
        command.env("HEADSPACE_STATE_DIR", &other);
        let second = headspace.spawn(command);
        append(&path, session.prompt("by the second"));
        headspace.store.wait_for_turns(&["by the first", "by the second"]);

        // Both see every line from here on.
        stale.signal(Signal::CONT);
        let mut texts = vec!["by the first".to_owned(), "by the second".to_owned()];
        for number in 0..200 {
            let text = format!("by either {number}");
            append(&path, session.prompt(&text));
            texts.push(text);
        }
        headspace.store.wait_for_turns(&texts);
        oracle::assert_clean(&headspace);
        drop((stale, second));
    }
}
