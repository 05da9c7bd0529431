//! The database refuses one event for ever: it is set aside with its bytes,
//! and its neighbours are stored.

use super::log::{refuse, refuse_no_more};
use crate::support::{
    conversation::Conversation,
    headspace::{Headspace, Kind, eventually, on_both},
    oracle,
    transcripts::append,
};

on_both! {
    fn one_refused_event_takes_no_other_with_it(kind: Kind) {
        let headspace = poisoned(kind);
        let mut talk = Conversation::new(&headspace, "refused");
        talk.say_all(20);
        let line = talk.say_this("this is poison ivy");
        talk.say_all(20);
        let mut other = Conversation::new(&headspace, "beside");
        other.say_all(20);
        talk.said.retain(|text| !text.contains("poison"));

        let caught = headspace.watch_once();
        assert_eq!(caught.rejected, 1);
        assert!(talk.is_stored(&headspace), "{:?}", headspace.store.turns());
        assert!(other.is_stored(&headspace), "{:?}", headspace.store.turns());
        is_set_aside(&headspace, &[line.as_str()]);
        finds_only_the_refused(&headspace, 1);
        assert_eq!(headspace.watch_once().rejected, 0, "read again, it is known");
    }

    fn a_live_event_that_is_refused_is_tried_and_counted(kind: Kind) {
        let headspace = poisoned(kind);
        let mut talk = Conversation::new(&headspace, "live");
        let mut watcher = headspace.watch();
        talk.say();
        talk.wait_until_stored(&headspace);
        let first = talk.say_this("poison in the middle");
        talk.say();
        let second = talk.say_this("poison once more");
        talk.say();
        talk.said.retain(|text| !text.contains("poison"));
        talk.wait_until_stored(&headspace);
        is_set_aside(&headspace, &[first.as_str(), second.as_str()]);

        // Three tries each, every one of them logged with the database's words.
        let log = watcher.log();
        let tries = log.matches("the database refuses: refused by a trigger").count();
        assert_eq!(tries, 6, "{log}");
        assert!(!log.contains("degraded") && !log.contains("in the middle"), "{log}");
        assert!(watcher.stop().success());
        let row = "SELECT count(*) FROM watchers WHERE rejected = 2 AND failed_writes >= 6";
        assert_eq!(headspace.store.number(row), 1);
        finds_only_the_refused(&headspace, 2);
    }

    fn other_sessions_do_not_wait_for_a_refused_event(kind: Kind) {
        let mut headspace = poisoned(kind);
        headspace.set("HEADSPACE_EVENT_SYSTEM__WRITE_RETRY_ATTEMPTS", 10);
        headspace.set("HEADSPACE_EVENT_SYSTEM__WRITE_RETRY_DELAY_MS", 2000);
        let mut refused = Conversation::new(&headspace, "refused");
        let mut other = Conversation::new(&headspace, "other");
        let watcher = headspace.watch();
        refused.say_this("poison for ever");
        watcher.wait_for_log("the database refuses: refused by a trigger");
        other.say_all(3);
        other.wait_until_stored(&headspace);
        assert_eq!(headspace.store.number("SELECT count(*) FROM rejections"), 0);
    }

    fn two_refused_events_in_one_record_are_set_aside_together(kind: Kind) {
        let headspace = poisoned(kind);
        let mut talk = Conversation::new(&headspace, "pair");
        talk.say();
        let blocks = "{\"type\":\"text\",\"text\":\"poison one\"},{\"type\":\"text\",\"text\":\"and two\"}";
        let line = format!(
            "{{\"type\":\"assistant\",\"uuid\":\"u-pair\",\"sessionId\":\"{}\",\"cwd\":\"/home/dev/pair\",\
             \"timestamp\":\"2026-03-01T10:00:00.000Z\",\"message\":{{\"id\":\"msg_pair\",\"content\":[{blocks}]}}}}\n",
            talk.path.file_stem().expect("a name").to_string_lossy()
        );
        append(&talk.path, &line);
        talk.say();
        assert_eq!(headspace.watch_once().rejected, 1);
        assert!(talk.is_stored(&headspace), "{:?}", headspace.store.turns());
        is_set_aside(&headspace, &[line.as_str()]);
    }

    fn text_that_no_database_can_hold_is_stored_all_the_same(kind: Kind) {
        let headspace = Headspace::on(kind);
        let path = headspace.project("-awkward").join("awkward.jsonl");
        let record = |n: usize, text: &str, cwd: &str, session: &str| {
            format!(
                "{{\"type\":\"user\",\"uuid\":\"u{n}\",\"sessionId\":\"{session}\",\"cwd\":\"{cwd}\",\
                 \"timestamp\":\"2026-03-01T10:00:{n:02}.000Z\",\"message\":{{\"role\":\"user\",\"content\":\"{text}\"}}}}\n"
            )
        };
        append(&path, record(1, "a\\u0000b", "/home/dev/a", "awkward"));
        append(&path, record(2, "a\\ud83dz", "/home/dev/a", "awkward"));
        append(&path, record(3, "in a folder", "/home/dev/\\u0000/\\ud83d", "folder"));
        append(&path, record(4, "in a session", "/home/dev/a", "a\\u0000b"));
        let caught = headspace.watch_once();
        let expected = ["a\u{fffd}b", "a\u{fffd}z", "in a folder", "in a session"];
        assert_eq!((caught.rejected, headspace.store.turns()), (0, expected.map(String::from).to_vec()));
    }

    fn an_event_that_is_taken_after_all_is_no_rejection(kind: Kind) {
        let mut headspace = poisoned(kind);
        headspace.set("HEADSPACE_EVENT_SYSTEM__WRITE_RETRY_ATTEMPTS", 20);
        headspace.set("HEADSPACE_EVENT_SYSTEM__WRITE_RETRY_DELAY_MS", 200);
        let mut talk = Conversation::new(&headspace, "mended");
        let watcher = headspace.watch();
        talk.say_this("poison for now");
        watcher.wait_for_log("the database refuses: refused by a trigger");
        refuse_no_more(&headspace.store, "events");
        talk.wait_until_stored(&headspace);
        assert_eq!(headspace.store.number("SELECT count(*) FROM rejections"), 0);
        oracle::assert_clean(&headspace);
    }
}

