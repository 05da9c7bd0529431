//! The schema: brought up to this program's, refused when it is newer.

use std::{
    fs::{File, TryLockError},
    io,
    path::Path,
    time::{Duration, Instant},
};

use sqlx::{PgConnection, SqliteConnection, migrate::Migrator};

use super::failure::Failure;

static SQLITE: Migrator = sqlx::migrate!("src/store/migrations/sqlite");
pub static POSTGRES: Migrator = sqlx::migrate!("src/store/migrations/postgres");

/// The version this program reads and writes.
pub const SCHEMA_VERSION: i64 = 6;

/// How long one try waits for another program that makes the tables, and how
/// often it looks.
const LOCK_TIMEOUT: Duration = Duration::from_secs(3);
const LOCK_INTERVAL: Duration = Duration::from_millis(20);

#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone)]
pub enum SchemaError {
    #[error(
        "the database has schema version {found}, this program knows up to {SCHEMA_VERSION}: \
         install the newer headspace that made it"
    )]
    Newer { found: i64 },
    #[error(
        "the database has no headspace tables yet: run `headspace migrate` or start the watcher"
    )]
    Missing,
    #[error(
        "the database has schema version {found}, this program needs {SCHEMA_VERSION}: \
         run `headspace migrate` or start the watcher"
    )]
    Older { found: i64 },
    #[error(
        "the database belongs to another program (it has a table {table} of its own): use an empty one"
    )]
    Foreign { table: String },
    #[error(
        "the database's encoding is {encoding}, headspace needs UTF8: create it with ENCODING 'UTF8'"
    )]
    Encoding { encoding: String },
    #[error("the migration failed: {0}")]
    Failed(String),
}

/// What the database holds, compared with what this program knows.
pub fn compare(found: Option<i64>) -> Result<(), SchemaError> {
    match found {
        None => Err(SchemaError::Missing),
        Some(found) if found > SCHEMA_VERSION => Err(SchemaError::Newer { found }),
        Some(found) if found < SCHEMA_VERSION => Err(SchemaError::Older { found }),
        Some(_) => Ok(()),
    }
}

/// Keeps other programs from migrating the same file. SQLite's driver takes no
/// lock for it, so two that start together would both create the tables.
pub async fn sqlite_lock(file: &Path) -> Result<File, Failure> {
    lock_beside(file)
        .await
        .map_err(|error| Failure::Away(format!("cannot lock {}.migrate: {error}", file.display())))
}

/// Whether the file needs [`sqlite`]. It is in WAL mode afterwards.
pub async fn sqlite_is_outdated(link: &mut SqliteConnection) -> Result<bool, Failure> {
    let is_outdated = needs_migration(sqlite_version(link).await?)?;
    use_wal(link).await?;
    Ok(is_outdated)
}

/// Brings the file's schema up to date.
pub async fn sqlite(link: &mut SqliteConnection) -> Result<(), Failure> {
    if sqlite_version(link).await?.is_none() {
        let tables = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view')";
        refuse_foreign(
            &SQLITE,
            sqlx::query_scalar(tables).fetch_all(&mut *link).await?,
        )?;
    }
    run(&SQLITE, link).await
}

/// The switch needs the file for itself. Of two programs that ask for it at once
/// one is refused without waiting, and a reader of the new file may hold it up
/// for longer than a statement waits.
async fn use_wal(link: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let deadline = Instant::now() + LOCK_TIMEOUT;
    loop {
        let done = sqlx::query("PRAGMA journal_mode = WAL").execute(&mut *link);
        match done.await {
            Ok(_) => return Ok(()),
            Err(error) if Instant::now() >= deadline => return Err(error),
            Err(_) => tokio::time::sleep(LOCK_INTERVAL).await,
        }
    }
}

/// Whether the database needs [`postgres`].
pub async fn postgres_is_outdated(link: &mut PgConnection) -> Result<bool, Failure> {
    Ok(needs_migration(postgres_version(link).await?)?)
}

/// Brings the database's schema up to date, under the driver's advisory lock
/// and without the limit that other statements have.
pub async fn postgres(link: &mut PgConnection) -> Result<(), Failure> {
    let encoding: String = sqlx::query_scalar("SHOW server_encoding")
        .fetch_one(&mut *link)
        .await?;
    if encoding != "UTF8" {
        return Err(SchemaError::Encoding { encoding }.into());
    }
    if postgres_version(link).await?.is_none() {
        let tables = "SELECT relname::text FROM pg_class
                      WHERE relkind IN ('r', 'p', 'v', 'm', 'f')
                      AND relnamespace = to_regnamespace(current_schema())";
        let tables = sqlx::query_scalar(tables).fetch_all(&mut *link).await?;
        // Another start may have made them between the two questions.
        if postgres_is_outdated(link).await? {
            refuse_foreign(&POSTGRES, tables)?;
        }
    }
    let limits = ["statement_timeout", "lock_timeout"];
    for limit in limits {
        set(link, format!("SET {limit} = 0")).await?;
    }
    run(&POSTGRES, &mut *link).await?;
    for limit in limits {
        set(link, format!("RESET {limit}")).await?;
    }
    Ok(())
}

