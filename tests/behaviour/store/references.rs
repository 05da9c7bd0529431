//! What an event refers to: it is there, and when it is deleted the event forgets it.

use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use tokio::runtime::Runtime;

use super::log::execute;
use crate::support::{
    conversation::Conversation,
    headspace::{Headspace, Kind, Store, eventually, on_both},
    oracle,
};

/// Tables and the column by which an event refers to each, children first.
const REFERENCES: [(&str, &str); 5] = [
    ("turns", "turn_id"),
    ("commands", "command_id"),
    ("checkpoints", "checkpoint_id"),
    ("agents", "agent_id"),
    ("projects", "project_id"),
];

on_both! {
    fn what_is_deleted_is_forgotten_by_its_events(kind: Kind) {
        for (table, column) in REFERENCES {
            let headspace = two_sessions(kind);
            let number = |sql: &str| headspace.store.number(sql);
            let events = number("SELECT count(*) FROM events");
            let (kept, gone) = (referred(&headspace, column, "max"), referred(&headspace, column, "min"));
            assert_ne!(kept, gone, "{table}");
            execute(&headspace.store, &format!("DELETE FROM {table} WHERE id = {gone}"));
            assert_eq!(number("SELECT count(*) FROM events"), events, "{table}");
            let named = |id: i64| number(&format!("SELECT count(*) FROM events WHERE {column} = {id}"));
            assert_eq!(named(gone), 0, "{table}");
            assert!(named(kept) > 0, "{table}");
            assert_eq!(dangling(&headspace), 0, "{table}");
        }
    }

    fn what_is_deleted_with_its_parent_is_forgotten_too(kind: Kind) {
        let headspace = two_sessions(kind);
        let project = referred(&headspace, "project_id", "min");
        let its_events = format!("SELECT min(id) FROM events WHERE project_id = {project} AND turn_id IS NOT NULL");
        let event = headspace.store.number(&its_events);
        execute(&headspace.store, &format!("DELETE FROM projects WHERE id = {project}"));
        let forgotten = format!(
            "SELECT count(*) FROM events WHERE id = {event} AND project_id IS NULL AND agent_id IS NULL
             AND command_id IS NULL AND turn_id IS NULL AND checkpoint_id IS NOT NULL"
        );
        assert_eq!(headspace.store.number(&forgotten), 1);
        assert_eq!(dangling(&headspace), 0);
        assert!(headspace.store.number("SELECT count(*) FROM events WHERE turn_id IS NOT NULL") > 0);
    }

    fn an_event_cannot_refer_to_what_is_not_there(kind: Kind) {
        let headspace = two_sessions(kind);
        for (table, column) in REFERENCES {
            for sql in [
                format!("UPDATE events SET {column} = 4711"),
                format!(
                    "INSERT INTO events (id, timestamp, recorded_at, event_type, payload, event_key, {column})
                     SELECT 4711, timestamp, recorded_at, event_type, payload, event_key, 4711
                     FROM events WHERE id = 1"
                ),
            ] {
                let refused = attempt(&headspace.store, &sql).expect_err(table);
                let error = refused.as_database_error().expect("the database refused it");
                assert!(error.is_foreign_key_violation(), "{table}: {error}");
            }
        }
        oracle::assert_clean(&headspace);
    }
}

#[test]
fn what_an_open_transaction_refers_to_is_deleted_behind_it() {
    let headspace = two_sessions(Kind::Postgres);
    for (table, column) in REFERENCES {
        let id = referred(&headspace, column, "max");
        let insert = format!(
            "INSERT INTO events (timestamp, recorded_at, event_type, payload, event_key, {column})
             SELECT timestamp, recorded_at, event_type, payload, '{table}', {id} FROM events WHERE id = 1"
        );
        let runtime = Runtime::new().expect("a runtime");
        let connect = || runtime.block_on(PgConnection::connect(&headspace.store.url()));
        let (mut writer, mut other) = (
            connect().expect("a connection"),
            connect().expect("another"),
        );
        let begin = sqlx::raw_sql(AssertSqlSafe(format!("BEGIN; {insert}")));
        runtime
            .block_on(begin.execute(&mut writer))
            .expect("the event is written");
        let delete = sqlx::raw_sql(AssertSqlSafe(format!(
            "DELETE FROM {table} WHERE id = {id}"
        )));
        let deleting = runtime.spawn(async move { delete.execute(&mut other).await });
        let waiting = "SELECT count(*) FROM pg_stat_activity
                       WHERE datname = current_database() AND wait_event_type = 'Lock'";
        eventually("the deletion waits", || {
            headspace.store.number(waiting) == 1
        });
        let commit = sqlx::raw_sql("COMMIT").execute(&mut writer);
        runtime.block_on(commit).expect("it is committed");
        runtime
            .block_on(deleting)
            .expect("no panic")
            .expect("it is deleted");
        let kept = format!("SELECT count(*) FROM events WHERE event_key = '{table}'");
        assert_eq!(headspace.store.number(&kept), 1, "{table}");
        assert_eq!(dangling(&headspace), 0, "{table}");
    }
}

#[test]
fn what_is_emptied_is_forgotten_by_its_events() {
    let headspace = two_sessions(Kind::Postgres);
    execute(&headspace.store, "TRUNCATE commands, turns, tool_uses");
    let number = |sql: &str| headspace.store.number(sql);
    let named = "SELECT count(turn_id) + count(command_id) FROM events";
    assert_eq!(number(named), 0);
    assert!(number("SELECT count(agent_id) FROM events") > 0);
    assert_eq!(dangling(&headspace), 0);
}

/// Two projects with a session each, stored.
fn two_sessions(kind: Kind) -> Headspace {
    let headspace = Headspace::on(kind);
    for name in ["one", "two"] {
        Conversation::new(&headspace, name).say_all(4);
    }
    headspace.watch_once();
    headspace
}

fn referred(headspace: &Headspace, column: &str, of: &str) -> i64 {
    headspace
        .store
        .number(&format!("SELECT {of}({column}) FROM events"))
}

/// How many references lead nowhere.
fn dangling(headspace: &Headspace) -> i64 {
    let nowhere = REFERENCES.map(|(table, column)| {
        format!(
            "(SELECT count(*) FROM events WHERE {column} IS NOT NULL
              AND NOT EXISTS (SELECT 1 FROM {table} WHERE {table}.id = {column}))"
        )
    });
    headspace
        .store
        .number(&format!("SELECT {}", nowhere.join(" + ")))
}

/// Runs SQL that may be refused.
fn attempt(store: &Store, sql: &str) -> Result<(), sqlx::Error> {
    let url = store.url();
    let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
    let runtime = Runtime::new().expect("a runtime");
    runtime.block_on(async {
        match store.kind() {
            Kind::Sqlite => {
                let mut link = SqliteConnection::connect(&url).await?;
                sql.execute(&mut link).await.map(drop)
            }
            Kind::Postgres => {
                let mut link = PgConnection::connect(&url).await?;
                sql.execute(&mut link).await.map(drop)
            }
        }
    })
}
