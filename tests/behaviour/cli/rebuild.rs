//! Commands, turns and states follow from the log alone.

use std::{fs, path::Path, process::Command};

use serde_json::{Value, json};

use crate::{
    spool::{assert_silent, hook},
    support::{
        headspace::{Headspace, Kind, json_list, on_both},
        talk::{Talk, tamper},
        transcripts,
    },
};

on_both! {
    fn the_rows_of_real_transcripts_are_those_of_the_log_and_what_is_damaged_is_put_right(kind: Kind) {
        let mut headspace = Headspace::on(kind);
        headspace.set("HEADSPACE_CLAUDE__ROOTS", json_list(&[transcripts::real()]));
        headspace.watch_once();
        let (code, report) = check(&headspace);
        assert_eq!((code, &report["differences"]), (0, &Value::Array(Vec::new())));
        assert!(report["events"].as_u64() > Some(400), "{report}");
        tamper(&headspace.store, "UPDATE commands SET state = 'idle' WHERE id = 5;
            UPDATE turns SET text = 'forged' WHERE id = 9;
            UPDATE agents SET needs = 'plan' WHERE id = 3");
        let (code, report) = check(&headspace);
        let found = report["differences"].as_array().expect("a list").iter();
        let mut found: Vec<String> = found.map(|one| format!("{} {}", one["table"], one["id"])).collect();
        found.sort();
        assert_eq!(found, ["\"agents\" 3", "\"commands\" 5", "\"turns\" 9"], "{report}");
        assert_eq!(code, 1);
        let watcher = headspace.watch();
        let refused = headspace.run(&["rebuild"]);
        assert!(!refused.status.success(), "a watcher runs");
        drop(watcher);
        assert!(headspace.run(&["rebuild"]).status.success());
        assert_eq!(check(&headspace).0, 0);
    }
}

on_both! {
    fn the_rules_say_the_same_again_and_what_they_would_change_is_listed(kind: Kind) {
        let mut headspace = Headspace::on(kind);
        headspace.set("HEADSPACE_ARCHIVE__MODE", "full");
        copy_tree(&transcripts::real(), &headspace.root());
        let uuid = asks_for_leave(&headspace);
        headspace.watch_once();
        // Only the archive knows them now.
        fs::remove_dir_all(headspace.root().join("projects")).expect("they are gone");
        let before = headspace.store.number("SELECT count(*) FROM events");
        let (code, report) = rebuild(&headspace, "--rules");
        assert_eq!(report["differences"], Value::Array(Vec::new()));
        assert_eq!(code, 0);
        assert!(report["agents"].as_u64() > Some(20) && report["gone"].is_null(), "{report}");
        tamper(&headspace.store, &format!("UPDATE commands SET outcome = 'failed' WHERE id = (
                SELECT max(id) FROM commands WHERE outcome = 'done');
            UPDATE turns SET intent = 'answer' WHERE id = (SELECT max(id) FROM turns);
            UPDATE agents SET needs = 'none' WHERE session_uuid = '{uuid}'"));
        let (code, report) = rebuild(&headspace, "--rules");
        let found = report["differences"].as_array().expect("a list").iter();
        let mut found: Vec<String> = found.map(|one| one["what"].as_str().expect("words").to_owned()).collect();
        found.sort();
        assert_eq!(found.len(), 3, "{report}");
        assert!(found[0].starts_with("answer → "), "{found:?}");
        assert!(found[1].ends_with("outcome failed → human, complete, outcome done"), "{found:?}");
        assert_eq!(found[2], "needs none → permission");
        assert_eq!(code, 1);
        assert_eq!(headspace.store.number("SELECT count(*) FROM events"), before, "nothing is changed");
        let left = fs::read_dir(headspace.state()).expect("the state folder");
        assert!(left.flatten().all(|entry| !entry.file_name().to_string_lossy().starts_with(".rules-")));
    }
}

/// A session that waits at a dialog, known by a hook alone.
fn asks_for_leave(headspace: &Headspace) -> String {
    let mut talk = Talk::new(headspace, "shop");
    talk.say("tidy up");
    let uuid = talk.session.uuid.clone();
    let asks = json!({"session_id": uuid, "cwd": "/home/dev/shop", "transcript_path": talk.path,
        "hook_event_name": "PermissionRequest", "tool_name": "Bash",
        "tool_input": {"command": "rm -rf build"}});
    assert_silent(&hook(headspace, asks.to_string()));
    uuid
}

fn copy_tree(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-rT").args([from, to]).status();
    assert!(copied.expect("cp").success());
}

fn check(headspace: &Headspace) -> (i32, Value) {
    rebuild(headspace, "--check")
}

fn rebuild(headspace: &Headspace, how: &str) -> (i32, Value) {
    let output = headspace.run(&["rebuild", how, "--json"]);
    let report = serde_json::from_slice(&output.stdout).expect("one object");
    (output.status.code().expect("a code"), report)
}
