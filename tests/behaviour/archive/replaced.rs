//! A file that is moved onto another one's path replaces it; what was read of the
//! other one stays.

use std::fs;

use rustix::process::Signal;

use super::{assert_same, exported_all, with_archive};
use crate::support::{
    headspace::{Kind, on_both},
    talk::Talk,
    transcripts::{Session, append},
};

on_both! {
    fn what_a_replaced_file_held_is_kept_and_known_when_it_comes_back(kind: Kind) {
        let headspace = with_archive(kind);
        let mut talk = Talk::new(&headspace, "one");
        let uuid = talk.session.uuid.clone();
        talk.say("one");
        let mut watcher = headspace.watch();
        headspace.store.wait_for_turns(&["one"]);
        // Another watcher reads a file that this one does not see.
        watcher.signal(Signal::STOP);
        let there = headspace.project("-there").join(talk.session.file_name());
        append(&there, Session::new("other", "/there").prompt("the other"));
        let second = headspace.dir().join("second").to_str().expect("UTF-8").to_owned();
        let done = headspace.run(&["--state-dir", &second, "watch", "--once"]);
        assert!(done.status.success(), "{done:?}");
        headspace.store.wait_for_turns(&["one", "the other"]);
        let other = fs::read(&there).expect("the file");
        fs::rename(&talk.path, &there).expect("it is moved");
        talk.path = there.clone();
        talk.say("two");
        watcher.signal(Signal::CONT);
        headspace.store.wait_for_turns(&["one", "the other", "two"]);
        talk.say("three");
        headspace.store.wait_for_turns(&["one", "the other", "two", "three"]);
        assert!(watcher.stop().success());

        let there = there.canonicalize().expect("a path");
        let paths = headspace.store.column("SELECT path FROM checkpoints ORDER BY id");
        assert_eq!(paths, [there.display().to_string(), format!("replaced:2:{}", there.display())]);
        let orphans = "SELECT count(*) FROM events WHERE event_type = 'turn_detected' AND checkpoint_id IS NULL";
        assert_eq!(headspace.store.number(orphans), 0);
        let all = exported_all(&headspace, &uuid);
        let names = [format!("{uuid}.jsonl"), format!("{uuid}.jsonl.replaced-2")];
        assert_eq!(all.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>(), names);
        assert_same("the new one", &all[0].1, &fs::read(&there).expect("the file"));
        assert_same("the replaced one", &all[1].1, &other);
        let verified = headspace.run(&["verify"]);
        let said = String::from_utf8_lossy(&verified.stdout).into_owned();
        assert!(verified.status.success() && said.contains("1 files are below none of"), "{said}");
        assert!(headspace.run(&["status"]).status.success());

        // It comes back, elsewhere.
        let back = headspace.project("-back").join(talk.session.file_name());
        fs::write(&back, &other).expect("it is back");
        assert_eq!(headspace.watch_once().known, 0);
        let paths = headspace.store.column("SELECT path FROM checkpoints WHERE id = 2");
        assert_eq!(paths, [back.canonicalize().expect("a path").display().to_string()]);
    }
}
