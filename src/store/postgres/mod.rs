//! PostgreSQL: all the writing SQL.
//!
//! The checkpoints' rows are locked first. A second writer waits there and then
//! sees the truth, so an answer to COMMIT may be lost without harm. A transaction
//! takes five round trips, however much it writes: BEGIN, lock, ask, write, COMMIT.

mod beside;
mod bind;
mod instant;
mod statements;
mod write;

use sqlx::{PgConnection, Postgres, Row, postgres::PgRow, types::Json};

use crate::{
    derive::{Known, Questions},
    tail::Position,
};

use super::{
    answer::KnownJson,
    append::{Locked, Moved, Outcome, Rows, Transaction, Written},
    archive::keep,
    failure::Failure,
};

pub use beside::{beat, checkpoint, checkpoints, correct, open_sessions, registered_sessions};
pub use bind::{Query, column};
use statements::{ASK, LOCK};
use write::{WRITE, WRITE_AND_KEEP};

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
        let write = bind::rows(write, host, rows);
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
