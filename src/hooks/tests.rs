//! Whatever a settings file holds and however it is written: what is not ours stays.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{
    Backup, Change, Entry, Version,
    edit::{self, entries, installed, with, without},
    to_install, to_uninstall, wanted,
};

const COMMAND: &str = "/usr/bin/headspace hook 2>/dev/null || cat >/dev/null";

fn ours() -> Vec<Entry> {
    entries(&wanted(false, None), COMMAND)
}

fn refused(text: &str) -> String {
    with(text, &ours()).unwrap_err().to_string()
}

/// After an installation, with the backup that it makes.
fn write(text: Option<&str>) -> String {
    match to_install(text, None, &ours()).unwrap() {
        Change::Write {
            text,
            backup: Backup::Make,
        } => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_new_file_is_written_as_the_cli_writes_its_own() {
    let text = write(None);
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(text, format!("{}\n", pretty_in_order(&text)));
    assert_eq!(
        value["hooks"]["Stop"],
        json!([{"hooks": [{"type": "command", "command": COMMAND, "timeout": 5}]}])
    );
    assert_eq!(
        value["hooks"]["SessionEnd"],
        json!([{"hooks": [{"type": "command", "command": COMMAND}]}])
    );
    assert_eq!(
        value["hooks"]["PreToolUse"],
        json!([{"matcher": "AskUserQuestion|ExitPlanMode", "hooks":
            [{"type": "command", "command": COMMAND, "async": true, "timeout": 5}]}])
    );
    assert_eq!(value["hooks"].as_object().unwrap().len(), 15);
    assert_eq!(to_uninstall(Some(&text), None), Ok(Change::Remove));
}

/// Two spaces a level, without a change of order.
fn pretty_in_order(text: &str) -> String {
    let mut depth = 0;
    let mut lines = Vec::new();
    for line in text.lines().map(str::trim) {
        depth -= usize::from(line.starts_with(['}', ']']));
        lines.push(format!("{}{line}", "  ".repeat(depth)));
        depth += usize::from(line.ends_with(['{', '[']));
    }
    lines.join("\n")
}

#[test]
fn what_is_written_follows_what_stands_around_it() {
    let entry = &ours()[2..3];
    let table = [
        (
            "{}",
            "{\n  \"hooks\": {\n    \"Stop\": [\n      {\n        \"hooks\": [\n",
        ),
        (
            "{\r\n\t\"a\": 1\r\n}",
            "{\r\n\t\"a\": 1,\r\n\t\"hooks\": {\r\n\t\t\"Stop\": [\r\n",
        ),
        (
            "{\n    \"a\": 1\n}\n",
            "{\n    \"a\": 1,\n    \"hooks\": {\n        \"Stop\": [\n",
        ),
        (
            "{\"a\":1}",
            "{\"a\":1,\"hooks\":{\"Stop\":[{\"hooks\":[{\"type\":\"command\",\"command\":",
        ),
        (
            "{ \"a\": 1 }",
            "{ \"a\": 1, \"hooks\": {\"Stop\": [{\"hooks\": [{\"type\": \"command\", ",
        ),
        (
            "\u{feff}{\n  \"a\": 1\n}",
            "\u{feff}{\n  \"a\": 1,\n  \"hooks\": {\n",
        ),
        (
            "{\n  \"hooks\": {}\n}",
            "{\n  \"hooks\": {\n    \"Stop\": [\n      {\n",
        ),
        (
            "{\n  \"hooks\": {\n    \"Stop\": []\n  }\n}",
            "{\n  \"hooks\": {\n    \"Stop\": [\n      {\n        \"hooks\": [\n",
        ),
        (
            "{\n  \"hooks\": null,\n  \"b\": 2\n}",
            "{\n  \"hooks\": {\n    \"Stop\": [\n",
        ),
    ];
    for (before, beginning) in table {
        let after = with(before, entry).unwrap();
        assert!(after.starts_with(beginning), "{before:?} became\n{after}");
    }
    let last = with("{\n  \"hooks\": null,\n  \"b\": 2\n}", entry).unwrap();
    assert!(last.ends_with("    ]\n  },\n  \"b\": 2\n}"), "{last}");
}

#[test]
fn hooks_of_others_stay_beside_ours() {
    let before = r#"{
  "hooks": {
    "Stop": [
      {"hooks": [{"type": "command", "command": "say done"}]}
    ],
    "PreToolUse": [{"matcher": "Bash", "hooks": [{"type": "command", "command": "check"}]}]
  },
  "model": "opus"
}
"#;
    let after = with(before, &ours()).unwrap();
    let value: Value = serde_json::from_str(&after).unwrap();
    let commands = |event: &str| {
        let groups = value["hooks"][event].as_array().unwrap().iter();
        groups
            .map(|group| group["hooks"][0]["command"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(commands("Stop"), ["say done", COMMAND]);
    assert_eq!(commands("PreToolUse"), ["check", COMMAND]);
    assert_eq!(installed(&after).unwrap().len(), 15);
    assert_eq!(without(&after).unwrap(), before);
}

#[test]
fn a_second_installation_changes_nothing_and_a_later_one_what_differs() {
    let before = "{\n  \"model\": \"opus\"\n}\n";
    let old = entries(
        &wanted(false, Some(Version(2, 1, 50))),
        "/old/headspace hook",
    );
    let text = with(before, &old).unwrap();
    assert_eq!(
        to_install(Some(&text), Some(before), &old),
        Ok(Change::Nothing)
    );
    let updated = Change::Write {
        text: with(before, &ours()).unwrap(),
        backup: Backup::Keep,
    };
    assert_eq!(
        to_install(Some(&text), Some(before), &ours()),
        Ok(updated.clone())
    );
    assert_eq!(to_install(Some(&text), None, &ours()), Ok(updated));
}

#[test]
fn a_hook_of_ours_that_was_written_by_hand_is_replaced_and_removed() {
    let by_hand = r#"{"hooks": {"Stop": [{"hooks": [{"type": "command", "command": "headspace hook"},
        {"type": "command", "command": "say done"}]}]}}"#;
    let text = match to_install(Some(by_hand), None, &ours()) {
        Ok(Change::Write {
            text,
            backup: Backup::Keep,
        }) => text,
        other => panic!("{other:?}"),
    };
    assert_eq!(text.matches("headspace hook").count(), 15);
    let removed = without(&text).unwrap();
    assert!(
        removed.contains("say done") && !removed.contains("headspace"),
        "{removed}"
    );
}

