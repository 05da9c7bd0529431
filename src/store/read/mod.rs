//! The log as readers see it.
//!
//! In: a cursor or a range of ids, and a [`Filter`].
//! Out: [`Stored`] events, settled ones in id order for those who follow; pages
//! and totals for those who look.
//!
//! Promises
//! - an id is delivered only when every smaller id is settled: visible, or its
//!   transaction is over ([`settle`])
//! - answers are bounded, in events and in bytes
//! - reading creates, migrates and changes nothing; the database may be away,
//!   come back, or be replaced by another file at any time
//!
//! Not here: waiting for news (`wake`), sharing one reading among many (`stream`).

macro_rules! ask {
    ($self:ident.$verb:ident($($argument:expr),*)) => {{
        let answer = async {
            match &$self.arm {
                Arm::Sqlite(sqlite) => sqlite.$verb($($argument),*).await,
                Arm::Postgres(postgres) => postgres.$verb($($argument),*).await,
            }
        };
        match tokio::time::timeout($crate::store::read::ANSWER_TIMEOUT, answer).await {
            Ok(answer) => answer,
            Err(_) => $self.abandon(),
        }
    }};
}

mod audit;
mod condition;
mod error;
mod postgres;
mod rows;
#[cfg(test)]
#[path = "../../../tests/behaviour/support/postgres.rs"]
#[allow(dead_code, reason = "each test binary uses a part of it")]
pub(crate) mod server;
mod settle;
mod sqlite;
#[cfg(test)]
mod tests;

use std::{path::Path, sync::Arc, time::Duration};

pub use audit::{CheckpointFacts, StoredSession, StoredTurn};
pub use condition::{Condition, Integrity, condition};
pub use error::ReadError;
pub use rows::{
    AgentRow, Head, PAGE_BYTES, PAGE_EVENTS, Page, ProjectRow, Rest, Settled, WatcherRow,
};

use super::{Filter, connect};

/// How long a read may wait for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a database may take to answer. The server ends what takes longer,
/// so no answer by then means that there is nobody to give it.
const ANSWER_TIMEOUT: Duration =
    connect::STATEMENT_TIMEOUT.saturating_add(connect::CONNECT_TIMEOUT);

type Result<T> = std::result::Result<T, ReadError>;

/// The reading half of the store. Cheap to clone; opens at the first question.
#[derive(Clone)]
pub struct Reader {
    arm: Arm,
}

#[derive(Clone)]
enum Arm {
    Sqlite(Arc<sqlite::Sqlite>),
    Postgres(Arc<postgres::Postgres>),
}

/// A range of ids, ends excluded, read from one of its ends.
#[derive(Debug, Clone, Copy)]
struct Range {
    after: Option<i64>,
    before: Option<i64>,
    newest_first: bool,
    limit: usize,
    bytes: usize,
}

impl Reader {
    pub fn sqlite(path: &Path) -> Reader {
        Reader {
            arm: Arm::Sqlite(Arc::new(sqlite::Sqlite::new(path, false))),
        }
    }

    /// For one look and not for more: what begins to be written meanwhile may
    /// be missed, and nothing is left beside the file.
    pub fn sqlite_once(path: &Path) -> Reader {
        Reader {
            arm: Arm::Sqlite(Arc::new(sqlite::Sqlite::new(path, true))),
        }
    }

    /// On at most so many connections at once.
    pub fn postgres(url: &str, role: &str, connections: u32) -> Result<Reader> {
        let postgres = postgres::Postgres::new(url, role, connections)?;
        Ok(Reader {
            arm: Arm::Postgres(Arc::new(postgres)),
        })
    }

    /// Says goodbye to the database: its connections end in order. A reader that
    /// is used afterwards finds it away.
    pub async fn close(&self) {
        match &self.arm {
            Arm::Sqlite(sqlite) => sqlite.close().await,
            Arm::Postgres(postgres) => postgres.close().await,
        }
    }

