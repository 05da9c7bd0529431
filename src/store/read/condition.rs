//! What a database says about itself, whatever stands in it: for `doctor`. One
//! connection, one look, nothing changed, nothing left behind.

use std::{
    io,
    path::Path,
    time::{Duration, Instant},
};

use sqlx::{Connection, PgConnection, SqliteConnection};

use super::{ReadError, Result, sqlite::look_options};
use crate::store::{Database, SchemaError, connect, migrate};

#[derive(Debug)]
pub struct Condition {
    /// `SQLite 3.46.0`, `PostgreSQL 15.14`.
    pub server: String,
    /// PostgreSQL's, as it counts: 150014.
    pub version: Option<i64>,
    pub encoding: String,
    pub schema: std::result::Result<i64, SchemaError>,
    /// The role's name on PostgreSQL.
    pub role: Option<String>,
    /// Takes no writes at all: a standby, or made so.
    pub is_read_only: bool,
    /// What the watcher needs and the role may not: `INSERT ON events`.
    pub lacking: Vec<String>,
    pub integrity: Integrity,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Integrity {
    Sound,
    /// What SQLite said first.
    Damaged(String),
    /// The time was over before the end.
    Unfinished,
    /// PostgreSQL sees to that itself.
    NotAsked,
}

/// The file as it lies there. `check` is how long looking for damage may take.
pub async fn condition(database: &Database, check: Duration) -> Result<Condition> {
    match database {
        Database::Sqlite(path) => sqlite(path, check).await,
        Database::Postgres(url) => postgres(url).await,
    }
}

async fn sqlite(path: &Path, check: Duration) -> Result<Condition> {
    if let Err(error) = std::fs::metadata(path) {
        return Err(match error.kind() {
            io::ErrorKind::NotFound => ReadError::Absent,
            _ => ReadError::Away(error.into()),
        });
    }
    let mut link = SqliteConnection::connect_with(&look_options(path, true)).await?;
    let version: String = one(&mut link, "SELECT sqlite_version()").await?;
    let encoding = one(&mut link, "PRAGMA encoding").await?;
    let found = migrate::sqlite_version(&mut link).await?;
    Ok(Condition {
        server: format!("SQLite {version}"),
        version: None,
        encoding,
        schema: schema(found),
        role: None,
        is_read_only: false,
        lacking: vec![],
        integrity: integrity(&mut link, check).await?,
    })
}

async fn one(link: &mut SqliteConnection, sql: &'static str) -> Result<String> {
    Ok(sqlx::query_scalar(sql).fetch_one(link).await?)
}

/// A file may be of any size: SQLite is asked now and then whether to go on.
async fn integrity(link: &mut SqliteConnection, limit: Duration) -> Result<Integrity> {
    let end = Instant::now() + limit;
    link.lock_handle()
        .await?
        .set_progress_handler(10_000, move || Instant::now() < end);
    match one(link, "PRAGMA quick_check(1)").await {
        Ok(said) if said == "ok" => Ok(Integrity::Sound),
        Ok(said) => {
            let words: Vec<&str> = said.split_whitespace().collect();
            Ok(Integrity::Damaged(words.join(" ")))
        }
        Err(_) if Instant::now() >= end => Ok(Integrity::Unfinished),
        Err(ReadError::Refused(error)) => Ok(Integrity::Damaged(error.to_string())),
        Err(error) => Err(error),
    }
}

fn schema(found: Option<i64>) -> std::result::Result<i64, SchemaError> {
    migrate::compare(found).map(|()| found.unwrap_or_default())
}

#[derive(sqlx::FromRow)]
struct ServerFacts {
    version: String,
    version_number: i64,
    encoding: String,
    role: String,
    is_read_only: bool,
}

const SERVER: &str = "SELECT current_setting('server_version') AS version, \
     current_setting('server_version_num')::bigint AS version_number, \
     current_setting('server_encoding') AS encoding, current_user::text AS role, \
     current_setting('transaction_read_only') = 'on' OR pg_is_in_recovery() AS is_read_only";

async fn postgres(url: &str) -> Result<Condition> {
    let options = connect::postgres(url, "doctor")?;
    let mut link = PgConnection::connect_with(&options).await?;
    let server: ServerFacts = sqlx::query_as(SERVER).fetch_one(&mut link).await?;
    let found = migrate::postgres_version(&mut link).await?;
    let lacking = if found.is_some() { RIGHTS } else { MAKE_TABLES };
    Ok(Condition {
        server: format!("PostgreSQL {}", server.version),
        version: Some(server.version_number),
        encoding: server.encoding,
        schema: schema(found),
        role: Some(server.role),
        is_read_only: server.is_read_only,
        lacking: sqlx::query_scalar(lacking).fetch_all(&mut link).await?,
        integrity: Integrity::NotAsked,
    })
}

/// The watcher reads and writes every table of the schema, and draws ids from every
/// sequence; what is only ever added to is neither changed nor removed, and the
/// list of migrations is only read. So a new table needs no entry here.
const RIGHTS: &str = "SELECT privilege || ' ON ' || relname \
     FROM pg_class CROSS JOIN (VALUES ('SELECT'), ('INSERT'), ('UPDATE'), ('DELETE')) needed(privilege) \
     WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' \
     AND (privilege = 'SELECT' OR relname NOT IN ('_sqlx_migrations', 'log')) \
     AND (privilege IN ('SELECT', 'INSERT') OR relname NOT IN ('events', 'facts', 'rejections')) \
     AND NOT has_table_privilege(pg_class.oid, privilege) \
     UNION ALL SELECT 'UPDATE (command_id, turn_id) ON events' \
     WHERE NOT (has_column_privilege('events', 'command_id', 'UPDATE') \
                AND has_column_privilege('events', 'turn_id', 'UPDATE')) \
     UNION ALL SELECT 'USAGE ON SEQUENCE ' || relname FROM pg_class \
     WHERE relnamespace = current_schema()::regnamespace \
     AND CASE WHEN relkind = 'S' THEN NOT has_sequence_privilege(pg_class.oid, 'USAGE') END";

/// Where there are no tables yet, they have to be made.
const MAKE_TABLES: &str = "SELECT 'CREATE ON SCHEMA ' || current_schema()::text \
     WHERE NOT has_schema_privilege(current_schema(), 'CREATE')";
