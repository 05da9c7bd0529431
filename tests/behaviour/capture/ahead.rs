//! While one batch of what is old is stored, the next one is read. What was read ahead is
//! stored next or read again, whatever becomes of what comes before it.

use std::{
    fs,
    time::{Duration, Instant},
};

use crate::{
    store::log::{refuse, refuse_no_more},
    support::{
        conversation::Conversation,
        headspace::{Headspace, Kind, Running, on_both, seed},
        oracle,
        random::Random,
    },
};

const TALKS: usize = 24;
const LINES: usize = 240;

on_both! {
    fn what_is_read_behind_a_refused_event_is_stored_all_the_same(kind: Kind) {
        let headspace = Headspace::on(kind);
        assert!(headspace.run(&["migrate"]).status.success());
        let poison = "CAST(NEW.payload AS text) LIKE '%poison %'";
        refuse(&headspace.store, "INSERT", "events", poison);
        let mut talks = talks(&headspace);
        for number in [2, 3, 17] {
            talks[number].say_this("poison in a backlog");
            talks[number].say_all(9);
            talks[number].said.retain(|text| !text.contains("poison"));
        }
        assert_eq!(headspace.watch_once().rejected, 3);
        for talk in &talks {
            assert!(talk.is_stored(&headspace), "{}", talk.path.display());
        }
        let twice = "SELECT count(*) - count(DISTINCT event_key) FROM events";
        assert_eq!(headspace.store.number(twice), 0);
    }

    fn what_is_read_while_the_database_refuses_everything_is_read_again(kind: Kind) {
        let mut headspace = Headspace::on(kind);
        headspace.set("HEADSPACE_EVENT_SYSTEM__WRITE_RETRY_ATTEMPTS", 20);
        assert!(headspace.run(&["migrate"]).status.success());
        let talks = talks(&headspace);
        // Not of the first files.
        refuse(&headspace.store, "UPDATE", "checkpoints", "NEW.id > 12");
        let watcher = headspace.watch();
        watcher.wait_for_log("the database refuses: refused by a trigger");
        refuse_no_more(&headspace.store, "checkpoints");
        for talk in &talks {
            talk.wait_until_stored(&headspace);
        }
        oracle::assert_clean(&headspace);
    }

    fn a_watcher_that_is_killed_while_it_reads_ahead_goes_on_behind_what_is_stored(kind: Kind) {
        let headspace = Headspace::on(kind);
        let talks = talks(&headspace);
        let mut random = Random(seed());
        let mut read_ahead = 0;
        for _ in 0..12 {
            let watcher = headspace.start(&["watch", "--once"]);
            let due = Instant::now() + Duration::from_millis(random.between(100, 900));
            let mut saw = false;
            while Instant::now() < due {
                saw |= reads_ahead(&watcher);
                std::thread::park_timeout(Duration::from_millis(5));
            }
            read_ahead += u32::from(saw);
            watcher.kill();
        }
        headspace.watch_once();
        for talk in &talks {
            assert!(talk.is_stored(&headspace), "{}", talk.path.display());
        }
        oracle::assert_clean(&headspace);
        if cfg!(target_os = "linux") {
            assert!(read_ahead > 0, "nothing was read ahead");
        }
    }
}

/// What was said before the watcher looked: more than a few transactions take.
fn talks(headspace: &Headspace) -> Vec<Conversation> {
    let talk = |number: usize| {
        let mut talk = Conversation::new(headspace, &format!("talk-{number}"));
        talk.say_all(LINES);
        talk
    };
    (0..TALKS).map(talk).collect()
}

/// Whether it has a thread for that now.
fn reads_ahead(watcher: &Running) -> bool {
    let threads = format!("/proc/{}/task", watcher.pid());
    let name = |task: &fs::DirEntry| fs::read_to_string(task.path().join("comm"));
    let mut tasks = fs::read_dir(threads).into_iter().flatten().flatten();
    tasks.any(|task| name(&task).is_ok_and(|name| name.trim() == "read ahead"))
}
