//! What agents work at: a row for each call of a tool and for each message's cost,
//! and the newest title, model, context, list and queue beside the agent.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::support::{
    headspace::{Headspace, Kind, Store, eventually, on_both},
    talk::{tamper, utc},
    transcripts::{Session, append, files, real},
};

fn call(session: &mut Session, id: &str, name: &str, input: Value) -> String {
    let block = json!({"type": "tool_use", "id": id, "name": name, "input": input});
    session.record(
        "assistant",
        json!({"message": {"id": format!("msg_{id}"), "content": [block]}}),
    )
}

fn result(session: &mut Session, id: &str, is_error: bool, text: &str) -> String {
    let block =
        json!({"type": "tool_result", "tool_use_id": id, "is_error": is_error, "content": text});
    session.record(
        "user",
        json!({"message": {"role": "user", "content": [block]}}),
    )
}

fn cost(session: &mut Session, message: &str, model: Value, tokens: [u64; 4]) -> String {
    let [input, output, cache_read, cache_write] = tokens;
    let usage = json!({"input_tokens": input, "output_tokens": output,
        "cache_read_input_tokens": cache_read, "cache_creation_input_tokens": cache_write});
    let message = json!({"id": message, "model": model, "content": [], "usage": usage});
    session.record("assistant", json!({"message": message}))
}

/// A record without a time, as the CLI keeps its own notes.
fn note(session: &mut Session, kind: &str, fields: Value) -> String {
    let mut fields = fields;
    for name in ["timestamp", "cwd", "uuid", "parentUuid"] {
        fields[name] = Value::Null;
    }
    session.record(kind, fields)
}

/// Every row of the tables, without the ids that depend on the order of reading.
fn rows(store: &Store) -> [Vec<String>; 3] {
    let at = |column: &str| utc(store.kind(), column);
    [
        format!(
            "SELECT tool_use_id || ' ' || name || ' ' || summary || ' ' || {} || ' '
                 || coalesce({}, '-') || ' ' || coalesce(outcome, '-')
             FROM tool_uses ORDER BY tool_use_id",
            at("started_at"),
            at("ended_at")
        ),
        format!(
            "SELECT message_id || ' ' || model || ' ' || input || ' ' || output || ' '
                 || cache_read || ' ' || cache_write || ' ' || {}
             FROM usage ORDER BY message_id",
            at("at")
        ),
        "SELECT session_uuid || ' ' || coalesce(title, '-') || ' ' || coalesce(title_kind, '-') || ' '
             || coalesce(model, '-') || ' ' || coalesce(context_tokens, -1) || ' '
             || coalesce(CAST(todos AS text), '-') || ' ' || queue_length || ' '
             || coalesce(permission_mode, '-') || ' ' || CAST(newest AS text)
         FROM agents ORDER BY session_uuid"
            .to_owned(),
    ]
    .map(|sql| store.column(&sql))
}

fn assert_same(rows: &[Vec<String>; 3], expected: &[Vec<String>; 3]) {
    for (rows, expected) in rows.iter().zip(expected) {
        for (row, expected) in rows.iter().zip(expected) {
            assert_eq!(row, expected);
        }
        assert_eq!(rows.len(), expected.len());
    }
}

fn agent(headspace: &Headspace, column: &str) -> Vec<String> {
    headspace
        .store
        .column(&format!("SELECT {column} FROM agents ORDER BY id"))
}

fn read_again(headspace: &Headspace) {
    tamper(
        &headspace.store,
        r#"UPDATE checkpoints SET "offset" = 0, identity = ''"#,
    );
    headspace.watch_once();
}

