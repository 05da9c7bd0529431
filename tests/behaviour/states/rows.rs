//! What the watcher writes: commands, turns, transitions and what an agent shows, in
//! the transaction of their cause.

use serde_json::{Value, json};

use crate::{
    spool::{assert_silent, hook},
    support::{
        headspace::{Headspace, Kind, eventually, on_both},
        transcripts::{Session, append},
        web::Web,
    },
};

on_both! {
    fn a_prompt_and_its_reply_are_a_command_with_two_turns(kind: Kind) {
        let headspace = Headspace::on(kind);
        let mut session = Session::new("rows", "/home/dev/shop");
        let path = headspace.project("-home-dev-shop").join(session.file_name());
        append(&path, session.prompt("Add a test."));
        headspace.watch_once();
        assert_eq!(shown(&headspace), "commanded|none||false");
        append(&path, session.reply("The test is there and passes."));
        headspace.watch_once();
        assert_eq!(shown(&headspace), "idle|none||true");
        let rows = |sql| headspace.store.column(sql);
        assert_eq!(rows("SELECT state || '|' || origin || '|' || outcome FROM commands"), ["complete|human|done"]);
        assert_eq!(
            rows("SELECT actor || '|' || intent || '|' || text FROM turns ORDER BY id"),
            ["user|command|Add a test.", "agent|completion|The test is there and passes."]
        );
        // Each event names its turn, and the turn its event.
        assert_eq!(headspace.store.number(
            "SELECT count(*) FROM turns t JOIN events e ON e.id = t.event_id
             AND e.turn_id = t.id AND e.command_id = t.command_id"), 2);
        let moves = transitions(&headspace);
        let moves: Vec<_> = moves.iter().map(|to| (&to["from_state"], &to["to_state"], &to["rule"])).collect();
        assert_eq!(moves, [
            (&json!("idle"), &json!("commanded"), &json!("1")),
            (&json!("commanded"), &json!("complete"), &json!("20")),
        ]);
        // What is read again adds nothing.
        let before = everything(&headspace);
        headspace.watch_once();
        assert_eq!(everything(&headspace), before);
    }

    fn a_permission_is_needed_from_its_hook_to_its_result(kind: Kind) {
        let headspace = Headspace::on(kind);
        let watcher = headspace.watch();
        let mut session = Session::new("rows", "/home/dev/shop");
        let path = headspace.project("-home-dev-shop").join(session.file_name());
        append(&path, session.prompt("Run the tests."));
        let call = json!({"type": "tool_use", "id": "toolu_9", "name": "Bash", "input": {"command": "npm test"}});
        let message = json!({"id": "msg_9", "role": "assistant", "model": "m", "content": [call], "stop_reason": "tool_use"});
        append(&path, session.record("assistant", json!({"message": message, "timestamp": now()})));
        eventually("the agent works", || shown(&headspace) == "processing|none||false");
        let asked = json!({
            "session_id": session.uuid, "cwd": "/home/dev/shop", "hook_event_name": "PermissionRequest",
            "tool_name": "Bash", "tool_input": {"command": "npm test"},
        });
        assert_silent(&hook(&headspace, asked.to_string()));
        eventually("a permission is needed", || {
            shown(&headspace) == "awaiting_input|permission|Bash: npm test|false"
        });
        let result = json!({"type": "tool_result", "tool_use_id": "toolu_9", "content": "ok"});
        let message = json!({"role": "user", "content": [result]});
        append(&path, session.record("user", json!({"message": message, "timestamp": now()})));
        eventually("the agent works on", || shown(&headspace) == "processing|none||false");
        let moves = transitions(&headspace);
        let needed = moves.iter().find(|to| to["needs"] == "permission").expect("a transition");
        assert_eq!(
            (&needed["trigger"], &needed["asks"], &needed["rule"], &needed["confidence"]),
            (&json!("hook"), &json!("Bash: npm test"), &json!("14"), &json!(1.0))
        );
        let calls = "SELECT count(*) FROM tool_uses t JOIN commands c ON c.id = t.command_id
                     WHERE c.agent_id = t.agent_id";
        assert_eq!(headspace.store.number(calls), 1);
        let key = needed["evidence"]["event_key"].as_str().expect("a key");
        assert_eq!(key.len(), 32, "{needed}");
        drop(watcher);
    }

    fn a_look_marks_an_agent_as_seen_and_a_snooze_puts_it_off(kind: Kind) {
        let headspace = Headspace::on(kind);
        let _watcher = headspace.watch();
        let mut session = Session::new("rows", "/home/dev/shop");
        let path = headspace.project("-home-dev-shop").join(session.file_name());
        append(&path, session.prompt("Add a test."));
        append(&path, session.reply("The test is there and passes."));
        eventually("it is done", || shown(&headspace) == "idle|none||true");
        let web = Web::start(&headspace);
        let id = headspace.store.number("SELECT id FROM agents");
        let seen = web.post(&format!("/api/agents/{id}/seen"), "{}");
        assert_eq!((seen.status, &seen.json()["status"]), (200, &json!("seen")));
        assert_eq!(shown(&headspace), "idle|none||false");
        let off = web.post(&format!("/api/agents/{id}/snooze"), r#"{"minutes": 10}"#);
        assert_eq!(off.status, 200, "{}", off.body);
        let row = web.get(&format!("/api/agents/{id}")).json();
        assert_eq!(row["snoozed_until"], off.json()["snoozed_until"]);
        append(&path, session.prompt("And another."));
        eventually("news end it", || {
            web.get(&format!("/api/agents/{id}")).json()["snoozed_until"] == Value::Null
        });
        for (verb, body) in [("seen", r#"{"x": 1}"#), ("snooze", r#"{"minutes": 0}"#), ("snooze", "[]")] {
            web.post(&format!("/api/agents/{id}/{verb}"), body).problem(400);
        }
        web.post("/api/agents/99/seen", "{}").problem(404);
        let sql = "SELECT count(*) FROM events WHERE event_type = 'session_viewed'";
        assert_eq!(headspace.store.number(sql), 2);
    }

    fn a_fork_starts_idle_and_its_copies_are_no_activity(kind: Kind) {
        let headspace = Headspace::on(kind);
        let mut session = Session::new("rows", "/home/dev/shop");
        let folder = headspace.project("-home-dev-shop");
        let path = folder.join(session.file_name());
        append(&path, session.prompt("Add a test."));
        append(&path, session.reply("The test is there and passes."));
        headspace.watch_once();
        let copy = std::fs::read_to_string(&path).expect("a transcript");
        let fork = Session::new("fork", "/home/dev/shop");
        append(&folder.join(fork.file_name()), copy.replace(&session.uuid, &fork.uuid));
        headspace.watch_once();
        let sql = format!("SELECT state || '|' || needs FROM agents WHERE session_uuid = '{}'", fork.uuid);
        assert_eq!(headspace.store.column(&sql), ["idle|none"]);
        assert_eq!(headspace.store.number("SELECT count(*) FROM commands"), 1);
        assert_eq!(headspace.store.number("SELECT count(*) FROM turns"), 2);
    }
}

/// State, need, what is asked, unseen.
pub fn shown(headspace: &Headspace) -> String {
    let sql = "SELECT state || '|' || needs || '|' || coalesce(asks, '') || '|' ||
                      CASE WHEN unseen THEN 'true' ELSE 'false' END FROM agent_states";
    headspace.store.column(sql).join(" ")
}

pub fn transitions(headspace: &Headspace) -> Vec<Value> {
    let sql = "SELECT payload FROM events WHERE event_type = 'state_transition' ORDER BY id";
    let rows = headspace.store.column(sql);
    rows.iter()
        .map(|row| serde_json::from_str(row).expect("JSON"))
        .collect()
}

fn everything(headspace: &Headspace) -> Vec<i64> {
    ["events", "facts", "commands", "turns"]
        .map(|table| {
            headspace
                .store
                .number(&format!("SELECT count(*) FROM {table}"))
        })
        .to_vec()
}

fn now() -> String {
    jiff::Timestamp::now().to_string()
}
