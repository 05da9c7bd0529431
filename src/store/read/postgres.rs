//! Reading PostgreSQL. Transactions commit in another order than they draw
//! their ids, so followers go by the hole rule ([`super::settle`]).

use std::{
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sqlx::{
    Connection, PgPool, QueryBuilder,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::time::{Instant, sleep};

use super::{
    super::{Filter, connect},
    ACQUIRE_TIMEOUT, Result, SCHEMA_VERSION,
    error::check_schema,
    follow::{Bookmark, FollowRow, KeyedRow, log_and_key, seen_columns, settled},
    newest,
    page::{Range, event_columns},
    rows::{AfterPage, EventRow, Head, PAGE_BYTES, Page, Settled},
    settle::{Holes, Transactions},
};

/// A connection that was used so lately is not tried before its next question: that would
/// be a round trip for each wake-up. What goes wrong with it goes wrong with the question.
const FRESH: Duration = Duration::from_secs(1);
const BEGIN_PATIENCE: Duration = Duration::from_millis(500);
const BEGIN_PAUSE: Duration = Duration::from_millis(10);
/// How far back that beginning looks for holes when they do not end.
const BEGIN_SCAN: i64 = 10_000;

/// What the statement saw of the transactions around it. `age` counts from an id
/// to the next one to be given out.
macro_rules! snapshot_columns {
    () => {
        "pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS over_below, \
         pg_snapshot_xmax(pg_current_snapshot())::text::bigint \
         + age(pg_snapshot_xmax(pg_current_snapshot())::xid) AS next"
    };
}

/// Chosen events with the number of bytes before each, so that the server and not
/// the reader stops at the bound: what it has begun to send it sends to the end.
macro_rules! sized {
    ($order:expr) => {
        concat!(
            "SELECT *, count(*) OVER () AS found, \
             sum(pg_column_size(payload)) OVER (",
            $order,
            ") - pg_column_size(payload) AS size_before FROM "
        )
    };
}

/// An event of a page.
#[derive(sqlx::FromRow)]
struct FoundRow {
    #[sqlx(flatten)]
    event: EventRow,
    /// How many there were before the size was bounded.
    found: i64,
}

/// A row for a follower; the counts are of the statement.
#[derive(sqlx::FromRow)]
struct NewRow {
    #[sqlx(flatten)]
    follow: FollowRow,
    found: Option<i64>,
    over_below: i64,
    next: i64,
}

#[derive(sqlx::FromRow)]
struct Begin {
    newest: i64,
    over_below: i64,
    next: i64,
}

pub struct Postgres {
    options: PgConnectOptions,
    connections: u32,
    /// Whether a connection is tried before it is used again, unless it is fresh.
    is_tried: bool,
    pool: Mutex<PgPool>,
    known: i64,
    checked: AtomicBool,
    holes: Mutex<Holes>,
}

impl Postgres {
    pub fn new(url: &str, role: &str, connections: u32) -> Result<Postgres> {
        Ok(Postgres::with(
            connect::postgres(url, role)?,
            connections,
            true,
        ))
    }

    pub fn for_a_few_questions(&self) -> Postgres {
        Postgres::with(self.options.clone(), 1, false)
    }

    fn with(options: PgConnectOptions, connections: u32, is_tried: bool) -> Postgres {
        Postgres {
            pool: Mutex::new(pool(&options, connections, is_tried)),
            options,
            connections,
            is_tried,
            known: newest(&sqlx::migrate!("src/store/migrations/postgres")),
            checked: AtomicBool::new(false),
            holes: Mutex::default(),
        }
    }

    pub async fn log_and_key(&self, id: i64) -> Result<(String, Option<Vec<u8>>)> {
        let row = sqlx::query_as(log_and_key!("event_key")).bind(id);
        Ok(row.fetch_one(&self.ready().await?).await?)
    }

    pub async fn after(&self, at: &Bookmark, limit: usize) -> Result<Settled> {
        let sql = concat!(
            "SELECT ",
            seen_columns!("event_key"),
            snapshot_columns!(),
            ", e.*, event_key AS key_bytes FROM log LEFT JOIN (",
            sized!("ORDER BY id"),
            "(SELECT * FROM events WHERE id > $1 ORDER BY id LIMIT $3) chosen) e \
             ON e.size_before < $4 WHERE log.id = 1 ORDER BY e.id"
        );
        let rows: Vec<NewRow> = sqlx::query_as(sql)
            .bind(at.cursor)
            .bind(at.key())
            .bind(limit as i64)
            .bind(PAGE_BYTES as i64)
            .fetch_all(&self.ready().await?)
            .await?;
        let first = rows.first().ok_or(sqlx::Error::RowNotFound)?;
        let (seen, snapshot) = (first.follow.seen.clone(), Transactions::from(first));
        let found = first.found.unwrap_or(0) as usize;
        let mut events: Vec<_> = rows
            .into_iter()
            .filter_map(|row| row.follow.event)
            .collect();
        let rest = self.settle(at.cursor, &mut events, found, limit, snapshot);
        Ok(settled(at, &seen, events, rest))
    }

    /// Leaves the events that may be delivered.
    fn settle(
        &self,
        cursor: i64,
        events: &mut Vec<KeyedRow>,
        found: usize,
        limit: usize,
        snapshot: Transactions,
    ) -> AfterPage {
        let more = found > events.len() || found == limit;
        let ids: Vec<i64> = events.iter().map(|event| event.row.id).collect();
        let ready = match ids.is_empty() {
            true => 0,
            false => self.holes().settle(cursor, &ids, snapshot),
        };
        events.truncate(ready);
        match (ready < ids.len(), more) {
            (true, _) => AfterPage::Hole,
            (false, true) => AfterPage::More,
            (false, false) => AfterPage::Nothing,
        }
    }

    fn holes(&self) -> MutexGuard<'_, Holes> {
        self.holes.lock().expect("settling does not panic")
    }

    /// Everything visible, once the transactions that were running are over.
    /// If one stays open, everything below the first hole in the recent ids.
    pub async fn settled(&self) -> Result<i64> {
        let begin = self.begin().await?;
        let deadline = Instant::now() + BEGIN_PATIENCE;
        let mut now_over = begin.over_below;
        while now_over < begin.next {
            if Instant::now() >= deadline {
                return self.below_first_hole(begin.newest).await;
            }
            sleep(BEGIN_PAUSE).await;
            now_over = self.begin().await?.over_below;
        }
        Ok(begin.newest)
    }

    async fn begin(&self) -> Result<Begin> {
        let sql = concat!(
            "SELECT coalesce(max(id), 0) AS newest, ",
            snapshot_columns!(),
            " FROM events"
        );
        Ok(sqlx::query_as(sql).fetch_one(&self.ready().await?).await?)
    }

    async fn below_first_hole(&self, newest: i64) -> Result<i64> {
        let sql = "SELECT min(before) FROM (SELECT id, lag(id) OVER (ORDER BY id) AS before FROM \
                   (SELECT id FROM events WHERE id <= $1 ORDER BY id DESC LIMIT $2) recent) pair \
                   WHERE id > before + 1";
        let first: Option<i64> = sqlx::query_scalar(sql)
            .bind(newest)
            .bind(BEGIN_SCAN)
            .fetch_one(&self.ready().await?)
            .await?;
        Ok(first.unwrap_or(newest))
    }

    pub fn forget(&self) {
        *self.holes() = Holes::default();
        self.checked.store(false, Ordering::Relaxed);
    }

    pub async fn range(&self, filter: &Filter, range: Range) -> Result<Page> {
        let order = range.order();
        let mut sql = QueryBuilder::new(concat!("SELECT ", event_columns!(), ", found FROM ("));
        sql.push(if range.newest_first {
            sized!("ORDER BY id DESC")
        } else {
            sized!("ORDER BY id")
        });
        sql.push("(SELECT *");
        range.push(&mut sql, filter);
        sql.push(") chosen) sized WHERE size_before < ")
            .push_bind(range.bytes as i64);
        sql.push(order);
        let rows: Vec<FoundRow> = sql.build_query_as().fetch_all(&self.ready().await?).await?;
        let found = rows.first().map_or(0, |row| row.found as usize);
        Ok(Page {
            more: found > rows.len() || found == range.limit,
            events: rows.into_iter().map(|row| row.event.into()).collect(),
        })
    }

    /// `last_value` needs a right on the sequence; without it the newest id has
    /// to do.
    pub async fn head(&self) -> Result<Head> {
        let sql = "SELECT coalesce((SELECT max(id) FROM events), 0) AS newest, \
                   (SELECT min(id) FROM events) AS oldest, \
                   coalesce((SELECT last_value FROM pg_sequences WHERE schemaname = current_schema() \
                   AND sequencename = 'events_id_seq'), (SELECT max(id) FROM events), 0) AS last_given";
        Ok(sqlx::query_as(sql).fetch_one(&self.ready().await?).await?)
    }

    pub async fn schema_version(&self) -> Result<i64> {
        let pool = self.pool();
        let found = sqlx::query_scalar(SCHEMA_VERSION).fetch_one(&pool);
        check_schema(found.await?, self.known)
    }

    pub async fn close(&self) {
        self.pool().close().await;
    }

    /// A connection that fell silent may stay so for as long as the kernel
    /// tries, and holds its place in the pool: leave it behind.
    pub fn abandon(&self) {
        *self.pool.lock().expect("no panic while held") =
            pool(&self.options, self.connections, self.is_tried);
    }

    fn pool(&self) -> PgPool {
        self.pool.lock().expect("no panic while held").clone()
    }

    /// The pool, the schema behind it checked once.
    pub(super) async fn ready(&self) -> Result<PgPool> {
        if !self.checked.load(Ordering::Relaxed) {
            self.schema_version().await?;
            self.checked.store(true, Ordering::Relaxed);
        }
        Ok(self.pool())
    }
}

fn pool(options: &PgConnectOptions, connections: u32, is_tried: bool) -> PgPool {
    PgPoolOptions::new()
        .max_connections(connections)
        .test_before_acquire(false)
        .before_acquire(move |connection, since| {
            // One that does not answer is closed, and another is made.
            let is_fresh = !is_tried || since.idle_for <= FRESH;
            Box::pin(async move { Ok(is_fresh || connection.ping().await.is_ok()) })
        })
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_lazy_with(options.clone())
}

impl From<&NewRow> for Transactions {
    fn from(row: &NewRow) -> Transactions {
        Transactions {
            over_below: row.over_below,
            next: row.next,
        }
    }
}
