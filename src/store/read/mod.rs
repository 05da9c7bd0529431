//! The log as readers see it.
//!
//! In: a cursor or a range of ids, and a [`Filter`].
//! Out: [`Stored`] events: settled ones in id order for a follower, pages for a
//! look; rows and totals.
//!
//! Promises
//! - an id is delivered only when every smaller id is settled: visible, or its
//!   transaction is over ([`settle`])
//! - answers are bounded, in events and in bytes
//! - a follower asks once a batch, and the answer says whether this is still the
//!   log it followed
//! - reading creates, migrates and changes nothing; the database may be away,
//!   come back, or be replaced by another file at any time
//!
//! A question is one SQL text for both databases where their dialects allow it:
//! `columns` reads what they hold in different types.
//!
//! Not here: waiting for news (`wake`), sharing one reading among many (`stream`).

/// A question that each database answers in its own way.
macro_rules! ask {
    ($self:ident.$verb:ident($($argument:expr),*)) => {
        $self.in_time(async {
            match &$self.arm {
                Arm::Sqlite(sqlite) => sqlite.$verb($($argument),*).await,
                Arm::Postgres(postgres) => postgres.$verb($($argument),*).await,
            }
        }).await
    };
}

/// A question that is one SQL text for both databases.
macro_rules! fetch {
    ($self:ident, $fetch:ident, $query:ident($sql:expr) $(, $argument:expr)*) => {
        $self.in_time(async {
            Ok(match &$self.arm {
                Arm::Sqlite(db) => {
                    sqlx::$query($sql)$(.bind($argument))*.$fetch(&db.ready().await?).await?
                }
                Arm::Postgres(db) => {
                    sqlx::$query($sql)$(.bind($argument))*.$fetch(&db.ready().await?).await?
                }
            })
        }).await
    };
}

/// The same for an SQL text that ends with a list of values.
macro_rules! fetch_among {
    ($self:ident, $sql:expr, $values:expr) => {
        $self
            .in_time(async {
                Ok(match &$self.arm {
                    Arm::Sqlite(db) => {
                        let mut sql = sqlx::QueryBuilder::<sqlx::Sqlite>::new($sql);
                        push_list(&mut sql, $values);
                        sql.build_query_as().fetch_all(&db.ready().await?).await?
                    }
                    Arm::Postgres(db) => {
                        let mut sql = sqlx::QueryBuilder::<sqlx::Postgres>::new($sql);
                        push_list(&mut sql, $values);
                        sql.build_query_as().fetch_all(&db.ready().await?).await?
                    }
                })
            })
            .await
    };
}

mod agents;
mod archive;
mod audit;
mod columns;
mod condition;
mod conversation;
mod error;
mod follow;
mod inbox;
mod look;
mod open;
mod page;
mod postgres;
mod rebuild;
mod rows;
#[cfg(test)]
#[path = "../../../tests/behaviour/support/postgres.rs"]
#[allow(dead_code, reason = "each test binary uses a part of it")]
pub(crate) mod server;
mod settle;
mod sqlite;
#[cfg(test)]
mod tests;
mod waiting;

use std::{path::Path, sync::Arc, time::Duration};

pub use agents::{
    AgentCursor, AgentFilter, AgentRow, CommandRow, NEEDS, PAGE_ROWS, STATES, ToolUseRow, TurnRow,
};
pub use archive::{ArchiveFacts, ArchivedFile, KeptFile, SessionFile};
pub use audit::{CheckpointFacts, StoredSession, StoredTurn, Totals};
pub use columns::{Json, UtcText};
pub use condition::{Condition, Integrity, condition};
pub use conversation::{FileRow, PromptRow};
pub use error::ReadError;
pub use follow::Bookmark;
pub use inbox::{InboxRow, SpanRow, WorkRow};
pub use open::Sign;
pub use rows::{
    AfterPage, Head, HookRow, PAGE_BYTES, PAGE_EVENTS, Page, ProjectRow, Settled, WatcherRow,
};
pub use waiting::{AlertRow, WaitingRow};

use super::connect;

/// How long a read may wait for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a database may take to answer. The server ends what takes longer,
/// so no answer by then means that the server is frozen or cut off.
const ANSWER_TIMEOUT: Duration =
    connect::STATEMENT_TIMEOUT.saturating_add(connect::CONNECT_TIMEOUT);

const SCHEMA_VERSION: &str = "SELECT max(version) FROM _sqlx_migrations WHERE success";

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

impl Reader {
    pub fn sqlite(path: &Path) -> Reader {
        Reader {
            arm: Arm::Sqlite(Arc::new(sqlite::Sqlite::new(path, false))),
        }
    }

    /// For one look only: what begins to be written meanwhile may be missed, and
    /// no file is left beside the database's.
    pub fn sqlite_once(path: &Path) -> Reader {
        Reader {
            arm: Arm::Sqlite(Arc::new(sqlite::Sqlite::new(path, true))),
        }
    }

    /// The same reader for a task that reads much of the log: it may keep more of
    /// it in memory and reads ahead.
    pub fn for_many_rows(self) -> Reader {
        match self.arm {
            Arm::Sqlite(sqlite) => Reader {
                arm: Arm::Sqlite(Arc::new(sqlite.for_many_rows())),
            },
            postgres @ Arm::Postgres(_) => Reader { arm: postgres },
        }
    }

    /// The same reader for a command that asks a few questions, one after the other, and
    /// ends: a second connection would take longer than the questions.
    pub fn for_a_few_questions(self) -> Reader {
        let arm = match self.arm {
            Arm::Sqlite(sqlite) => Arm::Sqlite(Arc::new(sqlite.for_a_few_questions())),
            Arm::Postgres(postgres) => Arm::Postgres(Arc::new(postgres.for_a_few_questions())),
        };
        Reader { arm }
    }

    /// On at most so many connections at once.
    pub fn postgres(url: &str, role: &str, connections: u32) -> Result<Reader> {
        let postgres = postgres::Postgres::new(url, role, connections)?;
        Ok(Reader {
            arm: Arm::Postgres(Arc::new(postgres)),
        })
    }

    /// Closes the connections in order. A reader that is used afterwards finds the
    /// database away.
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

    /// The id up to which everything is settled: where a follower without a
    /// cursor begins.
    pub async fn settled(&self) -> Result<i64> {
        ask!(self.settled())
    }

    /// Forgets what was learnt about transactions: the log is another one.
    pub fn forget(&self) {
        if let Arm::Postgres(postgres) = &self.arm {
            postgres.forget();
        }
    }

    async fn in_time<T>(&self, answer: impl Future<Output = Result<T>>) -> Result<T> {
        match tokio::time::timeout(ANSWER_TIMEOUT, answer).await {
            Ok(answer) => answer,
            Err(_) => {
                self.abandon();
                Err(ReadError::Silent)
            }
        }
    }

    fn abandon(&self) {
        match &self.arm {
            Arm::Sqlite(sqlite) => sqlite.abandon(),
            Arm::Postgres(postgres) => postgres.abandon(),
        }
    }
}

/// The newest version in an embedded set of migrations.
fn newest(migrations: &sqlx::migrate::Migrator) -> i64 {
    migrations.iter().map(|one| one.version).max().unwrap_or(0)
}