on_both! {
    fn each_call_of_a_tool_is_a_row_with_its_end(kind: Kind) {
        let headspace = Headspace::on(kind);
        let mut session = Session::new("calls", "/home/dev/calls");
        let path = headspace.project("-calls").join(session.file_name());
        let refused = "The user doesn't want to proceed with this tool use.";
        append(&path, [
            session.prompt("go"),
            call(&mut session, "t1", "Bash", json!({"command": "ls"})),
            call(&mut session, "t2", "Read", json!({"file_path": "ü".repeat(300)})),
            result(&mut session, "t2", false, "text"),
            result(&mut session, "t1", true, "no such file"),
            call(&mut session, "t3", "Write", json!({"file_path": "/a"})),
            result(&mut session, "t3", true, refused),
            call(&mut session, "t4", "Other", json!({"n": 1})),
        ].concat());
        headspace.watch_once();
        let shown = "SELECT tool_use_id || ' ' || name || ' ' || coalesce(outcome, 'open') || ' ' ||
                         CASE WHEN ended_at > started_at THEN 'ended' ELSE '' END
                     FROM tool_uses ORDER BY tool_use_id";
        let expected = ["t1 Bash error ended", "t2 Read ok ended", "t3 Write denied ended", "t4 Other open "];
        assert_eq!(headspace.store.column(shown), expected);
        let summaries = "SELECT summary FROM tool_uses ORDER BY tool_use_id";
        assert_eq!(headspace.store.column(summaries), ["ls", &"ü".repeat(200), "/a", ""]);
        // The interruption ends what is open, in another transaction than the call.
        append(&path, session.record("user", json!({"message": {"content": "[Request interrupted by user]"}})));
        append(&path, call(&mut session, "t5", "Bash", json!({"command": "later"})));
        headspace.watch_once();
        let outcomes = "SELECT coalesce(outcome, 'open') FROM tool_uses ORDER BY tool_use_id";
        assert_eq!(headspace.store.column(outcomes), ["error", "ok", "denied", "interrupted", "open"]);
        let before = rows(&headspace.store);
        read_again(&headspace);
        assert_same(&rows(&headspace.store), &before);
    }

    fn a_result_may_stand_before_its_call_and_over_an_interruption(kind: Kind) {
        let headspace = Headspace::on(kind);
        let mut session = Session::new("early", "/home/dev/early");
        let path = headspace.project("-early").join(session.file_name());
        let early = call(&mut session, "t1", "Bash", json!({"command": "ls"}));
        append(&path, [session.prompt("go"), result(&mut session, "t1", false, "a")].concat());
        append(&path, call(&mut session, "t2", "Read", json!({"file_path": "/b"})));
        headspace.watch_once();
        append(&path, session.record("user", json!({"message": {"content": "[Request interrupted by user]"}})));
        append(&path, early);
        headspace.watch_once();
        append(&path, result(&mut session, "t2", false, "b"));
        headspace.watch_once();
        let shown = "SELECT tool_use_id || ' ' || name || ' ' || summary || ' ' || outcome
                     FROM tool_uses WHERE ended_at > started_at ORDER BY tool_use_id";
        assert_eq!(headspace.store.column(shown), ["t1 Bash ls ok", "t2 Read /b ok"]);
    }

    fn a_message_costs_what_its_last_record_says_and_copies_cost_nothing(kind: Kind) {
        let headspace = Headspace::on(kind);
        let mut session = Session::new("cost", "/home/dev/cost");
        let fork = Session::new("costly-fork", "/home/dev/cost");
        let mut child = session.subagent("a1");
        let folder = headspace.project("-cost");
        let path = folder.join(session.file_name());
        append(&path, [
            session.prompt("go"),
            cost(&mut session, "m1", json!("opus"), [3, 1, 500, 6]),
            cost(&mut session, "m1", json!("opus"), [3, 40, 500, 6]),
            cost(&mut session, "m2", json!(null), [1, 2, 3, 4]),
            cost(&mut session, "m3", json!("<synthetic>"), [9, 9, 9, 9]),
            session.record("assistant", json!({"isSidechain": true, "message": {
                "id": "m4", "model": "haiku", "content": [], "usage": {"input_tokens": 7000}}})),
        ].concat());
        let copy = fs::read_to_string(&path).expect("the file").replace(&session.uuid, &fork.uuid);
        append(&folder.join(fork.file_name()), copy);
        let agents = folder.join(&session.uuid).join("subagents");
        fs::create_dir_all(&agents).expect("a folder");
        append(&agents.join(child.file_name()), [
            child.prompt("look\nclosely"),
            cost(&mut child, "m5", json!("haiku"), [10, 11, 12, 13]),
        ].concat());
        headspace.watch_once();
        let shown = "SELECT message_id || ' ' || usage.model || ' ' || input || ' ' || output || ' ' || cache_read
                         || ' ' || cache_write FROM usage ORDER BY message_id";
        let expected = ["m1 opus 3 40 500 6", "m2 unknown 1 2 3 4", "m4 haiku 7000 0 0 0", "m5 haiku 10 11 12 13"];
        assert_eq!(headspace.store.column(shown), expected);
        let child = "SELECT session_uuid || ' ' || agents.model || ' ' || context_tokens || ' ' || title
                     FROM usage JOIN agents ON agents.id = agent_id WHERE message_id = 'm5'";
        assert_eq!(headspace.store.column(child), [format!("{}/a1 haiku 35 look", session.uuid)]);
        let own = "SELECT model || ' ' || context_tokens FROM agents WHERE parent_agent_id IS NULL";
        assert_eq!(headspace.store.column(own), ["opus 8", "opus 8"]);
    }

    fn the_strongest_and_newest_title_counts(kind: Kind) {
        let headspace = Headspace::on(kind);
        let mut session = Session::new("titled", "/home/dev/titled");
        let path = headspace.project("-titled").join(session.file_name());
        let title = || agent(&headspace, "title || ' / ' || title_kind");
        append(&path, session.prompt("\n  first line \nsecond"));
        append(&path, session.prompt("another prompt"));
        headspace.watch_once();
        assert_eq!(title(), ["first line / prompt"]);
        let watcher = headspace.watch();
        for (kind, field, text, expected) in [
            ("agent-name", "agentName", "trial", "trial / agent"),
            ("ai-title", "aiTitle", "An echo", "An echo / ai"),
            ("agent-name", "agentName", "weaker", "An echo / ai"),
            ("ai-title", "aiTitle", "An echo, again", "An echo, again / ai"),
            ("custom-title", "customTitle", "mine", "mine / custom"),
            ("ai-title", "aiTitle", "weaker", "mine / custom"),
            ("custom-title", "customTitle", &"ä".repeat(300), &format!("{} / custom", "ä".repeat(200))),
        ] {
            append(&path, note(&mut session, kind, json!({field: text})));
            append(&path, session.prompt(&format!("after {text}")));
            let last = || headspace.store.turns().pop();
            eventually("the title is read", || last() == Some(format!("after {text}")));
            assert_eq!(title(), [expected]);
        }
        drop(watcher);
        read_again(&headspace);
        assert_eq!(title(), [format!("{} / custom", "ä".repeat(200))]);
    }

    fn a_title_may_open_the_file(kind: Kind) {
        let headspace = Headspace::on(kind);
        let mut session = Session::new("opened", "/home/dev/opened");
        let path = headspace.project("-opened").join(session.file_name());
        append(&path, note(&mut session, "custom-title", json!({"customTitle": "named before"})));
        append(&path, note(&mut session, "permission-mode", json!({"permissionMode": "plan"})));
        headspace.watch_once();
        assert!(agent(&headspace, "title").is_empty());
        append(&path, session.prompt("then asked"));
        headspace.watch_once();
        assert_eq!(agent(&headspace, "title || ' ' || permission_mode"), ["named before plan"]);
    }

    fn lists_modes_and_the_queue_follow_the_newest(kind: Kind) {
        let headspace = Headspace::on(kind);
        let mut session = Session::new("listed", "/home/dev/listed");
        let path = headspace.project("-listed").join(session.file_name());
        let queue = |session: &mut Session, operation: &str| {
            session.record("queue-operation", json!({"operation": operation}))
        };
        let todo = |content: &str, status: &str| json!({"content": content, "status": status});
        append(&path, [
            session.record("user", json!({"permissionMode": "plan", "message": {"content": "go"}})),
            call(&mut session, "t1", "TodoWrite", json!({"todos": [todo("a", "pending")]})),
            call(&mut session, "t2", "TodoWrite", json!({"todos": [todo("a", "completed"), todo("b", "pending")]})),
            session.record("user", json!({"permissionMode": "acceptEdits", "message": {"content": "on"}})),
            queue(&mut session, "enqueue"),
            queue(&mut session, "enqueue"),
            queue(&mut session, "remove"),
            queue(&mut session, "enqueue"),
        ].concat());
        headspace.watch_once();
        let todos = || -> Value {
            serde_json::from_str(&agent(&headspace, "todos")[0]).expect("a list")
        };
        assert_eq!(todos(), json!([todo("a", "completed"), todo("b", "pending")]));
        assert_eq!(agent(&headspace, "queue_length || ' ' || permission_mode"), ["2 acceptEdits"]);
        let before = rows(&headspace.store);
        read_again(&headspace);
        assert_same(&rows(&headspace.store), &before);
        let task = |session: &mut Session, result: Value| {
            let message = json!({"content": [{"type": "tool_result", "tool_use_id": "t9"}]});
            session.record("user", json!({"toolUseResult": result, "message": message}))
        };
        append(&path, [
            call(&mut session, "t3", "TodoWrite", json!({"todos": []})),
            task(&mut session, json!({"task": {"id": "1", "subject": "read"}})),
            task(&mut session, json!({"task": {"id": "2", "subject": "write"}})),
            task(&mut session, json!({"task": {"id": "3", "subject": "rest"}})),
            task(&mut session, json!({"taskId": "1", "statusChange": {"to": "in_progress"}})),
            task(&mut session, json!({"taskId": "3", "statusChange": {"to": "deleted"}})),
            task(&mut session, json!({"taskId": "another's", "statusChange": {"to": "completed"}})),
            queue(&mut session, "popAll"),
            queue(&mut session, "dequeue"),
            queue(&mut session, "dequeue"),
        ].concat());
        headspace.watch_once();
        let tasks = json!([
            {"id": "1", "content": "read", "status": "in_progress"},
            {"id": "2", "content": "write", "status": "pending"},
        ]);
        assert_eq!(todos(), tasks);
        assert_eq!(agent(&headspace, "queue_length"), ["0"]);
        let before = rows(&headspace.store);
        read_again(&headspace);
        assert_same(&rows(&headspace.store), &before);
    }

    fn the_rows_do_not_depend_on_where_a_read_ends(kind: Kind) {
        let (whole, pieces) = (Headspace::on(kind), Headspace::on(kind));
        for part in 1..=3 {
            for name in files(&real()) {
                let bytes = fs::read(real().join(&name)).expect("a real file");
                let path = pieces.root().join(&name);
                write(&path, &bytes[..bytes.len() * part / 3]);
                write(&whole.root().join(&name), &bytes);
            }
            pieces.watch_once();
        }
        whole.watch_once();
        let expected = rows(&whole.store);
        assert!(expected.iter().all(|table| !table.is_empty()), "{expected:?}");
        assert_same(&rows(&pieces.store), &expected);
        read_again(&pieces);
        assert_same(&rows(&pieces.store), &expected);
    }

    fn a_row_that_the_database_refuses_takes_no_other_with_it(kind: Kind) {
        let headspace = Headspace::on(kind);
        let mut session = Session::new("refused", "/home/dev/refused");
        let path = headspace.project("-refused").join(session.file_name());
        append(&path, session.prompt("one"));
        headspace.watch_once();
        tamper(&headspace.store, "CREATE UNIQUE INDEX no_two ON usage (input)");
        append(&path, [
            cost(&mut session, "m1", json!("opus"), [1, 1, 1, 1]),
            session.prompt("two"),
            cost(&mut session, "m2", json!("opus"), [1, 1, 1, 1]),
            session.prompt("three"),
            cost(&mut session, "m3", json!("opus"), [2, 1, 1, 1]),
        ].concat());
        headspace.watch_once();
        let usage = headspace.store.column("SELECT message_id FROM usage ORDER BY message_id");
        assert_eq!(usage, ["m1", "m3"]);
        assert_eq!(headspace.store.turns(), ["one", "two", "three"]);
    }
}

fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(path, bytes).expect("it is written");
}
