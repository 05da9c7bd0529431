//! One suite against both databases, and what only one of them can show.

mod holes;
mod which_log;

use std::{path::PathBuf, time::Duration};

use sqlx::{ConnectOptions, Connection, PgConnection, SqliteConnection};
use tempfile::TempDir;

use super::*;
use crate::{
    event::{EventType, Timestamp},
    store::{
        Filter, SCHEMA_VERSION, connect, new_sqlite,
        read::server::{Cluster, Database},
    },
};

const SOON: Duration = Duration::from_secs(20);

/// A migrated database of either kind, and a way to write to it.
enum World {
    Sqlite(TempDir, SqliteConnection),
    Postgres(Database, PgConnection),
}

impl World {
    async fn both() -> Vec<World> {
        vec![World::sqlite().await, World::postgres().await]
    }

    async fn sqlite() -> World {
        let dir = tempfile::tempdir().unwrap();
        let db = new_sqlite(&dir.path().join("headspace.db")).await;
        World::Sqlite(dir, db)
    }

    async fn postgres() -> World {
        World::within(Database::create).await
    }

    async fn postgres_alone() -> World {
        World::within(|| Database::within(Arc::new(Cluster::start()))).await
    }

    async fn within(create: fn() -> Database) -> World {
        let database = tokio::task::spawn_blocking(create).await.unwrap();
        let mut db = connect(&database).await;
        let migrations = sqlx::migrate!("src/store/migrations/postgres");
        migrations.run(&mut db).await.unwrap();
        World::Postgres(database, db)
    }

    fn path(&self) -> PathBuf {
        match self {
            World::Sqlite(dir, _) => dir.path().join("headspace.db"),
            World::Postgres(..) => unreachable!("a server has no path"),
        }
    }

    fn reader(&self) -> Reader {
        match self {
            World::Sqlite(..) => Reader::sqlite(&self.path()),
            World::Postgres(database, _) => Reader::postgres(&database.url(), "web", 4).unwrap(),
        }
    }

    async fn run(&mut self, sql: &'static str) {
        match self {
            World::Sqlite(_, db) => drop(sqlx::raw_sql(sql).execute(db).await.unwrap()),
            World::Postgres(_, db) => drop(sqlx::raw_sql(sql).execute(db).await.unwrap()),
        }
    }

    async fn event(&mut self, key: &str, kind: &str, payload: &str) {
        let time = "2026-11-21T01:02:03.000004Z";
        match self {
            World::Sqlite(_, db) => sqlx::query(
                "INSERT INTO events (timestamp, recorded_at, event_type, payload, event_key) \
                 VALUES (?1, ?1, ?2, ?3, ?4)",
            )
            .bind(time)
            .bind(kind)
            .bind(payload)
            .bind(key.as_bytes())
            .execute(db)
            .await
            .map(drop),
            World::Postgres(_, db) => sqlx::query(
                "INSERT INTO events (timestamp, recorded_at, event_type, payload, event_key) \
                 VALUES ($1::timestamptz, $1::timestamptz, $2, $3::jsonb, $4)",
            )
            .bind(time)
            .bind(kind)
            .bind(payload)
            .bind(key.as_bytes())
            .execute(db)
            .await
            .map(drop),
        }
        .unwrap();
    }

