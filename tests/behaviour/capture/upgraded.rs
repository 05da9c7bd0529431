//! A log that was made by the first schema, before there were commands, turns and
//! states, gets them from the files, behind the live events.

use std::fs::{self, File};

use serde_json::json;

use crate::support::{
    headspace::{Headspace, Kind, Store, eventually, on_both},
    oracle,
    talk::tamper,
    transcripts::{Session, append},
};

const SESSIONS: usize = 1000;
const FIRST_SQLITE: &str = include_str!("../../../src/store/migrations/sqlite/0001_log.sql");
const FIRST_POSTGRES: &str = include_str!("../../../src/store/migrations/postgres/0001_log.sql");

/// What the program of then had written: events of three types, and no row beside
/// projects, sessions, files and keys.
const COPIED: &str = "
    INSERT INTO projects SELECT * FROM newer.projects;
    INSERT INTO agents (id, session_uuid, project_id, parent_agent_id, iterm_pane_id,
        transcript_path, working_directory, cli, started_at, last_seen_at, ended_at, end_reason,
        registrations)
    SELECT id, session_uuid, project_id, parent_agent_id, iterm_pane_id, transcript_path,
        working_directory, cli, started_at, last_seen_at, ended_at, end_reason, registrations
    FROM newer.agents;
    INSERT INTO checkpoints (id, host, path, identity, \"offset\", rewrites, updated_at)
    SELECT id, host, path, identity, \"offset\", rewrites, updated_at FROM newer.checkpoints;
    INSERT INTO events (id, timestamp, recorded_at, project_id, agent_id, event_type, payload,
        event_key, observed, checkpoint_id, source_offset)
    SELECT id, timestamp, recorded_at, project_id, agent_id, event_type, WITHOUT_INTENT,
        event_key, observed, checkpoint_id, source_offset
    FROM newer.events WHERE event_type IN ('session_registered', 'session_ended', 'turn_detected');
    INSERT INTO facts SELECT key, event_id FROM newer.facts
    WHERE event_id IN (SELECT id FROM events);
    UPDATE log SET log_id = (SELECT log_id FROM newer.log);";

/// The database as the first schema would have it.
fn age(store: &Store) {
    let copied = |intent: &str| COPIED.replace("WITHOUT_INTENT", intent);
    match store {
        Store::Sqlite(path) => {
            let newer = path.with_extension("newer");
            let newer = newer.to_str().expect("UTF-8");
            tamper(store, &format!("VACUUM INTO '{newer}'"));
            for file in ["db", "db-wal", "db-shm"] {
                let _ = fs::remove_file(path.with_extension(file));
            }
            File::create(path).expect("an empty file");
            let copied = copied("json_remove(payload, '$.intent')");
            let sql = format!(
                "{FIRST_SQLITE}; ATTACH '{newer}' AS newer; {copied}
                 CREATE TABLE _sqlx_migrations AS
                 SELECT * FROM newer._sqlx_migrations WHERE version = 1"
            );
            tamper(store, &sql);
        }
        Store::Postgres(_) => {
            let copied = copied("payload - 'intent'");
            let ids: String = ["projects", "agents", "checkpoints", "events"]
                .iter()
                .map(|table| {
                    format!("SELECT setval('{table}_id_seq', (SELECT max(id) FROM {table}));")
                })
                .collect();
            let sql = format!(
                "ALTER SCHEMA public RENAME TO newer; CREATE SCHEMA public; {FIRST_POSTGRES};
                 {copied} {ids}
                 CREATE TABLE _sqlx_migrations (LIKE newer._sqlx_migrations INCLUDING ALL);
                 INSERT INTO _sqlx_migrations
                 SELECT * FROM newer._sqlx_migrations WHERE version = 1;
                 DROP SCHEMA newer CASCADE;"
            );
            tamper(store, &sql);
        }
    }
}

/// Sessions that were done, asked something, were at work or had failed.
fn write_sessions(headspace: &Headspace) {
    for number in 0..SESSIONS {
        let mut session = Session::new(&format!("s{number}"), "/home/dev/shop");
        let mut lines = session.prompt("Add a test.");
        lines += &match number % 4 {
            0 => session.reply("The test is there and passes."),
            1 => session.reply("Shall I delete the old one?"),
            2 => call(&mut session),
            _ => session.reply("Done.") + &session.prompt("And another."),
        };
        let path = headspace
            .project("-home-dev-shop")
            .join(session.file_name());
        append(&path, lines);
    }
}

fn call(session: &mut Session) -> String {
    let id = format!("toolu_{}", session.uuid);
    let call = json!({"type": "tool_use", "id": id, "name": "Bash", "input": {"command": "ls"}});
    let message = json!({"id": format!("msg_{}", session.uuid), "role": "assistant",
        "model": "m", "content": [call], "stop_reason": "tool_use"});
    session.record("assistant", json!({"message": message}))
}

/// What each session shows, its commands and its turns.
fn rows(headspace: &Headspace) -> Vec<String> {
    headspace.store.column(
        "SELECT concat(session_uuid, ' ', a.state, ' ', needs, ' ', asks, ' ', c.origin, ' ',
                       c.state, ' ', c.outcome, ' ', t.actor, ' ', intent, ' ', text)
         FROM agents a LEFT JOIN commands c ON c.agent_id = a.id
         LEFT JOIN turns t ON t.command_id = c.id
         WHERE working_directory <> '/home/dev/live'
         ORDER BY session_uuid, c.started_at, t.id",
    )
}

const READ: &str = "SELECT count(*) FROM checkpoints WHERE reading > 0";
const DUE: &str = r#"SELECT count(*) FROM checkpoints
    WHERE "offset" > 0 AND reading = 0 OR "offset" < known_until"#;

on_both! {
    fn a_thousand_sessions_get_their_states_while_live_events_go_on(kind: Kind) {
        let headspace = Headspace::on(kind);
        write_sessions(&headspace);
        headspace.watch_once();
        let (expected, turns) = (rows(&headspace), headspace.store.turns().len());
        assert!(expected.len() > SESSIONS, "{}", expected.len());
        age(&headspace.store);
        assert_eq!(headspace.store.number("SELECT max(version) FROM _sqlx_migrations"), 1);
        assert_eq!(headspace.store.number("SELECT count(*) FROM commands"), 0);
        let mut live = Session::new("live", "/home/dev/live");
        let path = headspace.project("-live").join(live.file_name());
        for round in 0..3 {
            let watcher = headspace.watch();
            eventually("some files are read once more", || {
                headspace.store.number(READ) > round * 16
            });
            let said = format!("live {round}");
            append(&path, live.prompt(&said));
            eventually("a live event is stored", || headspace.store.turns().last() == Some(&said));
            watcher.kill();
        }
        headspace.watch_once();
        assert_eq!(headspace.store.number(DUE), 0);
        assert_eq!(rows(&headspace), expected);
        assert_eq!(headspace.store.turns().len(), turns + 3);
        assert!(headspace.run(&["rebuild", "--check"]).status.success());
        oracle::assert_clean(&headspace);
    }
}
