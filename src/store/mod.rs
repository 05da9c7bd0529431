//! Events at rest.
//!
//! In: [`Segment`]s: valid events with the position in their file up to which
//! they were read.
//! Out: [`Stored`] events after a cursor, in id order, and wake-ups.
//!
//! Promises
//! - an event, the rows derived from it and its checkpoint commit together or not at all
//! - storing the same fact twice stores it once; the second copy is counted
//! - a checkpoint moves only from where the writer believes it to be; otherwise
//!   the answer is “read again from the row” ([`Failure::Moved`])
//! - a failure says what to do: wait ([`Failure::Away`]) or set the event aside
//!   ([`Failure::Refused`])
//! - an id becomes readable only after every smaller id is settled
//!
//! Not here: validation (`event`), when to retry (`capture`), what to do when
//! readers are slow (`stream`).

mod again;
mod alerts;
mod answer;
mod append;
mod archive;
pub(crate) mod connect;
mod correction;
mod failure;
mod link;
mod migrate;
mod postgres;
pub mod read;
pub mod roles;
mod segment;
mod sqlite;
mod stored;
pub mod wake;
mod writer;

use std::path::PathBuf;

pub use crate::derive::Process;
pub use alerts::{AlertKey, NewAlert};
pub use append::rejection_key;
pub use correction::Correction;
pub use failure::Failure;
pub use migrate::{SCHEMA_VERSION, SchemaError};
pub use segment::{
    Appended, CheckpointRow, Counters, Duplicates, OpenSession, Segment, WatcherBeat,
};
pub use stored::{Filter, Stored};
pub use writer::Writer;

/// Where the log lives.
#[derive(Clone, PartialEq, Eq)]
pub enum Database {
    Sqlite(PathBuf),
    /// The URL may hold a password: it is never printed.
    Postgres(String),
}

impl Database {
    pub fn backend(&self) -> &'static str {
        match self {
            Database::Sqlite(_) => "sqlite",
            Database::Postgres(_) => "postgres",
        }
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Database::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Database::Postgres(_) => f.write_str("postgres:…"),
        }
    }
}

/// A new SQLite file with our tables, to write to.
#[cfg(test)]
pub(crate) async fn new_sqlite(path: &std::path::Path) -> sqlx::SqliteConnection {
    use sqlx::ConnectOptions;
    let options = connect::sqlite(path).create_if_missing(true);
    let mut link = options.connect().await.unwrap();
    migrate::sqlite(&mut link).await.unwrap();
    link
}
