//! A watcher that crashes again and again stays down, and one entry says so.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{
    conversation::Conversation,
    headspace::eventually,
    testbed::{Testbed, WATCHER, WEB, is_ours, priority},
};

#[test]
fn the_sixth_crash_within_a_minute_is_the_last_and_one_error_says_so() {
    let testbed = Testbed::installed();
    let mut talk = Conversation::new(&testbed.headspace, "crashes");
    testbed.systemctl(&["start", WATCHER]);
    // As many restarts as the setting allows by default.
    for _ in 0..5 {
        talk.say();
        crash(&testbed);
    }
    testbed.signal(WATCHER, "KILL");
    talk.say();
    assert_crash_limit(&testbed);

    // What the notice says helps.
    testbed.systemctl(&["reset-failed", "headspace-watcher"]);
    testbed.systemctl(&["start", "headspace-watcher"]);
    talk.wait_until_recovered(&testbed.headspace);
    testbed.assert_clean();
}

#[test]
fn the_sixth_crash_is_the_last_though_systemd_began_to_count_anew() {
    let testbed = Testbed::installed();
    testbed.systemctl(&["start", WATCHER]);
    for number in 0..5 {
        if number == 3 {
            // As at the edge between two of systemd's minutes.
            testbed.systemctl(&["reset-failed", WATCHER]);
        }
        crash(&testbed);
    }
    testbed.signal(WATCHER, "KILL");
    assert_crash_limit(&testbed);
    testbed.systemctl(&["reset-failed", WATCHER]);
    testbed.systemctl(&["start", WATCHER]);
}

#[test]
fn a_watcher_that_ends_before_it_can_count_is_stopped_by_systemd() {
    let testbed = Testbed::installed();
    let broken = "[Service]\nExecStart=\nExecStart=/bin/false\n";
    testbed.drop_in(WATCHER, "20-broken", broken);
    testbed.systemctl(&["daemon-reload"]);
    assert!(!testbed.try_systemctl(&["start", WATCHER]));
    testbed.wait_for(WATCHER, "SubState", "failed");
    eventually("the notice is written", || !errors(&testbed).is_empty());
    let errors = errors(&testbed);
    assert_eq!(errors.len(), 1, "{errors:#?}");
    assert_eq!(errors[0]["SYSLOG_IDENTIFIER"], "headspace-failure");
    let message = errors[0]["MESSAGE"].as_str().expect("a message");
    assert!(message.contains("is not started again"), "{message}");
    let restarts = testbed.property(WATCHER, "NRestarts");
    // systemd counts the restart that it refuses.
    assert_eq!(restarts, "7");
}

/// It has no limit of starts, or its socket would close with it.
#[test]
fn a_web_process_that_cannot_start_is_started_once_a_second() {
    let testbed = Testbed::installed();
    let broken = "[Service]\nExecStart=\nExecStart=/bin/false\n";
    testbed.drop_in(WEB, "20-broken", broken);
    testbed.systemctl(&["daemon-reload"]);
    let begun = Instant::now();
    assert!(!testbed.try_systemctl(&["start", WEB]));
    eventually("it was restarted three times", || {
        let restarts = testbed.property(WEB, "NRestarts");
        restarts.parse::<u32>().expect("a number") >= 3
    });
    let elapsed = begun.elapsed();
    assert!(elapsed > Duration::from_millis(2500), "{elapsed:?}");
    testbed.systemctl(&["stop", WEB]);
}

/// The watcher itself refuses the next restart, and the notice is no second error.
fn assert_crash_limit(testbed: &Testbed) {
    testbed.wait_for(WATCHER, "SubState", "failed");
    assert_eq!(testbed.property(WATCHER, "ExecMainStatus"), "75");
    let notices = || testbed.journal(&["-u", WATCHER, "-t", "headspace-failure"]);
    eventually("the notice is written", || notices().len() == 1);
    assert_eq!(priority(&notices()[0]), 5, "{:?}", notices());
    let errors = errors(testbed);
    assert_eq!(errors.len(), 1, "{errors:#?}");
    assert_eq!(errors[0]["SYSLOG_IDENTIFIER"], "headspace-watcher");
    let message = errors[0]["MESSAGE"].as_str().expect("a message");
    assert!(message.contains("crash limit reached"), "{message}");
}

/// Kills it and waits until another one is ready.
fn crash(testbed: &Testbed) {
    let pid = testbed.pid(WATCHER);
    testbed.signal(WATCHER, "KILL");
    testbed.wait_for_successor(WATCHER, pid);
}

/// The entries that are ours, not systemd's, and need a person.
fn errors(testbed: &Testbed) -> Vec<Value> {
    let mut entries = testbed.journal(&["-u", WATCHER]);
    entries.retain(|entry| is_ours(entry) && priority(entry) <= 3);
    entries
}
