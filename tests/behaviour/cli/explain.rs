//! `explain` says why a session shows as it does.

use serde_json::Value;

use crate::support::{
    agents::{ago, change, session, subagent},
    headspace::{Headspace, Kind, on_both},
    talk::{newest, tamper},
};

on_both! {
    fn one_sentence_then_the_last_changes_of_state(kind: Kind) {
        let headspace = Headspace::on(kind);
        let id = session(&headspace, "shop", &format!(
            "title = 'fix login', state = 'awaiting_input', needs = 'permission', \
             asks = 'Bash: npm test', since = {}", ago(3 * 3600 + 60)));
        let printed = |arguments: &[&str]| {
            let output = headspace.run(&[&["explain"], arguments].concat());
            let errors = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{errors}");
            String::from_utf8(output.stdout).expect("text")
        };
        let sentence = "waits for you for 3 h: asks to run `npm test`";
        assert_eq!(printed(&["fix login"]),
            format!("■ fix login {sentence}\n  no change of its state is in the log\n"));

        event(&headspace, kind, id, "hook_received", "{\"hook_type\": \"PermissionRequest\"}");
        let hook = newest(&headspace.store);
        for n in 0..4 {
            transition(&headspace, kind, id, &format!("\"from_state\": \"idle\", \"to_state\": \"commanded\", \
                \"trigger\": \"turn\", \"evidence\": {{\"source\": \"/a.jsonl\", \"offset\": {n}}}"));
        }
        transition(&headspace, kind, id, "\"from_state\": \"commanded\", \"to_state\": \"processing\", \
            \"trigger\": \"turn\", \"confidence\": 1.0, \"needs\": \"none\"");
        let asks = "\"from_state\": \"processing\", \"to_state\": \"awaiting_input\", \
            \"needs\": \"permission\", \"asks\": \"Bash: npm test\"";
        transition(&headspace, kind, id, &format!("{asks}, \"trigger\": \"hook\", \"confidence\": 0.9, \
            \"rule\": \"14\", \"evidence\": {{\"event\": {hook}}}"));
        transition(&headspace, kind, id, &format!("{asks}, \"trigger\": \"registry\", \"rule\": 15"));

        let sentence = format!("{sentence}, said by its PermissionRequest hook and its registry");
        let text = printed(&[&id.to_string()]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], format!("■ fix login {sentence}"));
        let changes: Vec<&str> = lines[1..].iter().map(|line| line[23..].trim_end()).collect();
        assert_eq!(changes, [
            "idle → commanded                  turn  /a.jsonl at 2",
            "idle → commanded                  turn  /a.jsonl at 3",
            "commanded → processing            turn (1.00)",
            &format!("processing → awaiting_input       hook, rule 14 (0.90)  permission: Bash: npm test  event {hook}"),
            "processing → awaiting_input       registry, rule 15  permission: Bash: npm test",
        ], "\n{text}");
        assert_eq!(printed(&["1", "--all"]).lines().count(), 1 + 7);

        let report: Value = serde_json::from_str(&printed(&["1", "--json"])).expect("one object");
        assert_eq!((&report["sentence"], &report["shows"]), (&sentence.into(), &"needs_you".into()));
        let last = &report["transitions"][4];
        assert_eq!(last["payload"]["rule"], 15, "{report}");
    }

    fn a_subagents_need_is_explained_by_its_own_changes(kind: Kind) {
        let headspace = Headspace::on(kind);
        let root = session(&headspace, "shop", "title = 'root', state = 'processing'");
        let child = subagent(&headspace, root, "a",
            "title = 'child', needs = 'question', asks = 'One?', state = 'awaiting_input'");
        transition(&headspace, kind, child, "\"from_state\": \"processing\", \
            \"to_state\": \"awaiting_input\", \"trigger\": \"turn\", \"needs\": \"question\"");
        for wanted in ["root", "child"] {
            let output = headspace.run(&["explain", wanted]);
            let text = String::from_utf8(output.stdout).expect("text");
            let head = format!("■ {wanted} waits for you for ");
            assert!(text.starts_with(&head), "{text}");
            let rest = ": asks you: “One?”, said by its transcript\n";
            assert!(text.contains(rest) && text.contains("→ awaiting_input"), "{text}");
        }
        change(&headspace, child, "needs = 'none'");
        let output = headspace.run(&["explain", "root"]);
        let text = String::from_utf8(output.stdout).expect("text");
        assert!(text.starts_with("◐ root works for ") && !text.contains('→'), "{text}");
    }
}

fn transition(headspace: &Headspace, kind: Kind, agent: i64, fields: &str) {
    let payload = format!("{{\"agent_id\": {agent}, \"command_id\": 1, {fields}}}");
    event(headspace, kind, agent, "state_transition", &payload);
}

fn event(headspace: &Headspace, kind: Kind, agent: i64, event_type: &str, payload: &str) {
    let key = match kind {
        Kind::Sqlite => "randomblob(16)",
        Kind::Postgres => "decode(md5(random()::text), 'hex')",
    };
    tamper(
        &headspace.store,
        &format!(
            "INSERT INTO events (timestamp, recorded_at, agent_id, event_type, payload, event_key) \
         VALUES ({0}, {0}, {agent}, '{event_type}', '{payload}', {key})",
            ago(0)
        ),
    );
}
