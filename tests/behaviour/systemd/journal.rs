//! What stands in the journal: fields to search by, priorities that mean
//! something, and nothing that was said in a session.

use serde_json::Value;

use crate::support::{
    conversation::Conversation,
    headspace::eventually,
    testbed::{Testbed, WATCHER, WEB, is_ours, priority},
    transcripts::append,
};

const CANARY: &str = "zebra-lagoon-quartz-42";

#[test]
fn fields_find_events_and_priorities_are_those_of_syslog() {
    let testbed = Testbed::installed();
    testbed.write("/etc/headspace/config.yaml", "logging: {level: debug}\n");
    let mut talk = Conversation::new(&testbed.headspace, "journal");
    testbed.systemctl(&["start", WATCHER]);
    talk.say_all(3);
    append(&talk.path, "{this is no line of a transcript\n");
    talk.say();
    talk.wait_until_stored(&testbed.headspace);

    let turns = testbed.journal(&["-u", WATCHER, "HEADSPACE_EVENT_TYPE=turn_detected"]);
    assert_eq!(turns.len(), 4, "{turns:#?}");
    for turn in &turns {
        assert_eq!(priority(turn), 7, "{turn}");
        assert!(turn["HEADSPACE_SESSION"].is_string(), "{turn}");
    }
    let session = turns[0]["HEADSPACE_SESSION"].as_str().expect("a session");
    let of_session = testbed.journal(&[&format!("HEADSPACE_SESSION={session}")]);
    assert!(of_session.len() >= 4, "{of_session:#?}");

    let all = testbed.journal(&["-u", WATCHER]);
    let ready = find(&all, "ready");
    assert_eq!(
        (priority(ready), &ready["HEADSPACE_SESSIONS"]),
        (6, &"0".into()),
        "{ready}"
    );
    let rejected = all
        .iter()
        .find(|entry| entry["MESSAGE"].to_string().contains("reject"));
    assert_eq!(rejected.map(priority), Some(4), "{rejected:?}");
}

#[test]
fn nothing_that_was_said_is_in_the_journal() {
    let testbed = Testbed::installed();
    let mut talk = Conversation::new(&testbed.headspace, "secret");
    testbed.systemctl(&["start", WATCHER]);
    let line = talk.say_this(CANARY);
    append(&talk.path, &line); // known already
    append(&talk.path, format!("{{\"broken\": \"{CANARY}\n"));
    append(
        &talk.path,
        format!("{{\"type\": \"user\", \"{CANARY}\": 1}}\n"),
    );
    talk.say();
    talk.wait_until_stored(&testbed.headspace);
    testbed.systemctl(&["reload", WATCHER]);
    testbed.systemctl(&["restart", WATCHER]);
    testbed.systemctl(&["stop", WATCHER]);

    let everything = testbed.journal(&[]);
    assert!(everything.iter().any(is_ours), "nothing of ours is in it");
    let found = everything
        .iter()
        .find(|entry| entry.to_string().contains(CANARY));
    assert_eq!(found, None);
}

#[test]
fn a_large_backlog_is_no_flood() {
    const EVENTS: usize = 100_000;
    let testbed = Testbed::installed();
    let mut talk = Conversation::new(&testbed.headspace, "backlog");
    talk.say_all(EVENTS);
    testbed.systemctl(&["start", WATCHER]);
    let count = || {
        let turns = "SELECT count(*) FROM events WHERE event_type = 'turn_detected'";
        testbed.headspace.store.number(turns)
    };
    for part in (10_000..=EVENTS).step_by(10_000) {
        eventually("a part of it is stored", || count() >= part as i64);
    }
    testbed.systemctl(&["stop", WATCHER]);
    let suppressed = testbed.messages(&["_COMM=systemd-journal"]);
    let suppressed: Vec<_> = suppressed
        .iter()
        .filter(|said| said.contains("uppressed"))
        .collect();
    assert!(suppressed.is_empty(), "{suppressed:?}");
    let ours = testbed
        .journal(&["-u", WATCHER])
        .iter()
        .filter(|entry| is_ours(entry))
        .count();
    println!("{ours} entries for {EVENTS} events");
    assert!((2..100).contains(&ours), "{ours} entries");
}

#[test]
fn a_unit_is_found_under_its_own_name_and_both_under_their_slice() {
    let testbed = Testbed::installed();
    testbed.systemctl(&["start", WATCHER]);
    assert!(!testbed.journal(&["-u", "headspace-watcher"]).is_empty());
    assert!(!testbed.journal(&["-t", "headspace-watcher"]).is_empty());
    let slice = testbed.journal(&["-u", "headspace.slice"]);
    assert!(slice.iter().any(|entry| entry["_SYSTEMD_UNIT"] == WATCHER));
    assert!(
        testbed
            .journal(&["-u", WEB, "-t", "headspace-watcher"])
            .is_empty()
    );
}

fn find<'a>(entries: &'a [Value], begin: &str) -> &'a Value {
    let begins = |entry: &&Value| {
        entry["MESSAGE"]
            .as_str()
            .unwrap_or_default()
            .starts_with(begin)
    };
    let found = entries.iter().find(begins);
    found.unwrap_or_else(|| panic!("{begin} is not in {entries:#?}"))
}
