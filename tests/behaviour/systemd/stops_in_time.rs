//! `systemctl stop` is over within two seconds, whatever the service is doing.

use std::time::{Duration, Instant};

use crate::support::{
    conversation::Conversation,
    testbed::{Testbed, WATCHER},
};

/// What is promised for a stop.
const LIMIT: Duration = Duration::from_secs(2);

/// What running `systemctl` itself may take on a busy machine.
const SYSTEMCTL: Duration = Duration::from_millis(500);

#[test]
fn idle_or_with_a_backlog_it_is_gone_in_time_and_nothing_is_lost() {
    let testbed = Testbed::installed();
    let mut talk = Conversation::new(&testbed.headspace, "stops");
    testbed.systemctl(&["start", WATCHER]);
    talk.say_all(10);
    talk.wait_until_stored(&testbed.headspace);
    stop(&testbed, WATCHER, "idle");

    talk.say_all(20_000);
    testbed.systemctl(&["start", WATCHER]);
    stop(&testbed, WATCHER, "with a backlog");
    assert!(!talk.is_stored(&testbed.headspace), "there was no backlog");

    testbed.systemctl(&["start", WATCHER]);
    talk.wait_until_stored(&testbed.headspace);
    testbed.assert_clean();
}

#[test]
fn without_an_answer_from_the_database_it_is_gone_in_time() {
    let testbed = Testbed::installed();
    let postgres = testbed.postgres();
    postgres.use_by_socket();
    testbed.systemctl(&["start", WATCHER]);
    stop(&testbed, WATCHER, "while the database is away");

    postgres.start();
    testbed.systemctl(&["start", WATCHER]);
    postgres.freeze();
    Conversation::new(&testbed.headspace, "stops").say_all(3);
    stop(&testbed, WATCHER, "while the database hangs");

    testbed.systemctl(&["start", "--no-block", WATCHER]);
    testbed.wait_for(WATCHER, "ActiveState", "activating");
    stop(&testbed, WATCHER, "while it starts");
}

fn stop(testbed: &Testbed, unit: &str, state: &str) {
    let asked = Instant::now();
    testbed.systemctl(&["stop", unit]);
    let took = asked.elapsed();
    println!("{unit}, {state}: stopped in {} ms", took.as_millis());
    assert!(took <= LIMIT + SYSTEMCTL, "{unit}, {state}: {took:?}");
    let ended = testbed.properties(unit, &["ActiveState", "Result"]);
    assert_eq!(ended, ["inactive", "success"], "{unit}, {state}");
}
