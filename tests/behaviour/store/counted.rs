//! What happens to events is counted, and the counts are told: in log lines by
//! field, and by `/health`.

use std::fs;

use serde_json::Value;

use headspace::event::{FactKey, hex};

use super::{contract::in_hex, log::refuse};
use crate::support::{
    conversation::Conversation,
    headspace::{Headspace, Kind, Running, eventually, on_both},
    talk::count,
    web::Web,
};

on_both! {
    fn duplicates_are_one_warning_a_file_and_pass_with_number_and_key(kind: Kind) {
        let headspace = logging_json(kind);
        let mut talk = Conversation::new(&headspace, "copied");
        let watcher = headspace.watch();
        talk.say_all(3);
        talk.wait_until_stored(&headspace);
        // Two copies: three turns each that are known by then.
        for name in ["one.jsonl", "two.jsonl"] {
            fs::copy(&talk.path, talk.path.with_file_name(name)).expect("a copy");
        }
        let turns = format!(
            "SELECT {} FROM events WHERE event_type = 'turn_detected'",
            in_hex(kind, "event_key")
        );
        let keys = headspace.store.column(&turns);
        wait_for_lines(&watcher, &["count", "key", "transcript"], 2);
        // A line that is new says nothing of duplicates.
        talk.say();
        talk.wait_until_stored(&headspace);
        let mut lines = lines_with(&watcher, &["count", "key", "transcript"]);
        lines.sort_by_key(|line| line["transcript"].to_string());
        assert_eq!(lines.len(), 2, "{lines:#?}");
        for (line, name) in lines.iter().zip(["one.jsonl", "two.jsonl"]) {
            let path = talk.path.with_file_name(name);
            assert_eq!(line["level"], "WARN", "{line}");
            assert_eq!(line["count"], 3, "{line}");
            assert_eq!(line["transcript"], path.to_str().expect("UTF-8"), "{line}");
            // The log names a key in words, the table holds its digest.
            let key = line["key"].as_str().expect("a key");
            let stored = hex(&FactKey::stored(key));
            assert!(keys.contains(&stored), "{key}: {stored} is none of {keys:?}");
            let message = line["message"].as_str().expect("a message");
            assert!(message.contains('3') && message.contains(name), "{message}");
        }
    }

    fn summaries_add_up_to_the_events_that_are_stored(kind: Kind) {
        let headspace = logging_json(kind);
        let mut talk = Conversation::new(&headspace, "summed");
        talk.say_all(4);
        let watcher = headspace.watch();
        talk.wait_until_stored(&headspace);
        talk.say_all(3);
        talk.wait_until_stored(&headspace);
        let sum = || lines_with(&watcher, &["count", "bytes_behind"]).iter()
            .map(|line| line["count"].as_i64().expect("a number")).sum::<i64>();
        eventually("the summaries say so", || sum() >= count(&headspace.store));
        // A session registered, seven turns, and how their commands moved.
        assert_eq!(sum(), count(&headspace.store));
        assert!(sum() >= 8 + 2, "{}", sum());
        for line in lines_with(&watcher, &["count", "bytes_behind"]) {
            assert_eq!(line["level"], "INFO", "{line}");
            let message = line["message"].as_str().expect("a message");
            assert!(message.contains("events stored") && message.contains(&line["count"].to_string()), "{message}");
        }
        let text = watcher.log();
        assert!(talk.said.iter().all(|said| !text.contains(said)), "{text}");
    }

    fn a_refused_event_stands_in_health_and_in_the_last_line(kind: Kind) {
        let headspace = logging_json(kind);
        assert!(headspace.run(&["migrate"]).status.success());
        refuse(&headspace.store, "INSERT", "events", "CAST(NEW.payload AS text) LIKE '%poison %'");
        let mut talk = Conversation::new(&headspace, "refused");
        let mut watcher = headspace.watch();
        let web = Web::start(&headspace);
        let health = web.wait_for_status("healthy");
        assert_eq!(counters(&health), (0, 0), "{health}");
        talk.say();
        talk.wait_until_stored(&headspace);
        talk.say_this("poison for the log");
        talk.said.pop();
        talk.say();
        talk.wait_until_stored(&headspace);
        // One line is rejected, after three tries that are failed writes.
        let mut health = Value::Null;
        eventually("health counts both", || {
            health = web.health();
            counters(&health).0 > 0 && counters(&health).1 > 0
        });
        assert_eq!(counters(&health), (3, 1), "{health}");
        fs::copy(&talk.path, talk.path.with_file_name("copy.jsonl")).expect("a copy");
        wait_for_lines(&watcher, &["count", "key", "transcript"], 1);
        assert!(watcher.stop().success());
        let last = lines_with(&watcher, &["events", "duplicates", "rejected", "failed_writes"]);
        assert_eq!(last.len(), 1, "{last:?}");
        assert_eq!(last[0]["level"], "INFO");
        assert!(last[0]["message"].as_str().expect("a message").starts_with("stopped"));
        let numbers = ["events", "duplicates"].map(|name| last[0][name].as_i64());
        assert_eq!(numbers, [Some(count(&headspace.store)), Some(2)], "{last:?}");
        assert!(last[0]["rejected"].as_i64() >= Some(1), "{last:?}");
        assert!(last[0]["failed_writes"].as_i64() >= Some(3), "{last:?}");
    }
}

fn logging_json(kind: Kind) -> Headspace {
    let mut headspace = Headspace::on(kind);
    headspace.set("HEADSPACE_LOGGING__FORMAT", "json");
    headspace
}

/// Failed writes and rejections.
fn counters(health: &Value) -> (i64, i64) {
    let number = |name: &str| health["database"][name].as_i64().expect("a number");
    (number("failed_write_count"), number("rejected_count"))
}

/// The log lines that have all of these fields.
fn lines_with(watcher: &Running, fields: &[&str]) -> Vec<Value> {
    let log = watcher.log();
    // The last line may be half written.
    let whole = log.rfind('\n').map_or("", |end| &log[..end]);
    let lines = whole
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"));
    lines
        .filter(|line: &Value| fields.iter().all(|field| !line[field].is_null()))
        .collect()
}

fn wait_for_lines(watcher: &Running, fields: &[&str], count: usize) {
    eventually("the lines are logged", || {
        lines_with(watcher, fields).len() >= count
    });
}
