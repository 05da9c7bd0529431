//! How both databases are reached: options every connection shares.

use std::{path::Path, str::FromStr, time::Duration};

use sqlx::{
    ConnectOptions,
    postgres::PgConnectOptions,
    sqlite::{SqliteConnectOptions, SqliteSynchronous},
};

/// A statement that takes longer than this has lost its server.
pub const STATEMENT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection attempt may take.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Durable by default: an acknowledged commit survives a power cut. The file
/// itself remembers that it is in WAL mode; the migration sets that.
pub fn sqlite(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(1))
        // Large pages waste less at their end. Only a file that is made new takes it.
        .page_size(8192)
        // 32 MB. The keys of facts are spread over all their pages: the more commits
        // share a checkpoint, the fewer times is each of them written.
        .pragma("wal_autocheckpoint", "4000")
        .pragma("cache_size", "-4096")
        .disable_statement_logging()
}

/// The server gives up on what this side no longer waits for.
pub fn postgres(url: &str, role: &str) -> Result<PgConnectOptions, sqlx::Error> {
    let timeout = STATEMENT_TIMEOUT.as_millis().to_string();
    Ok(PgConnectOptions::from_str(url)?
        .application_name(&format!("headspace {role}"))
        .options([
            ("statement_timeout", timeout.as_str()),
            ("lock_timeout", timeout.as_str()),
            ("idle_in_transaction_session_timeout", timeout.as_str()),
            ("tcp_keepalives_idle", "10"),
            ("tcp_keepalives_interval", "5"),
            ("tcp_keepalives_count", "2"),
        ])
        .disable_statement_logging())
}
