//! Killed outright, the watcher is back within seconds; nothing is lost or doubled.

use std::time::Instant;

use crate::support::{
    conversation::{Conversation, RECOVERY},
    testbed::{Testbed, WATCHER},
};

#[test]
fn after_kill_9_another_one_serves_in_time_and_has_everything() {
    let testbed = Testbed::installed();
    let mut talk = Conversation::new(&testbed.headspace, "killed");
    testbed.systemctl(&["start", WATCHER]);
    // Three are within what systemd restarts in a minute.
    for _ in 0..3 {
        talk.say_all(200);
        let pid = testbed.pid(WATCHER);
        let killed = Instant::now();
        testbed.signal(WATCHER, "KILL");
        talk.say_all(5);
        testbed.wait_for_successor(WATCHER, pid);
        println!(
            "ready again {} ms after kill -9",
            killed.elapsed().as_millis()
        );
        assert!(killed.elapsed() <= RECOVERY, "{:?}", killed.elapsed());
        talk.wait_until_recovered(&testbed.headspace);
    }
    assert_eq!(testbed.property(WATCHER, "NRestarts"), "3");
    testbed.assert_clean();
}