    /// `sqlite` or `postgres`.
    pub fn backend(&self) -> &'static str {
        match self.arm {
            Arm::Sqlite(_) => "sqlite",
            Arm::Postgres(_) => "postgres",
        }
    }

    /// Settled events after `cursor`, in id order.
    pub async fn after(&self, cursor: i64, limit: usize) -> Result<Settled> {
        ask!(self.after(cursor, limit.min(PAGE_EVENTS)))
    }

    /// The id up to which everything is settled: where a follower without a
    /// cursor begins.
    pub async fn settled(&self) -> Result<i64> {
        ask!(self.settled())
    }

    /// What tells the event of this id from one of another log: its key.
    pub async fn mark(&self, id: i64) -> Result<Option<String>> {
        ask!(self.mark(id))
    }

    /// Whether this is still the log in which `id` had that mark, be the event
    /// there or pruned. Ask after reading, so that a log that was exchanged
    /// meanwhile is noticed.
    pub async fn knows(&self, id: i64, mark: &str) -> Result<bool> {
        ask!(self.knows(id, mark))
    }

    /// Forgets what was learnt about transactions: the log is another one.
    pub fn forget(&self) {
        if let Arm::Postgres(postgres) = &self.arm {
            postgres.forget();
        }
    }

    fn abandon<T>(&self) -> Result<T> {
        match &self.arm {
            Arm::Sqlite(sqlite) => sqlite.abandon(),
            Arm::Postgres(postgres) => postgres.abandon(),
        }
        Err(ReadError::Silent)
    }

    /// Events in (`after`, `before`), newest first.
    pub async fn page(
        &self,
        filter: &Filter,
        before: Option<i64>,
        after: Option<i64>,
        limit: usize,
    ) -> Result<Page> {
        let range = Range {
            after,
            before,
            newest_first: true,
            limit: limit.min(PAGE_EVENTS),
            bytes: PAGE_BYTES,
        };
        ask!(self.range(filter, range))
    }

    /// Events in (`after`, `upto`], oldest first. `upto` must be settled.
    pub async fn replay(
        &self,
        filter: &Filter,
        after: i64,
        upto: i64,
        limit: usize,
        bytes: usize,
    ) -> Result<Page> {
        let range = Range {
            after: Some(after),
            before: upto.checked_add(1),
            newest_first: false,
            limit: limit.min(PAGE_EVENTS),
            bytes,
        };
        ask!(self.range(filter, range))
    }

    pub async fn head(&self) -> Result<Head> {
        ask!(self.head())
    }

    /// The highest id below `oldest` that was an event and is gone; 0 if none.
    pub async fn pruned_below(&self, oldest: i64) -> Result<i64> {
        ask!(self.pruned_below(oldest))
    }

    /// How many events have an id in (`after`, `upto`].
    pub async fn count(&self, after: i64, upto: i64) -> Result<i64> {
        ask!(self.count(after, upto))
    }

    pub async fn rejected(&self) -> Result<i64> {
        ask!(self.rejected())
    }

    /// When the newest event was committed.
    pub async fn last_write(&self) -> Result<Option<String>> {
        ask!(self.last_write())
    }

    pub async fn schema_version(&self) -> Result<i64> {
        ask!(self.schema_version())
    }

    pub async fn watchers(&self) -> Result<Vec<WatcherRow>> {
        ask!(self.watchers())
    }

    pub async fn projects(&self) -> Result<Vec<ProjectRow>> {
        ask!(self.projects())
    }

    /// The agents seen last, at most `limit`.
    pub async fn agents(&self, limit: usize) -> Result<Vec<AgentRow>> {
        ask!(self.agents(limit))
    }
}

/// The newest version in an embedded set of migrations.
fn newest(migrations: &sqlx::migrate::Migrator) -> i64 {
    migrations.iter().map(|one| one.version).max().unwrap_or(0)
}