async fn set(link: &mut PgConnection, statement: String) -> Result<(), sqlx::Error> {
    let statement = sqlx::AssertSqlSafe(statement);
    sqlx::query(statement).execute(link).await.map(|_| ())
}

async fn run<'c, A>(migrations: &Migrator, link: A) -> Result<(), Failure>
where
    A: sqlx::Acquire<'c>,
    <A::Connection as std::ops::Deref>::Target: sqlx::migrate::Migrate,
{
    let done = migrations.run(link).await;
    done.map_err(|error| SchemaError::Failed(error.to_string()).into())
}

pub async fn sqlite_version(link: &mut SqliteConnection) -> Result<Option<i64>, sqlx::Error> {
    let there: Option<String> =
        sqlx::query_scalar("SELECT name FROM sqlite_master WHERE name = '_sqlx_migrations'")
            .fetch_optional(&mut *link)
            .await?;
    match there {
        None => Ok(None),
        Some(_) => {
            sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations WHERE success")
                .fetch_one(link)
                .await
        }
    }
}

pub async fn postgres_version(link: &mut PgConnection) -> Result<Option<i64>, sqlx::Error> {
    let there: bool = sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL")
        .fetch_one(&mut *link)
        .await?;
    match there {
        false => Ok(None),
        true => {
            sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations WHERE success")
                .fetch_one(link)
                .await
        }
    }
}

fn needs_migration(found: Option<i64>) -> Result<bool, SchemaError> {
    match compare(found) {
        Ok(()) => Ok(false),
        Err(SchemaError::Missing | SchemaError::Older { .. }) => Ok(true),
        Err(newer) => Err(newer),
    }
}

/// A database without our version must have none of our names either.
fn refuse_foreign(ours: &Migrator, tables: Vec<String>) -> Result<(), SchemaError> {
    let made = made_by(ours);
    let is_ours = |table: &String| made.contains(&table.as_str());
    match tables.into_iter().find(is_ours) {
        Some(table) => Err(SchemaError::Foreign { table }),
        None => Ok(()),
    }
}

/// The tables and views that the migrations make.
fn made_by(migrations: &Migrator) -> Vec<&str> {
    [
        made(migrations, "CREATE TABLE "),
        made(migrations, "CREATE VIEW "),
    ]
    .concat()
}

/// The names after this command at the start of a line.
pub fn made<'a>(migrations: &'a Migrator, command: &str) -> Vec<&'a str> {
    let lines = migrations.iter().flat_map(|one| one.sql.as_str().lines());
    lines
        .filter_map(|line| line.strip_prefix(command)?.split_whitespace().next())
        .collect()
}

/// Waits without holding up the process: the program that has the lock may be stuck.
async fn lock_beside(file: &Path) -> std::io::Result<File> {
    let mut path = file.as_os_str().to_owned();
    path.push(".migrate");
    let lock = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)?;
    let deadline = Instant::now() + LOCK_TIMEOUT;
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if Instant::now() >= deadline => {
                return Err(io::Error::other("another program is making the tables"));
            }
            Err(TryLockError::WouldBlock) => tokio::time::sleep(LOCK_INTERVAL).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_reader_of_the_new_file_does_not_make_its_migration_fail() {
        use sqlx::{ConnectOptions, Connection};
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log.db");
        let options = crate::store::connect::sqlite(&path).create_if_missing(true);
        let mut early = options.connect().await.unwrap();
        let mut reading = early.begin_with("BEGIN").await.unwrap();
        sqlx::query("SELECT name FROM sqlite_master")
            .fetch_all(&mut *reading)
            .await
            .unwrap();
        let leaves = async {
            // Longer than a statement waits for a lock.
            tokio::time::sleep(LOCK_TIMEOUT / 2).await;
            reading.rollback().await.unwrap();
        };
        let mut link = options.connect().await.unwrap();
        let _lock = sqlite_lock(&path).await.unwrap();
        let (outdated, ()) = tokio::join!(sqlite_is_outdated(&mut link), leaves);
        assert!(outdated.unwrap());
        sqlite(&mut link).await.unwrap();
        let mode: String = sqlx::query_scalar("PRAGMA journal_mode")
            .fetch_one(&mut link)
            .await
            .unwrap();
        assert_eq!(mode, "wal");
        assert_eq!(
            sqlite_version(&mut link).await.unwrap(),
            Some(SCHEMA_VERSION)
        );
    }

    #[test]
    fn both_databases_have_the_same_tables() {
        let made = made_by(&SQLITE);
        assert!(
            made.len() > 12 && made.contains(&"agent_states"),
            "{made:?}"
        );
        assert_eq!(made, made_by(&POSTGRES));
    }

    #[test]
    fn both_databases_have_the_same_migrations() {
        let names = |migrator: &Migrator| -> Vec<(i64, String)> {
            migrator
                .iter()
                .map(|m| (m.version, m.description.to_string()))
                .collect()
        };
        assert_eq!(names(&SQLITE), names(&POSTGRES));
        assert_eq!(names(&SQLITE).last().unwrap().0, SCHEMA_VERSION);
    }
}
