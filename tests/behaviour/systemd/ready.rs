//! Started means that it works: `systemctl start` returns when the watch is in
//! place, and not before.

use crate::support::{
    conversation::Conversation,
    headspace::eventually,
    testbed::{Testbed, WATCHER},
};

#[test]
fn what_is_written_right_after_the_start_is_recorded() {
    let testbed = Testbed::installed();
    let mut talk = Conversation::new(&testbed.headspace, "ready");
    talk.say_all(4);
    testbed.systemctl(&["start", WATCHER]);
    talk.say_all(2);
    talk.wait_until_recovered(&testbed.headspace);
    eventually("the status has sessions and events", || {
        let status = testbed.property(WATCHER, "StatusText");
        status.starts_with("1 sessions, 13 events written")
    });
    testbed.assert_clean();
}

#[test]
fn without_its_database_it_starts_and_says_what_it_waits_for() {
    let testbed = Testbed::installed();
    let postgres = testbed.postgres();
    postgres.use_by_socket();
    let mut talk = Conversation::new(&testbed.headspace, "waits");
    talk.say_all(4);
    testbed.systemctl(&["start", WATCHER]);
    let mut status = String::new();
    eventually("the status says that it waits", || {
        status = testbed.property(WATCHER, "StatusText");
        status.contains("degraded")
    });
    assert!(status.contains("the database is away"), "{status}");

    postgres.start();
    eventually("everything is there", || {
        postgres.turns() == talk.said.len()
    });
    eventually("the status is well again", || {
        !testbed.property(WATCHER, "StatusText").contains("degraded")
    });
    assert_eq!(testbed.property(WATCHER, "NRestarts"), "0");
    postgres.assert_clean();
}