#[test]
fn what_the_text_alone_does_not_tell_the_backup_does() {
    for before in [
        "",
        " \n",
        "{}",
        "{ }",
        "{\n}\n",
        "{\"hooks\":{}}",
        "{\"hooks\":null}",
        "{\"hooks\": { }}",
        "{\"hooks\":{\"Stop\":[ ]}}",
        "{\"hooks\":{\"Stop\":null,\"Setup\":[]}}",
        "\u{feff}",
        "\u{feff}{}",
        "{\"hooks\":1,\"hooks\":{\"Stop\":[]}}",
    ] {
        let text = write(Some(before));
        let removed = to_uninstall(Some(&text), Some(before));
        let expected = Change::Write {
            text: before.to_owned(),
            backup: Backup::Forget,
        };
        assert_eq!(removed, Ok(expected), "{before:?}");
        // Something else came meanwhile: that stays, too.
        let changed = text.replacen('{', "{\"new\":1,", 1);
        match to_uninstall(Some(&changed), Some(before)) {
            Ok(Change::Write {
                text,
                backup: Backup::Keep,
            }) => assert!(
                text.contains("{\"new\":1") && !text.contains("headspace"),
                "{text}"
            ),
            other => panic!("{before:?}: {other:?}"),
        }
    }
}

#[test]
fn what_is_no_settings_file_is_refused_with_its_place() {
    for (text, place) in [
        (
            "{\n  // a comment\n}",
            "line 2, column 3: key must be a string",
        ),
        ("{\"a\": 1,}", "line 1, column 9: key must be a string"),
        ("{\"ä\": 1 \"b\"}", "line 1, column 9: expected `,` or `}`"),
        ("{\"a\": 1} x", "line 1, column 10: trailing characters"),
        ("[1]", "line 1, column 1: expected an object"),
        ("\n \"x\"", "line 2, column 2: expected an object"),
        (
            "{\n\"hooks\": []}",
            "line 2, column 10: hooks: expected an object",
        ),
        (
            "{\"hooks\": {\"Stop\": {}}}",
            "line 1, column 20: hooks.Stop: expected a list",
        ),
        (
            "{\"hooks\": {\"Stop\": \"x\"}}",
            "line 1, column 20: hooks.Stop: expected a list",
        ),
        ("{\"a\"", "line 1, column 4: EOF while parsing an object"),
        ("nul", "line 1, column 3: EOF while parsing a value"),
    ] {
        assert_eq!(refused(text), place, "{text:?}");
    }
}

#[test]
fn a_switch_that_turns_hooks_off_is_seen() {
    assert!(edit::are_disabled("\u{feff}{\"disableAllHooks\": true}"));
    assert!(!edit::are_disabled("{\"disableAllHooks\": false}"));
    assert!(!edit::are_disabled(""));
}

