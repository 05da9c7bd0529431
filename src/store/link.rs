//! One connection for writing: made, with the tables up to date, and asked to store.

use std::{
    os::unix::fs::MetadataExt,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use sqlx::{ConnectOptions, PgConnection, SqliteConnection};
use tokio::time::timeout;

use crate::derive::Cause;

use super::{
    Database,
    append::{self, Outcome},
    connect::{self, CONNECT_TIMEOUT, STATEMENT_TIMEOUT},
    failure::Failure,
    migrate::{self, SCHEMA_VERSION},
    postgres::PostgresTransaction,
    segment::{Appended, Segment},
    sqlite::SqliteTransaction,
};

/// Longer than the server's own limit: after this the server is lost.
pub const LOST: Duration = STATEMENT_TIMEOUT.saturating_add(Duration::from_secs(3));

/// Planning the statements anew for each transaction took PostgreSQL longer than executing
/// them, so they are planned once, whatever the tables hold by then. Such a plan is good for
/// ever if it looks up each row by its key: one that reads a whole table would be chosen
/// while tables are small, and kept while they grow.
const PLANS: [(&str, &str); 5] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("jit", "off"),
];

pub enum Link {
    Sqlite(Box<SqliteLink>),
    Postgres(Box<PgConnection>),
}

impl Link {
    pub async fn append(
        &mut self,
        host: &str,
        segments: &[Segment],
        beside: &[Cause<'_>],
    ) -> Outcome<Appended> {
        match self {
            Link::Sqlite(link) => {
                let tx = SqliteTransaction::begin(&mut link.log).await?;
                append::append(tx, host, segments, beside).await
            }
            Link::Postgres(link) => {
                let tx = PostgresTransaction::begin(link).await?;
                append::append(tx, host, segments, beside).await
            }
        }
    }
}

pub struct SqliteLink {
    pub log: SqliteConnection,
    /// Beats need no flush to disk: losing one in a power cut loses nothing.
    pub beats: SqliteConnection,
    /// Device and inode of the file that is open. SQLite goes on reporting
    /// success on a file that was unlinked or replaced.
    pub file: (u64, u64),
}

pub async fn open(database: &Database, migrating: &AtomicBool) -> Outcome<Link> {
    Ok(match database {
        Database::Sqlite(path) => Link::Sqlite(Box::new(open_sqlite(path, migrating).await?)),
        Database::Postgres(url) => Link::Postgres(Box::new(open_postgres(url, migrating).await?)),
    })
}

async fn open_sqlite(path: &Path, migrating: &AtomicBool) -> Outcome<SqliteLink> {
    let options = connect::sqlite(path).create_if_missing(true);
    let mut log = options.connect().await?;
    let _lock = migrate::sqlite_lock(path).await?;
    if migrate::sqlite_is_outdated(&mut log).await? {
        with(migrating, migrate::sqlite(&mut log)).await?;
    }
    let beats = options
        .synchronous(sqlx::sqlite::SqliteSynchronous::Normal)
        .connect()
        .await?;
    let file = file_id(path)
        .ok_or_else(|| Failure::Away(format!("{} vanished while opening", path.display())))?;
    Ok(SqliteLink { log, beats, file })
}

async fn open_postgres(url: &str, migrating: &AtomicBool) -> Outcome<PgConnection> {
    let options = connect::postgres(url, "watcher")?.options(PLANS);
    let mut link = timeout(CONNECT_TIMEOUT, options.connect())
        .await
        .map_err(|_| {
            Failure::Away(format!(
                "no connection within {} s",
                CONNECT_TIMEOUT.as_secs()
            ))
        })??;
    // A server may fall silent after the greeting.
    let asked = timeout(LOST, migrate::postgres_is_outdated(&mut link)).await;
    if asked.unwrap_or_else(|_| Err(no_answer()))? {
        with(migrating, migrate::postgres(&mut link)).await?;
    }
    Ok(link)
}

/// Migrates, and shows it meanwhile, also when this is dropped half way.
async fn with<T>(migrating: &AtomicBool, migration: impl Future<Output = T>) -> T {
    struct Shown<'a>(&'a AtomicBool);
    impl Drop for Shown<'_> {
        fn drop(&mut self) {
            self.0.store(false, Ordering::Relaxed);
        }
    }
    tracing::info!(
        version = SCHEMA_VERSION,
        "bringing the tables to version {SCHEMA_VERSION}"
    );
    migrating.store(true, Ordering::Relaxed);
    let _shown = Shown(migrating);
    migration.await
}

pub fn no_answer() -> Failure {
    Failure::Away(format!("no answer within {} s", LOST.as_secs()))
}

pub fn file_id(path: &Path) -> Option<(u64, u64)> {
    let meta = std::fs::metadata(path).ok()?;
    Some((meta.dev(), meta.ino()))
}
