//! More crashes in a minute than are allowed are the last, whatever restarts it.

use std::process::Output;

use crate::support::{
    conversation::Conversation,
    headspace::{Headspace, Kind, Store, eventually},
    proxy::Proxy,
};

#[test]
fn the_sixth_crash_within_a_minute_is_the_last() {
    let headspace = allowing(5);
    for crash in 0..6 {
        let watcher = headspace.watch();
        let is_restart = watcher.log().contains("started again after a crash");
        assert_eq!(is_restart, crash > 0, "{}", watcher.log());
        watcher.kill();
    }
    let last = headspace.run(&["watch"]);
    assert_eq!(last.status.code(), Some(75), "{}", errors(&last));
    assert_eq!(errors(&last).matches("crash limit reached").count(), 1);
    // After that only a person starts it.
    let mut watcher = headspace.watch();
    assert!(
        !watcher.log().contains("after a crash"),
        "{}",
        watcher.log()
    );
    assert!(watcher.stop().success());
}

#[test]
fn orderly_stops_and_refused_starts_are_no_crashes() {
    let headspace = allowing(1);
    for _ in 0..4 {
        let mut watcher = headspace.watch();
        let second = headspace.run(&["watch"]);
        assert!(errors(&second).contains("another watcher"));
        assert!(watcher.stop().success());
    }
    headspace.watch().kill();
    headspace.watch_once();
    headspace.watch().kill();
    assert_eq!(headspace.run(&["watch"]).status.code(), Some(75));
}

/// The database hangs in the middle of a write, so each stop uses up its time.
#[test]
fn stops_while_the_database_hangs_are_no_crashes() {
    let mut headspace = Headspace::on(Kind::Postgres);
    let Store::Postgres(database) = &headspace.store else {
        panic!("made on PostgreSQL");
    };
    let proxy = Proxy::before(database);
    headspace.set("HEADSPACE_DATABASE__URL", proxy.url());
    let mut talk = Conversation::new(&headspace, "hangs");
    for _ in 0..3 {
        let mut watcher = headspace.watch();
        assert!(
            !watcher.log().contains("after a crash"),
            "{}",
            watcher.log()
        );
        proxy.stall();
        let heard = proxy.heard();
        talk.say();
        eventually("the watcher asks the database", || proxy.heard() > heard);
        assert!(watcher.stop().success());
        proxy.flow();
    }
}

fn allowing(restarts: u32) -> Headspace {
    let mut headspace = Headspace::on(Kind::Sqlite);
    headspace.set("HEADSPACE_EVENT_SYSTEM__MAX_RESTARTS_PER_MINUTE", restarts);
    headspace
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