/// Any JSON, with what is like hooks where the CLI looks for hooks.
fn settings() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-z\"\\\\/äß🚀\\u{0}-\\u{1f}]{0,8}".prop_map(Value::from),
    ];
    let any_value = leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-zA-Z \"]{0,6}", inner), 0..4).prop_map(object),
        ]
    });
    let handler = prop_oneof![
        Just(json!({"type": "command", "command": "say done"})),
        Just(json!({"type": "http", "url": "http://127.0.0.1:1/x"})),
        any_value.clone(),
    ];
    let group = prop_oneof![
        prop::collection::vec(handler, 0..3)
            .prop_map(|handlers| json!({"matcher": "Bash", "hooks": handlers})),
        any_value.clone(),
    ];
    let groups = prop_oneof![
        4 => prop::collection::vec(group, 0..3).prop_map(Value::from),
        1 => Just(Value::Null),
    ];
    let event = prop_oneof![
        Just("Stop"),
        Just("PreToolUse"),
        Just("Other"),
        Just("Setup")
    ];
    let events = prop::collection::vec((event.prop_map(str::to_owned), groups), 0..4);
    let hooks = prop_oneof![
        3 => events.prop_map(object),
        1 => Just(Value::Null),
    ];
    let rest = prop::collection::vec(("[a-z]{1,6}", any_value), 0..5);
    (rest, prop::option::of(hooks), any::<prop::sample::Index>()).prop_map(|(rest, hooks, at)| {
        let mut members = rest;
        members.retain(|(key, _)| key != "hooks");
        if let Some(hooks) = hooks {
            members.insert(at.index(members.len() + 1), ("hooks".into(), hooks));
        }
        object(members)
    })
}

fn object(members: Vec<(String, Value)>) -> Value {
    Value::Object(members.into_iter().collect::<Map<_, _>>())
}

/// As odd hands write it: these bits choose the white space at each place.
fn written(value: &Value, bits: &mut impl Iterator<Item = u8>, ends: &str) -> String {
    let mut space = || match bits.next().unwrap_or_default() % 8 {
        0..4 => String::new(),
        4 => " ".into(),
        5 => format!("{ends}  "),
        6 => format!("{ends}\t"),
        _ => format!(" {ends}{ends} "),
    };
    let (before, after) = (space(), space());
    let inner = match value {
        Value::Array(values) => {
            let parts: Vec<String> = values.iter().map(|one| written(one, bits, ends)).collect();
            format!("[{}]", join(parts, &before))
        }
        Value::Object(members) => {
            let member = |(key, value): (&String, &Value)| {
                let (key, value) = (json!(key), written(value, bits, ends));
                format!("{after}{key}{before}:{value}")
            };
            let parts: Vec<String> = members.iter().map(member).collect();
            format!("{{{}}}", join(parts, &before))
        }
        leaf => leaf.to_string(),
    };
    format!("{before}{inner}{after}")
}

fn join(parts: Vec<String>, space: &str) -> String {
    match parts.is_empty() {
        true => space.to_owned(),
        false => parts.join(","),
    }
}

/// What a text says, without what an installation may make of nothing.
fn meaning(text: &str) -> Value {
    let text = text.trim_start_matches('\u{feff}');
    let mut value: Value = serde_json::from_str(text).unwrap();
    if let Some(Value::Object(events)) = value.get_mut("hooks") {
        events.retain(|_, groups| !groups.is_null() && *groups != json!([]));
    }
    let is_nothing = |hooks: &Value| hooks.is_null() || *hooks == json!({});
    if value.get("hooks").is_some_and(is_nothing) {
        value.as_object_mut().unwrap().remove("hooks");
    }
    value
}

#[test]
fn empty_lists_come_back_also_in_another_order_than_ours() {
    let before = "{\n  \"hooks\":{\"PreToolUse\": [ ],\"Stop\":[]}}\n  ";
    let back = Change::Write {
        text: before.to_owned(),
        backup: Backup::Forget,
    };
    assert_eq!(
        to_uninstall(Some(&write(Some(before))), Some(before)),
        Ok(back)
    );
}

proptest! {
    #[test]
    fn in_and_out_is_the_same_file(
        value in settings(),
        bits in prop::collection::vec(any::<u8>(), 1..64),
        is_crlf in any::<bool>(),
        has_mark in any::<bool>(),
    ) {
        let ends = if is_crlf { "\r\n" } else { "\n" };
        let mark = if has_mark { "\u{feff}" } else { "" };
        let before = format!("{mark}{}", written(&value, &mut bits.into_iter().cycle(), ends));
        let after = write(Some(&before));
        // Ours are all there, and once.
        prop_assert_eq!(to_install(Some(&after), None, &ours()), Ok(Change::Nothing));
        // What is not ours means what it meant, with and without a backup.
        let removed = without(&after).unwrap();
        prop_assert_eq!(meaning(&removed), meaning(&before));
        prop_assert!(installed(&removed).unwrap().is_empty());
        let back = Change::Write { text: before.clone(), backup: Backup::Forget };
        prop_assert_eq!(to_uninstall(Some(&after), Some(&before)), Ok(back));
    }
}
