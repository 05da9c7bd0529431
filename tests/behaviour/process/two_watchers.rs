//! Two watchers: one on a state folder; several on one database do no harm.

use rustix::process::Signal;

use crate::support::{
    conversation::Conversation,
    headspace::{Headspace, Kind, Running, eventually, on_both},
    oracle,
};

#[test]
fn the_second_on_a_state_folder_leaves_and_names_the_first() {
    let headspace = Headspace::on(Kind::Sqlite);
    let mut first = headspace.watch();
    for arguments in [&["watch"][..], &["watch", "--once"]] {
        let second = headspace.run(arguments);
        let errors = String::from_utf8_lossy(&second.stderr);
        assert_eq!(second.status.code(), Some(1), "{errors}");
        assert_eq!(errors.lines().count(), 1, "{errors}");
        let pid = format!("(pid {})", first.pid().as_raw_nonzero());
        assert!(
            errors.contains("another watcher") && errors.contains(&pid),
            "{errors}"
        );
    }
    assert!(first.is_running());
    // However the first one ends, the folder is free again.
    first.kill();
    headspace.watch().stop();
}

on_both! {
    fn two_with_folders_of_their_own_store_everything_once(kind: Kind) {
        let headspace = Headspace::on(kind);
        let mut talks: Vec<Conversation> = (0..4).map(|n| Conversation::new(&headspace, &format!("both{n}"))).collect();
        talks.iter_mut().for_each(|talk| talk.say_all(400));
        let mut watchers = [watch(&headspace, "first"), watch(&headspace, "second")];
        for _ in 0..20 {
            talks.iter_mut().for_each(Conversation::say);
            // Both are at it: no round waits for all, only for one.
            talks[0].wait_until_stored(&headspace);
        }
        for talk in &talks {
            talk.wait_until_stored(&headspace);
        }
        for watcher in &mut watchers {
            assert!(watcher.stop().success());
            assert!(!watcher.log().contains("degraded"), "{}", watcher.log());
        }
        assert_eq!(headspace.store.number("SELECT count(*) FROM rejections"), 0);
        oracle::assert_clean(&headspace);
    }

    fn one_that_was_stopped_and_wakes_up_is_fenced_off(kind: Kind) {
        let headspace = Headspace::on(kind);
        let mut talk = Conversation::new(&headspace, "stale");
        let stale = watch(&headspace, "stale");
        talk.say_all(3);
        talk.wait_until_stored(&headspace);
        for round in 0..3 {
            stale.signal(Signal::STOP);
            let mut fresh = watch(&headspace, &format!("fresh{round}"));
            talk.say_all(5);
            talk.wait_until_stored(&headspace);
            assert!(fresh.stop().success());
            // It believes to be where it was before.
            stale.signal(Signal::CONT);
            talk.say_all(5);
            talk.wait_until_stored(&headspace);
        }
        drop(stale);
        oracle::assert_clean(&headspace);
    }

    fn one_that_is_stopped_in_a_backlog_holds_nobody_up_for_ever(kind: Kind) {
        let headspace = Headspace::on(kind);
        let mut talks: Vec<Conversation> = (0..3).map(|n| Conversation::new(&headspace, &format!("held{n}"))).collect();
        talks.iter_mut().for_each(|talk| talk.say_all(3_000));
        let stale = watch(&headspace, "stale");
        eventually("it has begun", || {
            headspace.store.try_column("SELECT count(*) FROM events").is_ok_and(|count| count != ["0"])
        });
        stale.signal(Signal::STOP);
        let mut fresh = watch(&headspace, "fresh");
        if kind == Kind::Postgres {
            // The server ends a transaction that goes on without its client.
            for talk in &talks {
                talk.wait_until_stored(&headspace);
            }
        }
        stale.signal(Signal::CONT);
        for talk in &talks {
            talk.wait_until_stored(&headspace);
        }
        assert!(fresh.stop().success());
        drop(stale);
        oracle::assert_clean(&headspace);
    }
}

/// A watcher with a state folder of its own, on the same database and transcripts.
fn watch(headspace: &Headspace, name: &str) -> Running {
    std::fs::create_dir_all(headspace.state()).expect("the database's folder");
    let mut command = headspace.command(&["watch"]);
    command.env("HEADSPACE_STATE_DIR", headspace.dir().join(name));
    let running = headspace.spawn(command);
    running.wait_for_log("ready");
    running
}
