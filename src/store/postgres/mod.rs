//! PostgreSQL: all the writing SQL.
//!
//! The checkpoints' rows are locked first. A second writer waits there and then
//! sees the truth, so an answer to COMMIT may be lost without harm. A transaction
//! takes five round trips, however much it writes: BEGIN, lock, ask, write, COMMIT.

mod beside;
mod statements;

use sqlx::{PgConnection, Postgres, Row, postgres::PgRow, types::Json};

use crate::{
    derive::{Known, LineOrigin, NewEvent, Questions, Turn},
    tail::Position,
};

use super::{
    answer::KnownJson,
    append::{Fact, Locked, Moved, Outcome, RejectionRow, Rows, Transaction, Written},
    archive::keep,
    failure::Failure,
};

pub use beside::{beat, checkpoint, checkpoints, correct, open_sessions, registered_sessions};
use statements::{ASK, LOCK, WRITE, WRITE_AND_KEEP};

pub struct PostgresTransaction<'c>(sqlx::Transaction<'c, Postgres>);

impl<'c> PostgresTransaction<'c> {
    pub async fn begin(connection: &'c mut PgConnection) -> Outcome<Self> {
        Ok(Self(sqlx::Connection::begin(connection).await?))
    }

    /// What stood under the path that a file has now.
    async fn vacate(&mut self, to: &Moved<'_>) -> Outcome<()> {
        sqlx::query(
            "UPDATE checkpoints SET path = 'replaced:' || id || ':' || path
             WHERE path = $1 AND id <> $2
               AND host = (SELECT host FROM checkpoints WHERE id = $2)",
        )
        .bind(to.path)
        .bind(to.id)
        .execute(&mut *self.0)
        .await?;
        Ok(())
    }
}

impl Transaction for PostgresTransaction<'_> {
    async fn lock(&mut self, host: &str, paths: &[&str]) -> Outcome<Vec<Locked>> {
        // What another writer made in the meantime is seen by the second statement.
        for _ in 0..2 {
            let rows = sqlx::query(LOCK).bind(host).bind(paths);
            let rows = rows.fetch_all(&mut *self.0).await?;
            if rows.len() == paths.len() {
                return Ok(rows.iter().map(locked).collect());
            }
        }
        Err(Failure::Raced)
    }

    async fn ask(&mut self, host: &str, questions: &Questions<'_>) -> Outcome<Known> {
        let answer: Json<KnownJson> = sqlx::query_scalar(ASK)
            .bind(slices(&questions.keys))
            .bind(slices(&questions.groups))
            .bind(host)
            .bind(&questions.projects)
            .bind(&questions.sessions)
            .bind(i64::try_from(questions.turns).unwrap_or(i64::MAX))
            .bind(&questions.shared)
            .fetch_one(&mut *self.0)
            .await?;
        Ok(answer.0.to(questions))
    }

    async fn write(&mut self, host: &str, rows: &Rows<'_>) -> Outcome<Written> {
        for to in rows.moves.iter().filter(|to| to.renamed) {
            self.vacate(to).await?;
        }
        let pieces = keep::pieces(&rows.moves);
        let last = keep::postgres(&mut self.0, &pieces).await?;
        let write = sqlx::query(match last {
            [] => WRITE,
            _ => WRITE_AND_KEEP,
        });
        let write = write
            .bind(host)
            .bind(Json(&rows.plan.projects))
            .bind(Json(&rows.plan.agents));
        let write = bind_events(write, &rows.plan.events);
        let write = bind_facts(write, &rows.facts);
        let write = bind_rejections(write, &rows.rejections);
        let write = bind_moves(write, &rows.moves)
            .bind(Json(&rows.plan.tool_uses))
            .bind(Json(&rows.plan.interruptions))
            .bind(Json(&rows.plan.usage))
            .bind(column(&rows.plan.events, |event| event.command_id))
            .bind(column(&rows.plan.events, |event| event.turn_id))
            .bind(Json(&rows.plan.commands));
        let write = bind_turns(write, &rows.plan.turns)
            .bind(Json(&rows.plan.changed_turns))
            .bind(Json(&rows.plan.linked));
        let write = match last {
            [] => write,
            pieces => keep::bind(write, pieces),
        };
        let row = write.fetch_one(&mut *self.0).await?;
        Ok(Written {
            last_id: row.get(0),
            rejected: row.get::<i64, _>(1).cast_unsigned(),
        })
    }

    async fn commit(self) -> Outcome<()> {
        Ok(self.0.commit().await?)
    }
}

