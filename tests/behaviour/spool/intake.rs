//! What is in the spool comes into the log, once.

use std::fs;

use serde_json::{Value, json};

use super::{assert_silent, hook, lines, segments, stop};
use crate::support::{
    headspace::{Headspace, Kind, Store, eventually, on_both},
    oracle,
};

/// The payloads of the hooks in the log, in its order.
fn hooks(store: &Store) -> Vec<Value> {
    let sql = "SELECT payload FROM events WHERE event_type = 'hook_received' ORDER BY id";
    let column = store.try_column(sql).unwrap_or_default();
    column
        .iter()
        .map(|json| serde_json::from_str(json).unwrap())
        .collect()
}

fn sessions(store: &Store) -> Vec<Value> {
    hooks(store)
        .iter()
        .map(|hook| hook["claude_session_id"].clone())
        .collect()
}

on_both! {
    fn what_came_while_nothing_ran_is_stored_at_the_next_start_and_once(kind: Kind) {
        let headspace = Headspace::on(kind);
        let mut prompt = stop("a");
        prompt["hook_event_name"] = json!("UserPromptSubmit");
        prompt["prompt"] = json!("hello");
        assert_silent(&hook(&headspace, prompt.to_string()));
        assert_silent(&hook(&headspace, stop("a").to_string()));
        headspace.watch_once();
        assert_eq!(headspace.watch_once().stored, 0);
        let hooks = hooks(&headspace.store);
        assert_eq!(hooks.len(), 2);
        assert_eq!((&hooks[0]["hook_type"], &hooks[0]["prompt"]), (&json!("UserPromptSubmit"), &json!("hello")));
        assert_eq!(hooks[1]["hook_type"], "Stop");
        let known = headspace.store.number(
            "SELECT count(*) FROM events JOIN agents ON agents.id = events.agent_id
              WHERE event_type = 'hook_received' AND session_uuid = 'a'",
        );
        assert_eq!(known, 2);
        assert_eq!(headspace.store.turns(), ["hello"], "the session has no file");
        oracle::assert_clean(&headspace);
        let verified = headspace.run(&["verify"]);
        assert!(verified.status.success(), "{verified:?}");
    }

    fn a_running_watcher_takes_a_hook_in_as_it_comes_and_a_copy_of_it_is_none(kind: Kind) {
        let headspace = Headspace::on(kind);
        let mut watcher = headspace.watch();
        for session in ["a", "b"] {
            // As it comes when it stands in two settings files.
            assert_silent(&hook(&headspace, stop(session).to_string()));
            assert_silent(&hook(&headspace, stop(session).to_string()));
            eventually("the hook is stored", || sessions(&headspace.store).contains(&json!(session)));
        }
        assert!(watcher.stop().success());
        headspace.watch_once();
        assert_eq!(sessions(&headspace.store), ["a", "b"]);
    }

    fn torn_lines_garbage_and_missing_fields_cost_themselves_only(kind: Kind) {
        let headspace = Headspace::on(kind);
        assert_silent(&hook(&headspace, stop("before").to_string()));
        let segment = segments(&headspace).remove(0);
        let whole = fs::read_to_string(&segment).unwrap();
        fs::write(&segment, format!("{whole}{}\n\0\0\0\n{{\"tor", &whole[..40])).unwrap();
        assert_silent(&hook(&headspace, "no JSON"));
        assert_silent(&hook(&headspace, r#"{"session_id":"s","cwd":"/p"}"#));
        assert_silent(&hook(&headspace, stop("after").to_string()));
        headspace.watch_once();
        assert_eq!(sessions(&headspace.store), ["before", "after"]);
        let reasons = headspace.store.column("SELECT reason FROM rejections ORDER BY id");
        assert_eq!(reasons.len(), 5, "{reasons:?}");
        assert!(reasons[3].starts_with("hook_received: not a JSON object"), "{reasons:?}");
        assert_eq!(reasons[4], "hook_received: missing field hook_event_name");
    }
}

#[test]
fn a_full_segment_is_removed_when_its_end_is_stored_and_nothing_is_lost_with_it() {
    let headspace = Headspace::on(Kind::Sqlite);
    let mut watcher = headspace.watch();
    let mut large = stop("large");
    large["last_assistant_message"] = json!("x".repeat(300 << 10));
    for n in 0..9 {
        large["prompt_id"] = json!(n);
        assert_silent(&hook(&headspace, large.to_string()));
    }
    eventually("all are stored", || hooks(&headspace.store).len() == 9);
    eventually("only the newest segment is left", || {
        segments(&headspace).len() == 1
    });
    assert!(watcher.stop().success());
    let left = lines(&headspace).len();
    assert!((1..=4).contains(&left), "{left} lines are left");
    headspace.watch_once();
    let numbers: Vec<Value> = hooks(&headspace.store)
        .iter()
        .map(|hook| hook["prompt_id"].clone())
        .collect();
    assert_eq!(json!(numbers), json!([0, 1, 2, 3, 4, 5, 6, 7, 8]));
}
