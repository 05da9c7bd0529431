//! SQLite: all the writing SQL.
//!
//! `BEGIN IMMEDIATE` takes the only write lock, so what is read inside the
//! transaction stays true until its end, ids become visible in order, and the
//! ids after the greatest belong to this writer.

mod beside;
mod statements;

use std::collections::BTreeMap;

use serde::Serialize;
use sqlx::{Row, Sqlite, SqliteConnection, sqlite::SqliteRow, types::Json};

use crate::{
    derive::{EventOf, Known, NewEvent, Project, Questions, Turn},
    event::{Timestamp, hex},
    tail::Position,
};

use super::{
    answer::KnownJson,
    append::{Fact, Locked, Moved, Outcome, RejectionRow, Rows, Transaction, Written},
    archive::keep,
};

pub use beside::{beat, checkpoint, checkpoints, correct, open_sessions, registered_sessions};
use statements::{
    AGENTS, ASK, CHANGED_TURNS, COMMANDS, FACTS, HEARD, HOOKS, INTERRUPTIONS, LINKED, LOCKED, MADE,
    MOVED, OPEN_FACTS, PROJECTS, TOOL_USES, USAGE,
};

/// Every statement is handed to the driver's thread and its end handed back,
/// which costs more than inserting a row.
const ROWS_PER_INSERT: usize = 256;

pub struct SqliteTransaction<'c>(sqlx::Transaction<'c, Sqlite>);

impl<'c> SqliteTransaction<'c> {
    pub async fn begin(connection: &'c mut SqliteConnection) -> Outcome<Self> {
        Ok(Self(
            sqlx::Connection::begin_with(connection, "BEGIN IMMEDIATE").await?,
        ))
    }
}

impl Transaction for SqliteTransaction<'_> {
    async fn lock(&mut self, host: &str, paths: &[&str]) -> Outcome<Vec<Locked>> {
        let (paths, found) = (Json(paths), sqlx::query(LOCKED));
        let found = found.bind(host).bind(paths).fetch_all(&mut *self.0);
        let mut locked: Vec<Locked> = found.await?.iter().map(locked).collect();
        if locked.len() < paths.len() {
            let made = sqlx::query(MADE).bind(host).bind(paths).bind(now());
            let made = made.fetch_all(&mut *self.0).await?;
            locked.extend(made.iter().map(self::locked));
        }
        Ok(locked)
    }

    async fn ask(&mut self, host: &str, questions: &Questions<'_>) -> Outcome<Known> {
        let answer: Json<KnownJson> = sqlx::query_scalar(ASK)
            .bind(in_hex(&questions.keys))
            .bind(in_hex(&questions.groups))
            .bind(host)
            .bind(Json(&questions.projects))
            .bind(Json(&questions.sessions))
            .bind(Json(&questions.shared))
            .fetch_one(&mut *self.0)
            .await?;
        let mut answer = answer.0;
        let with_facts: Vec<(String, String)> = sqlx::query_as(OPEN_FACTS)
            .bind(Json(answer.sessions()))
            .fetch_all(&mut *self.0)
            .await?;
        let heard = answer.open_facts(with_facts);
        if !heard.is_empty() {
            let heard = sqlx::query_as(HEARD).bind(in_hex(&heard));
            answer.heard = heard.fetch_all(&mut *self.0).await?;
        }
        Ok(answer.to(questions))
    }

    async fn write(&mut self, host: &str, rows: &Rows<'_>) -> Outcome<Written> {
        self.put_projects(host, &rows.plan.projects).await?;
        self.put(AGENTS, &rows.plan.agents).await?;
        self.put(COMMANDS, &rows.plan.commands).await?;
        self.put(INTERRUPTIONS, &rows.plan.interruptions).await?;
        self.put(TOOL_USES, &rows.plan.tool_uses).await?;
        self.put(USAGE, &rows.plan.usage).await?;
        self.insert_turns(&rows.plan.turns).await?;
        self.put(CHANGED_TURNS, &rows.plan.changed_turns).await?;
        self.put(LINKED, &rows.plan.linked).await?;
        let last_id = self.insert_events(&rows.plan.events).await?;
        let before = last_id.unwrap_or(0) - rows.plan.events.len() as i64;
        self.insert_facts(&rows.facts, before + 1).await?;
        if rows.plan.events.iter().any(NewEvent::is_hook) {
            sqlx::query(HOOKS)
                .bind(before)
                .execute(&mut *self.0)
                .await?;
        }
        let mut rejected = 0;
        for row in &rows.rejections {
            rejected += self.insert_rejection(row).await?;
        }
        for to in rows.moves.iter().filter(|to| to.renamed) {
            self.vacate(to).await?;
        }
        self.put_moves(&rows.moves).await?;
        for to in &rows.moves {
            for piece in to.pieces {
                keep::sqlite(&mut self.0, to.id, piece).await?;
            }
        }
        Ok(Written { last_id, rejected })
    }

    async fn commit(self) -> Outcome<()> {
        Ok(self.0.commit().await?)
    }
}