pub type Query<'q> = sqlx::query::Query<'q, Postgres, sqlx::postgres::PgArguments>;

fn bind_events<'q>(write: Query<'q>, events: &'q [NewEvent]) -> Query<'q> {
    let source = |of: fn(LineOrigin) -> i64| column(events, move |event| event.source.map(of));
    write
        .bind(i64::try_from(events.len()).unwrap_or(i64::MAX))
        .bind(column(events, |event| event.moment.at.to_string()))
        .bind(column(events, |event| event.kind.as_str()))
        .bind(column(events, |event| event.payload.as_str()))
        .bind(column(events, |event| event.keys[0].as_slice()))
        .bind(column(events, |event| event.project_id))
        .bind(column(events, |event| event.agent_id))
        .bind(source(|source| source.checkpoint_id))
        .bind(source(|source| source.offset.cast_signed()))
        .bind(column(events, |event| event.moment.observed))
}

fn bind_turns<'q>(write: Query<'q>, turns: &'q [Turn]) -> Query<'q> {
    write
        .bind(column(turns, |turn| turn.id))
        .bind(column(turns, |turn| turn.command_id))
        .bind(column(turns, |turn| turn.actor))
        .bind(column(turns, |turn| turn.intent))
        .bind(column(turns, |turn| turn.text.as_str()))
        .bind(column(turns, |turn| turn.timestamp.to_string()))
        .bind(column(turns, |turn| turn.message_id.as_deref()))
        .bind(column(turns, |turn| turn.event.stored()))
        .bind(column(turns, |turn| turn.event.planned()))
}

fn bind_facts<'q>(write: Query<'q>, facts: &'q [Fact]) -> Query<'q> {
    write
        .bind(column(facts, |fact| fact.key.as_slice()))
        .bind(column(facts, |fact| fact.event.stored()))
        .bind(column(facts, |fact| fact.event.planned()))
}

fn bind_rejections<'q>(write: Query<'q>, rows: &'q [RejectionRow<'_>]) -> Query<'q> {
    write
        .bind(column(rows, |row| row.source))
        .bind(column(rows, |row| row.offset.cast_signed()))
        .bind(column(rows, |row| row.rejection.length.cast_signed()))
        .bind(column(rows, |row| row.rejection.sha256.as_str()))
        .bind(column(rows, |row| row.rejection.reason.as_str()))
        .bind(column(rows, |row| row.rejection.excerpt.as_slice()))
        .bind(column(rows, |row| row.key.as_str()))
}

fn bind_moves<'q>(write: Query<'q>, moves: &'q [Moved<'_>]) -> Query<'q> {
    write
        .bind(column(moves, |to| to.id))
        .bind(column(moves, |to| to.path))
        .bind(column(moves, |to| to.after.identity.as_str()))
        .bind(column(moves, |to| to.after.offset.cast_signed()))
        .bind(column(moves, |to| i64::from(to.rewritten)))
        .bind(column(moves, |to| to.reading))
}

pub fn column<'q, R, T>(rows: &'q [R], value: impl Fn(&'q R) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}

fn slices<const N: usize>(keys: &[[u8; N]]) -> Vec<&[u8]> {
    keys.iter().map(|key| key.as_slice()).collect()
}

fn locked(row: &PgRow) -> Locked {
    Locked {
        id: row.get(0),
        path: row.get(1),
        position: position(row, 2),
        known_until: row.get::<i64, _>(4).cast_unsigned(),
    }
}

fn position(row: &PgRow, from: usize) -> Position {
    Position {
        identity: row.get(from),
        offset: row.get::<i64, _>(from + 1).cast_unsigned(),
    }
}
