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
    ACQUIRE_TIMEOUT, Head, PAGE_BYTES, Page, Range, ReadError, Rest, Result, Settled,
    error::check_schema,
    newest,
    rows::{AgentRow, EventRow, ProjectRow, WatcherRow},
};

const CONNECTIONS: u32 = 2;

macro_rules! event_columns {
    () => {
        "SELECT id, event_type, timestamp, recorded_at, project_id, agent_id, command_id, \
         turn_id, payload FROM events WHERE "
    };
}

pub struct Sqlite {
    path: PathBuf,
    is_one_look: bool,
    known: i64,
    open: Mutex<Option<Opened>>,
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
            known: newest(&sqlx::migrate!("src/store/migrations/sqlite")),
            open: Mutex::new(None),
        }
    }

    pub async fn after(&self, cursor: i64, limit: usize) -> Result<Settled> {
        let pool = self.ready().await?;
        let sql = concat!(event_columns!(), "id > ? ORDER BY id LIMIT ?");
        let rows = sqlx::query_as(sql)
            .bind(cursor)
            .bind(limit as i64)
            .fetch(&pool);
        let page = collect(rows, limit, PAGE_BYTES).await?;
        let rest = if page.more { Rest::More } else { Rest::Nothing };
        Ok(Settled {
            events: page.events,
            rest,
        })
    }

    pub async fn settled(&self) -> Result<i64> {
        Ok(self.head().await?.newest)
    }

    pub async fn mark(&self, id: i64) -> Result<Option<String>> {
        let pool = self.ready().await?;
        let key =
            sqlx::query_scalar("SELECT lower(hex(event_key)) FROM events WHERE id = ?").bind(id);
        Ok(key.fetch_optional(&pool).await?)
    }

    pub async fn knows(&self, id: i64, mark: &str) -> Result<bool> {
        let pool = self.ready().await?;
        let sql = "SELECT EXISTS (SELECT 1 FROM events WHERE id = ?1 AND hex(event_key) = upper(?2)) \
                   OR EXISTS (SELECT 1 FROM facts WHERE key = unhex(?2) AND event_id = ?1)";
        let known = sqlx::query_scalar(sql).bind(id).bind(mark);
        Ok(known.fetch_one(&pool).await?)
    }

    pub async fn range(&self, filter: &Filter, range: Range) -> Result<Page> {
        let pool = self.ready().await?;
        let mut sql = QueryBuilder::new(event_columns!());
        sql.push("id > ").push_bind(range.after.unwrap_or(i64::MIN));
        sql.push(" AND id < ")
            .push_bind(range.before.unwrap_or(i64::MAX));
        push_filter(&mut sql, filter);
        sql.push(if range.newest_first {
            " ORDER BY id DESC"
        } else {
            " ORDER BY id"
        });
        sql.push(" LIMIT ").push_bind(range.limit as i64);
        let rows = sql.build_query_as().fetch(&pool);
        collect(rows, range.limit, range.bytes).await
    }

    pub async fn head(&self) -> Result<Head> {
        let pool = self.ready().await?;
        let sql = "SELECT coalesce((SELECT max(id) FROM events), 0) AS newest, \
                   (SELECT min(id) FROM events) AS oldest, \
                   coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0) AS last_given";
        Ok(sqlx::query_as(sql).fetch_one(&pool).await?)
    }

    pub async fn pruned_below(&self, oldest: i64) -> Result<i64> {
        let pool = self.ready().await?;
        let sql = "SELECT coalesce(max(event_id), 0) FROM facts WHERE event_id < ?";
        Ok(sqlx::query_scalar(sql)
            .bind(oldest)
            .fetch_one(&pool)
            .await?)
    }

    pub async fn count(&self, after: i64, upto: i64) -> Result<i64> {
        let pool = self.ready().await?;
        let sql = "SELECT count(*) FROM events WHERE id > ? AND id <= ?";
        Ok(sqlx::query_scalar(sql)
            .bind(after)
            .bind(upto)
            .fetch_one(&pool)
            .await?)
    }

    pub async fn rejected(&self) -> Result<i64> {
        let pool = self.ready().await?;
        Ok(sqlx::query_scalar("SELECT count(*) FROM rejections")
            .fetch_one(&pool)
            .await?)
    }

    pub async fn last_write(&self) -> Result<Option<String>> {
        let pool = self.ready().await?;
        let sql = "SELECT recorded_at FROM events ORDER BY id DESC LIMIT 1";
        Ok(sqlx::query_scalar(sql).fetch_optional(&pool).await?)
    }

    pub async fn schema_version(&self) -> Result<i64> {
        let opened = self.opened()?;
        let sql = "SELECT max(version) FROM _sqlx_migrations WHERE success";
        check_schema(
            sqlx::query_scalar(sql).fetch_one(&opened.pool).await?,
            self.known,
        )
    }

    pub async fn watchers(&self) -> Result<Vec<WatcherRow>> {
        let pool = self.ready().await?;
        Ok(sqlx::query_as("SELECT * FROM watchers ORDER BY id")
            .fetch_all(&pool)
            .await?)
    }

    pub async fn projects(&self) -> Result<Vec<ProjectRow>> {
        let pool = self.ready().await?;
        let sql = "SELECT p.*, (SELECT count(*) FROM agents a WHERE a.project_id = p.id) AS agents \
                   FROM projects p ORDER BY p.name, p.id";
        Ok(sqlx::query_as(sql).fetch_all(&pool).await?)
    }

    pub async fn agents(&self, limit: usize) -> Result<Vec<AgentRow>> {
        let pool = self.ready().await?;
        let sql = "SELECT a.*, p.name AS project_name FROM agents a \
                   JOIN projects p ON p.id = a.project_id \
                   ORDER BY a.last_seen_at DESC, a.id DESC LIMIT ?";
        Ok(sqlx::query_as(sql)
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(&pool)
            .await?)
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
        let pool = SqlitePoolOptions::new()
            .max_connections(CONNECTIONS)
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
        .row_buffer_size(8)
        .disable_statement_logging()
}

fn push_filter(sql: &mut QueryBuilder<sqlx::Sqlite>, filter: &Filter) {
    let types = filter.types.iter().map(|kind| kind.as_str());
    push_among(sql, "event_type", types);
    push_among(sql, "project_id", filter.project_ids.iter().copied());
    push_among(sql, "agent_id", filter.agent_ids.iter().copied());
    if let Some(since) = filter.since {
        sql.push(" AND timestamp >= ").push_bind(since.to_string());
    }
}

fn push_among<'v, T>(
    sql: &mut QueryBuilder<sqlx::Sqlite>,
    column: &str,
    values: impl ExactSizeIterator<Item = T>,
) where
    T: sqlx::Encode<'v, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite> + Send + 'v,
{
    if values.len() == 0 {
        return;
    }
    sql.push(format_args!(" AND {column} IN ("));
    let mut list = sql.separated(", ");
    for value in values {
        list.push_bind(value);
    }
    sql.push(")");
}

/// Takes rows until there are `limit` of them or they fill `bytes`.
async fn collect(
    mut rows: impl Stream<Item = sqlx::Result<EventRow>> + Unpin,
    limit: usize,
    bytes: usize,
) -> Result<Page> {
    let (mut events, mut size) = (Vec::<Stored>::new(), 0);
    while size < bytes {
        let Some(row) = rows.try_next().await? else {
            let more = events.len() == limit;
            return Ok(Page { events, more });
        };
        size += row.size();
        events.push(row.into());
    }
    Ok(Page { events, more: true })
}
