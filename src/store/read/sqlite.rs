//! Reading SQLite. One writer at a time makes commit order id order here, so
//! every visible event is settled.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::{Stream, TryStreamExt};
use sqlx::{
    ConnectOptions, QueryBuilder, SqlitePool,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};

use super::{
    super::{Filter, Stored},
    ACQUIRE_TIMEOUT, ReadError, Result, SCHEMA_VERSION,
    error::check_schema,
    follow::{Bookmark, FollowRow, log_and_key, seen_columns, settled},
    newest,
    page::{Range, event_columns},
    rows::{AfterPage, EventRow, Head, PAGE_BYTES, Page, Settled},
};

const CONNECTIONS: u32 = 2;

/// What a connection for many rows keeps in memory.
const BULK_CACHE_KIB: i64 = 64 * 1024;

/// How many rows are read ahead. Each time that so many are there, two threads wait for
/// each other; but what they hold is memory, in a process that lives long and in one that
/// has to get it first.
const FEW_ROWS: usize = 8;
const SOME_ROWS: usize = 64;
const BULK_ROWS: usize = 512;

pub struct Sqlite {
    path: PathBuf,
    is_one_look: bool,
    work: Work,
    known: i64,
    open: Mutex<Option<Opened>>,
}

/// What the reader is for.
#[derive(Clone, Copy)]
enum Work {
    Serving,
    ManyRows,
    FewQuestions,
}

#[derive(Clone)]
struct Opened {
    file: (u64, u64),
    pool: SqlitePool,
    checked: Arc<AtomicBool>,
}

impl Sqlite {
    pub fn new(path: &Path, is_one_look: bool) -> Sqlite {
        Sqlite {
            path: path.to_owned(),
            is_one_look,
            work: Work::Serving,
            known: newest(&sqlx::migrate!("src/store/migrations/sqlite")),
            open: Mutex::new(None),
        }
    }

    pub fn for_many_rows(&self) -> Sqlite {
        self.anew(Work::ManyRows)
    }

    pub fn for_a_few_questions(&self) -> Sqlite {
        self.anew(Work::FewQuestions)
    }

    fn anew(&self, work: Work) -> Sqlite {
        Sqlite {
            work,
            ..Sqlite::new(&self.path, self.is_one_look)
        }
    }

    pub async fn log_and_key(&self, id: i64) -> Result<(String, Option<Vec<u8>>)> {
        let row = sqlx::query_as(log_and_key!("CAST(event_key AS BLOB)")).bind(id);
        Ok(row.fetch_one(&self.ready().await?).await?)
    }

    pub async fn after(&self, at: &Bookmark, limit: usize) -> Result<Settled> {
        let pool = self.ready().await?;
        let sql = concat!(
            "SELECT ",
            seen_columns!("CAST(event_key AS BLOB)"),
            "e.*, CAST(e.event_key AS BLOB) AS key_bytes FROM log LEFT JOIN events e ON e.id > $1 WHERE log.id = 1 ORDER BY e.id LIMIT $3"
        );
        let rows = sqlx::query_as(sql)
            .bind(at.cursor)
            .bind(at.key())
            .bind(limit as i64)
            .fetch(&pool);
        let size = |row: &FollowRow| row.event.as_ref().map_or(0, |event| event.row.size());
        let (rows, more) = collect(rows, limit, PAGE_BYTES, size).await?;
        let Some(FollowRow { seen, .. }) = rows.first() else {
            return Err(sqlx::Error::RowNotFound.into());
        };
        let seen = seen.clone();
        let events: Vec<_> = rows.into_iter().filter_map(|row| row.event).collect();
        let rest = if more {
            AfterPage::More
        } else {
            AfterPage::Nothing
        };
        Ok(settled(at, &seen, events, rest))
    }

    pub async fn settled(&self) -> Result<i64> {
        Ok(self.head().await?.newest)
    }

    pub async fn range(&self, filter: &Filter, range: Range) -> Result<Page> {
        let pool = self.ready().await?;
        let mut sql = QueryBuilder::new(concat!("SELECT ", event_columns!()));
        range.push(&mut sql, filter);
        let rows = sql.build_query_as().fetch(&pool);
        let (rows, more) = collect(rows, range.limit, range.bytes, EventRow::size).await?;
        Ok(Page {
            events: rows.into_iter().map(Stored::from).collect(),
            more,
        })
    }

