//! A watcher that hangs is found by the watchdog and replaced.

use std::time::Instant;

use crate::support::{
    conversation::Conversation,
    testbed::{Testbed, WATCHER},
};

#[test]
fn a_watcher_that_stands_still_is_replaced_and_nothing_is_lost() {
    let testbed = Testbed::installed();
    // Shipped are 10 s, which only makes the test longer.
    testbed.drop_in(WATCHER, "20-soon", "[Service]\nWatchdogSec=2\n");
    testbed.systemctl(&["daemon-reload"]);
    let mut talk = Conversation::new(&testbed.headspace, "hangs");
    talk.say_all(10);
    testbed.systemctl(&["start", WATCHER]);
    talk.wait_until_stored(&testbed.headspace);

    let pid = testbed.pid(WATCHER);
    let stopped = Instant::now();
    testbed.signal(WATCHER, "STOP");
    talk.say_all(10);
    testbed.wait_for_successor(WATCHER, pid);
    println!(
        "ready again {} ms after the hang began",
        stopped.elapsed().as_millis()
    );
    talk.wait_until_recovered(&testbed.headspace);

    let printed = testbed.messages(&["-u", WATCHER, "_PID=1"]).join("\n");
    assert!(printed.contains("Watchdog timeout"), "{printed}");
    assert!(
        printed.contains("Failed with result 'watchdog'"),
        "{printed}"
    );
    assert_eq!(testbed.property(WATCHER, "NRestarts"), "1");
    testbed.assert_clean();
}

#[test]
fn a_watcher_that_waits_for_its_database_is_not_taken_for_hung() {
    let testbed = Testbed::installed();
    testbed.drop_in(WATCHER, "20-soon", "[Service]\nWatchdogSec=2\n");
    let postgres = testbed.postgres();
    postgres.use_by_socket();
    postgres.start();
    let mut talk = Conversation::new(&testbed.headspace, "waits");
    testbed.systemctl(&["start", WATCHER]);
    talk.say_all(3);
    crate::support::headspace::eventually("stored", || postgres.turns() == 3);

    let pid = testbed.pid(WATCHER);
    postgres.freeze();
    talk.say_all(3);
    let frozen = Instant::now();
    // Twice the watchdog's time and more, while the database says nothing at all.
    let notices = || testbed.property(WATCHER, "WatchdogTimestampMonotonic");
    let (mut last, mut signs) = (notices(), 0);
    while frozen.elapsed().as_secs() < 5 {
        let now = notices();
        signs += u32::from(now != last);
        last = now;
    }
    assert!(
        signs >= 2,
        "{signs} signs of life in {:?}",
        frozen.elapsed()
    );
    assert_eq!(testbed.pid(WATCHER), pid);

    postgres.thaw();
    crate::support::headspace::eventually("stored", || postgres.turns() == 6);
    assert_eq!(testbed.property(WATCHER, "NRestarts"), "0");
    postgres.assert_clean();
}