impl SqliteTransaction<'_> {
    async fn put_projects(&mut self, host: &str, projects: &[Project]) -> Outcome<()> {
        if !projects.is_empty() {
            let put = sqlx::query(PROJECTS).bind(host).bind(now());
            put.bind(Json(projects)).execute(&mut *self.0).await?;
        }
        Ok(())
    }

    /// All rows of one table in one statement.
    async fn put<R: Serialize + Sync>(&mut self, put: &'static str, rows: &[R]) -> Outcome<()> {
        if !rows.is_empty() {
            let put = sqlx::query(put).bind(Json(rows));
            put.execute(&mut *self.0).await?;
        }
        Ok(())
    }

    /// Before the events, which name them: their ids follow the greatest.
    async fn insert_turns(&mut self, turns: &[Turn]) -> Outcome<()> {
        if turns.is_empty() {
            return Ok(());
        }
        let last = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'events'";
        let last: i64 = sqlx::query_scalar(last).fetch_one(&mut *self.0).await?;
        for some in turns.chunks(ROWS_PER_INSERT) {
            let mut insert = sqlx::QueryBuilder::<Sqlite>::new(
                "INSERT INTO turns (id, command_id, actor, intent, text, timestamp, message_id,
                                    event_id) ",
            );
            insert.push_values(some, |mut values, turn| {
                values
                    .push_bind(turn.id)
                    .push_bind(turn.command_id)
                    .push_bind(turn.actor)
                    .push_bind(turn.intent)
                    .push_bind(&turn.text)
                    .push_bind(turn.timestamp.to_string())
                    .push_bind(&turn.message_id)
                    .push_bind(match turn.event {
                        EventOf::Stored(id) => id,
                        EventOf::Planned(number) => last + 1 + number as i64,
                    });
            });
            let is_usual = [1, ROWS_PER_INSERT].contains(&some.len());
            let insert = insert.build().persistent(is_usual);
            insert.execute(&mut *self.0).await?;
        }
        Ok(())
    }

    /// The last one's id. No other writer can insert meanwhile, so the ids of
    /// one batch follow each other.
    async fn insert_events(&mut self, events: &[NewEvent]) -> Outcome<Option<i64>> {
        let recorded_at = now();
        let mut last = None;
        for some in events.chunks(ROWS_PER_INSERT) {
            let mut insert = sqlx::QueryBuilder::<Sqlite>::new(
                "INSERT INTO events (timestamp, recorded_at, project_id, agent_id, command_id,
                                     turn_id, event_type, payload, event_key, observed, checkpoint_id, source_offset) ",
            );
            insert.push_values(some, |mut values, event| {
                values
                    .push_bind(event.moment.at.to_string())
                    .push_bind(&recorded_at)
                    .push_bind(event.project_id)
                    .push_bind(event.agent_id)
                    .push_bind(event.command_id)
                    .push_bind(event.turn_id)
                    .push_bind(event.kind.as_str())
                    .push_bind(&event.payload)
                    .push_bind(event.keys[0].as_slice())
                    .push_bind(event.moment.observed)
                    .push_bind(event.source.map(|source| source.checkpoint_id))
                    .push_bind(event.source.map(|source| source.offset.cast_signed()));
            });
            // Only the two usual sizes are worth keeping prepared.
            let is_usual = [1, ROWS_PER_INSERT].contains(&some.len());
            let insert = insert.build().persistent(is_usual);
            last = Some(insert.execute(&mut *self.0).await?.last_insert_rowid());
        }
        Ok(last)
    }

    /// `first` is the id of the batch's first event.
    async fn insert_facts(&mut self, facts: &[Fact], first: i64) -> Outcome<()> {
        if facts.is_empty() {
            return Ok(());
        }
        let rows = facts.iter().map(|fact| match fact.event {
            EventOf::Stored(id) => (hex(&fact.key), id),
            EventOf::Planned(number) => (hex(&fact.key), first + number as i64),
        });
        let insert = sqlx::query(FACTS).bind(Json(rows.collect::<BTreeMap<_, _>>()));
        insert.execute(&mut *self.0).await?;
        Ok(())
    }

    /// Returns how many were not there yet.
    async fn insert_rejection(&mut self, row: &RejectionRow<'_>) -> Outcome<u64> {
        let done = sqlx::query(
            r#"INSERT INTO rejections (source, "offset", length, sha256, reason, excerpt, at,
                                       rejection_key)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (rejection_key) DO NOTHING"#,
        )
        .bind(row.source)
        .bind(row.offset.cast_signed())
        .bind(row.rejection.length.cast_signed())
        .bind(&row.rejection.sha256)
        .bind(&row.rejection.reason)
        .bind(&row.rejection.excerpt)
        .bind(now())
        .bind(&row.key)
        .execute(&mut *self.0)
        .await?;
        Ok(done.rows_affected())
    }

    async fn put_moves(&mut self, moves: &[Moved<'_>]) -> Outcome<()> {
        if moves.is_empty() {
            return Ok(());
        }
        let moves = moves.iter().map(|to| {
            let offset = to.after.offset.cast_signed();
            let identity = &to.after.identity;
            (to.id, to.path, identity, offset, to.rewritten, to.reading)
        });
        let moves = Json(moves.collect::<Vec<_>>());
        let put = sqlx::query(MOVED).bind(moves).bind(now());
        put.execute(&mut *self.0).await?;
        Ok(())
    }

    /// What stood under the path that a file has now.
    async fn vacate(&mut self, to: &Moved<'_>) -> Outcome<()> {
        sqlx::query(
            "UPDATE checkpoints SET path = 'replaced:' || id || ':' || path
             WHERE path = ?1 AND id <> ?2
               AND host = (SELECT host FROM checkpoints WHERE id = ?2)",
        )
        .bind(to.path)
        .bind(to.id)
        .execute(&mut *self.0)
        .await?;
        Ok(())
    }
}

fn locked(row: &SqliteRow) -> Locked {
    Locked {
        id: row.get(0),
        path: row.get(1),
        position: position(row, 2),
        known_until: row.get::<i64, _>(4).cast_unsigned(),
    }
}

fn position(row: &SqliteRow, from: usize) -> Position {
    Position {
        identity: row.get(from),
        offset: row.get::<i64, _>(from + 1).cast_unsigned(),
    }
}

fn in_hex<const N: usize>(keys: &[[u8; N]]) -> Json<Vec<String>> {
    Json(keys.iter().map(|key| hex(key)).collect())
}

fn now() -> String {
    Timestamp::now().to_string()
}