/// A database that takes everything but one word.
fn poisoned(kind: Kind) -> Headspace {
    let headspace = Headspace::on(kind);
    assert!(headspace.run(&["migrate"]).status.success());
    refuse(
        &headspace.store,
        "INSERT",
        "events",
        "CAST(NEW.payload AS text) LIKE '%poison %'",
    );
    headspace
}

fn is_set_aside(headspace: &Headspace, lines: &[&str]) {
    let bytes = match headspace.store.kind() {
        Kind::Sqlite => "CAST(excerpt AS text)",
        Kind::Postgres => "convert_from(excerpt, 'UTF8')",
    };
    let kept = format!("SELECT reason || ' | ' || {bytes} FROM rejections ORDER BY id");
    let expected: Vec<String> = lines
        .iter()
        .map(|line| line.trim_end())
        .map(|line| {
            let code = match headspace.store.kind() {
                Kind::Sqlite => "1811",
                Kind::Postgres => "P0001",
            };
            format!("refused by the database: refused by a trigger ({code}) | {line}")
        })
        .collect();
    eventually("the lines are set aside", || {
        headspace.store.column(&kept).len() >= lines.len()
    });
    assert_eq!(headspace.store.column(&kept), expected);
}

/// The oracle, which knows no reason to refuse these lines, misses their turns
/// and finds nothing else amiss.
fn finds_only_the_refused(headspace: &Headspace, count: usize) {
    let found = oracle::findings(&headspace.store, &[&headspace.root()], &[]);
    let (refused, others): (Vec<_>, Vec<_>) = found
        .iter()
        .filter(|line| line.contains('\t'))
        .partition(|line| line.contains("refused by the database"));
    let lost = others
        .iter()
        .filter(|line| line.starts_with("lost") && line.contains("poison"));
    assert_eq!(
        (refused.len(), lost.count(), others.len()),
        (count, count, count),
        "{found:#?}"
    );
}