    async fn turns(&mut self, count: usize) {
        for n in 1..=count {
            self.event(&format!("turn {n}"), "turn_detected", r#"{"text":"hello"}"#)
                .await;
        }
    }
}

async fn connect(database: &Database) -> PgConnection {
    connect::postgres(&database.url(), "test")
        .unwrap()
        .connect()
        .await
        .unwrap()
}

fn ids(events: &[super::super::Stored]) -> Vec<i64> {
    events.iter().map(|event| event.id).collect()
}

#[tokio::test]
async fn an_event_reads_the_same_from_both() {
    for mut world in World::both().await {
        world
            .event("k", "turn_detected", r#"{"text":"a\nb é"}"#)
            .await;
        let settled = world.reader().after(&Bookmark::from(0), 10).await.unwrap();
        let json: serde_json::Value = serde_json::to_value(&settled.events[0]).unwrap();
        let expected = serde_json::json!({"id": 1, "event_type": "turn_detected",
            "timestamp": "2026-11-21T01:02:03.000004Z", "recorded_at": "2026-11-21T01:02:03.000004Z",
            "project_id": null, "agent_id": null, "command_id": null, "turn_id": null,
            "payload": {"text": "a\nb é"}});
        assert_eq!(json, expected);
        assert_eq!(settled.rest, AfterPage::Nothing);
    }
}

#[tokio::test]
async fn following_goes_in_full_answers_until_nothing_is_left() {
    for mut world in World::both().await {
        world.turns(5).await;
        let reader = world.reader();
        let first = reader.after(&Bookmark::from(0), 3).await.unwrap();
        assert_eq!(
            (ids(&first.events), first.rest),
            (vec![1, 2, 3], AfterPage::More)
        );
        let second = reader.after(&Bookmark::from(3), 3).await.unwrap();
        assert_eq!(
            (ids(&second.events), second.rest),
            (vec![4, 5], AfterPage::Nothing)
        );
        assert!(
            reader
                .after(&Bookmark::from(5), 3)
                .await
                .unwrap()
                .events
                .is_empty()
        );
    }
}

#[tokio::test]
async fn an_answer_is_bounded_in_bytes_and_never_empty() {
    for mut world in World::both().await {
        for n in 0..4 {
            let text: String = (0..40_000).map(|i| format!("{:x}", i * 7919 + n)).collect();
            world
                .event(
                    &format!("{n}"),
                    "turn_detected",
                    &format!(r#"{{"text":"{text}"}}"#),
                )
                .await;
        }
        let reader = world.reader();
        let all = Filter::default();
        let page = reader.replay(&all, 0, 4, 10, 1).await.unwrap();
        assert_eq!((ids(&page.events), page.more), (vec![1], true));
        let page = reader.replay(&all, 1, 4, 10, PAGE_BYTES).await.unwrap();
        assert_eq!((ids(&page.events), page.more), (vec![2, 3, 4], false));
    }
}

#[tokio::test]
async fn pages_go_backwards_through_the_filter() {
    for mut world in World::both().await {
        world.turns(3).await;
        world.event("end", "session_ended", "{}").await;
        world.run("INSERT INTO projects (id, host, path, name, created_at) VALUES (7, 'h', '/p', 'p', '2026-11-21T01:02:03Z')").await;
        world
            .run("UPDATE events SET project_id = 7 WHERE id IN (2, 4)")
            .await;
        let reader = world.reader();
        let page = |filter: Filter, before, after, limit| {
            let reader = reader.clone();
            async move {
                let page = reader.page(&filter, before, after, limit).await.unwrap();
                (ids(&page.events), page.more)
            }
        };
        let turns = Filter {
            types: vec![EventType::TurnDetected],
            ..Filter::default()
        };
        let project = Filter {
            project_ids: vec![7, 8],
            ..Filter::default()
        };
        let both = Filter {
            project_ids: vec![7],
            ..turns.clone()
        };
        let later = Filter {
            since: Timestamp::parse("2026-11-21T01:02:04Z"),
            ..Filter::default()
        };
        assert_eq!(
            page(Filter::default(), None, None, 2).await,
            (vec![4, 3], true)
        );
        assert_eq!(
            page(Filter::default(), Some(3), Some(1), 9).await,
            (vec![2], false)
        );
        assert_eq!(page(turns, None, None, 9).await, (vec![3, 2, 1], false));
        assert_eq!(page(project, None, None, 9).await, (vec![4, 2], false));
        assert_eq!(page(both, None, None, 9).await, (vec![2], false));
        assert_eq!(page(later, None, None, 9).await, (vec![], false));
    }
}

#[tokio::test]
async fn ends_and_totals_are_right_with_and_without_events() {
    for mut world in World::both().await {
        let reader = world.reader();
        let head = reader.head().await.unwrap();
        assert_eq!(
            head,
            Head {
                newest: 0,
                oldest: None,
                last_given: 0
            }
        );
        assert_eq!(
            (
                reader.settled().await.unwrap(),
                reader.last_write().await.unwrap()
            ),
            (0, None)
        );
        world.turns(4).await;
        world
            .run("INSERT INTO facts SELECT event_key, id FROM events")
            .await;
        world.run("DELETE FROM events WHERE id IN (1, 2, 4)").await;
        let head = reader.head().await.unwrap();
        assert_eq!(
            head,
            Head {
                newest: 3,
                oldest: Some(3),
                last_given: 4
            }
        );
        assert_eq!(reader.count(0, 9).await.unwrap(), 1);
        assert_eq!(reader.pruned_below(3).await.unwrap(), 2);
        assert_eq!(reader.pruned_below(1).await.unwrap(), 0);
        assert_eq!(reader.rejected().await.unwrap(), 0);
        assert_eq!(reader.schema_version().await.unwrap(), SCHEMA_VERSION);
        assert_eq!(
            reader.last_write().await.unwrap().as_deref(),
            Some("2026-11-21T01:02:03.000004Z")
        );
    }
}

#[tokio::test]
async fn what_a_newer_program_wrote_is_passed_on() {
    for mut world in World::both().await {
        let payload = r#"{"text": "a", "mood": {"calm": 0.5}}"#;
        world.event("a", "turn_detected", payload).await;
        world
            .event("b", "weather_observed", r#"{"sky": ["blue"]}"#)
            .await;
        world.run("INSERT INTO watchers (host, state_dir, pid, version, started_at, beat_at, state, counters) \
            VALUES ('h', '/s', 12, '9.0.0', '2026-11-21T01:02:03.000000Z', '2026-11-21T01:02:04.000000Z', 'dancing', \
            '{\"rejected\": 3, \"steps\": 7}')").await;
        let reader = world.reader();
        let settled = reader.after(&Bookmark::from(0), 10).await.unwrap();
        assert_eq!(ids(&settled.events), [1, 2]);
        assert_eq!(settled.events[1].event_type, "weather_observed");
        let read: serde_json::Value =
            serde_json::from_str(settled.events[0].payload.get()).unwrap();
        assert_eq!(read["mood"]["calm"], 0.5);
        let watcher = reader.watchers().await.unwrap().remove(0);
        assert_eq!(
            (watcher.counters.rejected, watcher.counters.failed_beats),
            (3, 0)
        );
    }
}

#[tokio::test]
async fn status_lists_watchers_projects_and_agents() {
    for mut world in World::both().await {
        world.run("INSERT INTO watchers (host, state_dir, pid, version, started_at, beat_at, state) \
            VALUES ('h', '/s', 12, '0.1.0', '2026-11-21T01:02:03.000000Z', '2026-11-21T01:02:04.000000Z', 'ready'); \
            INSERT INTO projects (host, path, name, created_at) VALUES ('h', '/p', 'p', '2026-11-21T01:02:03.000000Z'); \
            INSERT INTO agents (session_uuid, project_id, working_directory, cli, started_at, last_seen_at) \
            VALUES ('u', 1, '/p', 'claude', '2026-11-21T01:02:03.000000Z', '2026-11-21T01:02:05.000000Z')").await;
        let reader = world.reader();
        let watcher = reader.watchers().await.unwrap().remove(0);
        assert_eq!(
            (watcher.pid, &*watcher.beat_at),
            (12, "2026-11-21T01:02:04.000000Z")
        );
        let project = reader.projects().await.unwrap().remove(0);
        assert_eq!((project.name.as_str(), project.agents), ("p", 1));
        let agent = reader
            .agents(&AgentFilter::default(), None, 5)
            .await
            .unwrap()
            .remove(0);
        assert_eq!(
            (agent.project_name.as_str(), &*agent.last_seen_at),
            ("p", "2026-11-21T01:02:05.000000Z")
        );
    }
}