    pub async fn head(&self) -> Result<Head> {
        let pool = self.ready().await?;
        let sql = "SELECT coalesce((SELECT max(id) FROM events), 0) AS newest, \
                   (SELECT min(id) FROM events) AS oldest, \
                   coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0) AS last_given";
        Ok(sqlx::query_as(sql).fetch_one(&pool).await?)
    }

    pub async fn schema_version(&self) -> Result<i64> {
        let opened = self.opened()?;
        let found = sqlx::query_scalar(SCHEMA_VERSION).fetch_one(&opened.pool);
        check_schema(found.await?, self.known)
    }

    pub fn abandon(&self) {
        *self.open.lock().expect("no panic while opening") = None;
    }

    pub async fn close(&self) {
        let opened = self.open.lock().expect("no panic while opening").take();
        if let Some(opened) = opened {
            opened.pool.close().await;
        }
    }

    /// A pool on the file that has this path now, its schema checked once.
    pub(super) async fn ready(&self) -> Result<SqlitePool> {
        let opened = self.opened()?;
        if !opened.checked.load(Ordering::Relaxed) {
            self.schema_version().await?;
            opened.checked.store(true, Ordering::Relaxed);
        }
        Ok(opened.pool)
    }

    /// SQLite goes on reading an unlinked or replaced file without a word, so
    /// the file behind the path is compared with the open one before each use.
    fn opened(&self) -> Result<Opened> {
        let mut open = self.open.lock().expect("no panic while opening");
        let file = match fs::metadata(&self.path) {
            Ok(meta) => (meta.dev(), meta.ino()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                *open = None;
                return Err(ReadError::Absent);
            }
            Err(error) => return Err(ReadError::Away(error.into())),
        };
        match &*open {
            Some(opened) if opened.file == file => Ok(opened.clone()),
            _ => Ok(open.insert(self.open(file)).clone()),
        }
    }

    fn open(&self, file: (u64, u64)) -> Opened {
        let options = look_options(&self.path, self.is_one_look);
        let pool = SqlitePoolOptions::new();
        let (options, pool) = match self.work {
            Work::Serving => (options, pool.max_connections(CONNECTIONS)),
            Work::ManyRows => {
                let options = options.row_buffer_size(BULK_ROWS);
                let cache = format!("-{BULK_CACHE_KIB}");
                let options = options.pragma("cache_size", cache);
                (options, pool.max_connections(CONNECTIONS))
            }
            Work::FewQuestions => {
                let options = options.row_buffer_size(SOME_ROWS);
                (options, pool.max_connections(1).test_before_acquire(false))
            }
        };
        let pool = pool
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_lazy_with(options);
        Opened {
            file,
            pool,
            checked: Arc::default(),
        }
    }
}

/// A reader in WAL mode makes two files beside the database and leaves them
/// there. One look does without while there is nothing in them.
pub(super) fn look_options(path: &Path, is_one_look: bool) -> SqliteConnectOptions {
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    let is_all_in_the_file = fs::metadata(wal).map_or(true, |wal| wal.len() == 0);
    SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .immutable(is_one_look && is_all_in_the_file)
        .create_if_missing(false)
        .busy_timeout(Duration::from_secs(1))
        .row_buffer_size(FEW_ROWS)
        .disable_statement_logging()
}

/// Takes rows until there are `limit` of them or they fill `bytes`; whether there
/// may be more.
async fn collect<T>(
    mut rows: impl Stream<Item = sqlx::Result<T>> + Unpin,
    limit: usize,
    bytes: usize,
    size: impl Fn(&T) -> usize,
) -> Result<(Vec<T>, bool)> {
    let (mut taken, mut filled) = (Vec::new(), 0);
    while filled < bytes {
        let Some(row) = rows.try_next().await? else {
            let more = taken.len() == limit;
            return Ok((taken, more));
        };
        filled += size(&row);
        taken.push(row);
    }
    Ok((taken, true))
}
