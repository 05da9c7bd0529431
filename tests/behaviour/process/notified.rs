//! What a service manager receives, on a socket as it gives one.

use std::time::Duration;

use rustix::process::Signal;

use crate::support::{
    conversation::Conversation,
    headspace::{Headspace, Kind, Store, eventually, on_both},
    manager::Manager,
    proxy::Proxy,
};

on_both! {
    fn ready_comes_when_it_watches_and_then_what_it_is_doing(kind: Kind) {
        let (mut headspace, manager) = watched_by_a_manager(kind, None);
        // Ready means that the watch is in place: no other look is needed.
        headspace.set("HEADSPACE_WATCH__RECONCILE_INTERVAL_SECONDS", 3600);
        let mut watcher = headspace.start(&["watch"]);
        let first = manager.wait_for("READY=1");
        assert!(first.contains("STATUS=0 sessions, 0 events written"), "{first}");
        let mut talk = Conversation::new(&headspace, "told");
        talk.say();
        talk.wait_until_stored(&headspace);
        manager.wait_for("STATUS=1 sessions, 3 events written");

        watcher.signal(Signal::HUP);
        let reloading = manager.wait_for("RELOADING=1");
        assert!(reloading.contains("MONOTONIC_USEC="), "{reloading}");
        manager.wait_for("READY=1");
        assert!(watcher.is_running());

        watcher.signal(Signal::TERM);
        manager.wait_for("STOPPING=1");
        assert!(watcher.wait().success());
    }
}

#[test]
fn a_database_that_is_away_does_not_hold_ready_up() {
    let (mut headspace, manager) = watched_by_a_manager(Kind::Postgres, None);
    let nowhere = format!("postgres://nobody@{}/none?host=/nowhere", "localhost");
    headspace.set("HEADSPACE_DATABASE__URL", nowhere);
    let _watcher = headspace.start(&["watch"]);
    manager.wait_for("READY=1");
    let degraded = manager.wait_for("degraded: ");
    assert!(degraded.contains("STATUS="), "{degraded}");
}

#[test]
fn a_silent_database_extends_the_start_and_the_loop_goes_on_feeding_the_watchdog() {
    let watchdog = Duration::from_secs(1);
    let (mut headspace, manager) = watched_by_a_manager(Kind::Postgres, Some(watchdog));
    let Store::Postgres(database) = &headspace.store else {
        panic!("made on PostgreSQL");
    };
    let proxy = Proxy::before(database);
    headspace.set("HEADSPACE_DATABASE__URL", proxy.url());
    let mut watcher = headspace.start(&["watch"]);
    manager.wait_for("READY=1");
    assert!(watcher.stop().success());

    proxy.stall();
    let watcher = headspace.start(&["watch"]);
    manager.wait_for("EXTEND_TIMEOUT_USEC=30000000");
    for _ in 0..3 {
        manager.wait_for("WATCHDOG=1");
    }
    // A process that does not run feeds nothing.
    watcher.signal(Signal::STOP);
    eventually("the manager hears nothing more", || {
        !manager.hears(watchdog * 2)
    });
    watcher.signal(Signal::CONT);
    manager.wait_for("WATCHDOG=1");
}

fn watched_by_a_manager(kind: Kind, watchdog: Option<Duration>) -> (Headspace, Manager) {
    let mut headspace = Headspace::on(kind);
    let manager = Manager::listen(headspace.dir());
    headspace.set("NOTIFY_SOCKET", headspace.dir().join("notify").display());
    if let Some(time) = watchdog {
        headspace.set("WATCHDOG_USEC", time.as_micros());
    }
    (headspace, manager)
}
