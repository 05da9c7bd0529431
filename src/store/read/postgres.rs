//! Reading PostgreSQL. Transactions commit in another order than they draw
//! their ids, so followers go by the hole rule ([`super::settle`]).

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sqlx::{
    PgPool, QueryBuilder,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::time::{Instant, sleep};

use super::{
    super::{Filter, connect},
    ACQUIRE_TIMEOUT, Head, PAGE_BYTES, Page, Range, Rest, Result, Settled,
    error::check_schema,
    newest,
    rows::{AgentRow, EventRow, ProjectRow, WatcherRow},
    settle::{Holes, Snapshot},
};

const BEGIN_PATIENCE: Duration = Duration::from_millis(500);
const BEGIN_PAUSE: Duration = Duration::from_millis(10);
/// How far back that beginning looks for holes when they do not end.
const BEGIN_SCAN: i64 = 10_000;

macro_rules! utc {
    ($column:literal) => {
        concat!(
            "to_char(",
            $column,
            " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
        )
    };
}

/// The columns of an event, and what the statement saw of the transactions
/// around it. `age` counts from an id to the next one to be given out.
macro_rules! event_columns {
    () => {
        concat!(
            "SELECT id, event_type, ",
            utc!("timestamp"),
            " AS timestamp, ",
            utc!("recorded_at"),
            " AS recorded_at, project_id, agent_id, command_id, turn_id, \
             payload::text AS payload, found, \
             pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS over_below, \
             pg_snapshot_xmax(pg_current_snapshot())::text::bigint \
             + age(pg_snapshot_xmax(pg_current_snapshot())::xid) AS next \
             FROM (SELECT *, count(*) OVER () AS found, sum(pg_column_size(payload)) OVER ("
        )
    };
}

/// An event among those one statement found.
#[derive(sqlx::FromRow)]
struct FoundRow {
    #[sqlx(flatten)]
    event: EventRow,
    /// How many there were before the size was bounded.
    found: i64,
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
    pool: Mutex<PgPool>,
    known: i64,
    checked: AtomicBool,
    holes: Mutex<Holes>,
}

impl Postgres {
    pub fn new(url: &str, role: &str, connections: u32) -> Result<Postgres> {
        let options = connect::postgres(url, role)?;
        Ok(Postgres {
            pool: Mutex::new(pool(&options, connections)),
            options,
            connections,
            known: newest(&sqlx::migrate!("src/store/migrations/postgres")),
            checked: AtomicBool::new(false),
            holes: Mutex::default(),
        })
    }

    pub async fn after(&self, cursor: i64, limit: usize) -> Result<Settled> {
        let range = Range {
            after: Some(cursor),
            before: None,
            newest_first: false,
            limit,
            bytes: PAGE_BYTES,
        };
        let mut rows = self.select(&Filter::default(), range).await?;
        let Some(first) = rows.first() else {
            return Ok(Settled {
                events: vec![],
                rest: Rest::Nothing,
            });
        };
        let more = is_more(&rows, limit);
        let seen = Snapshot {
            over_below: first.over_below,
            next: first.next,
        };
        let ids: Vec<i64> = rows.iter().map(|row| row.event.id).collect();
        let ready = self
            .holes
            .lock()
            .expect("settling does not panic")
            .settle(cursor, &ids, seen);
        let rest = match (ready < rows.len(), more) {
            (true, _) => Rest::Hole,
            (false, true) => Rest::More,
            (false, false) => Rest::Nothing,
        };
        rows.truncate(ready);
        Ok(Settled {
            events: rows.into_iter().map(|row| row.event.into()).collect(),
            rest,
        })
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
        let sql = "SELECT coalesce(max(id), 0) AS newest, \
                   pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS over_below, \
                   pg_snapshot_xmax(pg_current_snapshot())::text::bigint \
                   + age(pg_snapshot_xmax(pg_current_snapshot())::xid) AS next FROM events";
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
        *self.holes.lock().expect("settling does not panic") = Holes::default();
        self.checked.store(false, Ordering::Relaxed);
    }

    pub async fn mark(&self, id: i64) -> Result<Option<String>> {
        let key = sqlx::query_scalar("SELECT encode(event_key, 'hex') FROM events WHERE id = $1")
            .bind(id);
        Ok(key.fetch_optional(&self.ready().await?).await?)
    }

    pub async fn knows(&self, id: i64, mark: &str) -> Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM events WHERE id = $1 AND event_key = decode($2, 'hex')) \
                   OR EXISTS (SELECT 1 FROM facts WHERE key = decode($2, 'hex') AND event_id = $1)";
        let known = sqlx::query_scalar(sql).bind(id).bind(mark);
        Ok(known.fetch_one(&self.ready().await?).await?)
    }

    pub async fn range(&self, filter: &Filter, range: Range) -> Result<Page> {
        let rows = self.select(filter, range).await?;
        let more = is_more(&rows, range.limit);
        Ok(Page {
            events: rows.into_iter().map(|row| row.event.into()).collect(),
            more,
        })
    }

    async fn select(&self, filter: &Filter, range: Range) -> Result<Vec<FoundRow>> {
        let order = if range.newest_first {
            " ORDER BY id DESC"
        } else {
            " ORDER BY id"
        };
        let mut sql = QueryBuilder::new(event_columns!());
        sql.push(order)
            .push(") - pg_column_size(payload) AS size_before ");
        sql.push("FROM (SELECT * FROM events WHERE id > ");
        sql.push_bind(range.after.unwrap_or(i64::MIN));
        sql.push(" AND id < ")
            .push_bind(range.before.unwrap_or(i64::MAX));
        push_filter(&mut sql, filter);
        sql.push(order)
            .push(" LIMIT ")
            .push_bind(range.limit as i64);
        sql.push(") chosen) sized WHERE size_before < ")
            .push_bind(range.bytes as i64);
        sql.push(order);
        Ok(sql.build_query_as().fetch_all(&self.ready().await?).await?)
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

    pub async fn pruned_below(&self, oldest: i64) -> Result<i64> {
        let sql = "SELECT coalesce(max(event_id), 0) FROM facts WHERE event_id < $1";
        Ok(sqlx::query_scalar(sql)
            .bind(oldest)
            .fetch_one(&self.ready().await?)
            .await?)
    }

    pub async fn count(&self, after: i64, upto: i64) -> Result<i64> {
        let sql = "SELECT count(*) FROM events WHERE id > $1 AND id <= $2";
        let count = sqlx::query_scalar(sql).bind(after).bind(upto);
        Ok(count.fetch_one(&self.ready().await?).await?)
    }

    pub async fn rejected(&self) -> Result<i64> {
        let count = sqlx::query_scalar("SELECT count(*) FROM rejections");
        Ok(count.fetch_one(&self.ready().await?).await?)
    }

    pub async fn last_write(&self) -> Result<Option<String>> {
        let sql = concat!(
            "SELECT ",
            utc!("recorded_at"),
            " FROM events ORDER BY id DESC LIMIT 1"
        );
        Ok(sqlx::query_scalar(sql)
            .fetch_optional(&self.ready().await?)
            .await?)
    }

    pub async fn schema_version(&self) -> Result<i64> {
        let sql = "SELECT max(version) FROM _sqlx_migrations WHERE success";
        check_schema(
            sqlx::query_scalar(sql).fetch_one(&self.pool()).await?,
            self.known,
        )
    }

    pub async fn watchers(&self) -> Result<Vec<WatcherRow>> {
        let sql = concat!(
            "SELECT id, host, state_dir, pid, version, ",
            utc!("started_at"),
            " AS started_at, ",
            utc!("beat_at"),
            " AS beat_at, ",
            utc!("last_write_at"),
            " AS last_write_at, \
             events_written, duplicates, failed_writes, retries, rejected, bytes_behind, sessions, \
             state, reason FROM watchers ORDER BY id"
        );
        Ok(sqlx::query_as(sql).fetch_all(&self.ready().await?).await?)
    }

    pub async fn projects(&self) -> Result<Vec<ProjectRow>> {
        let sql = concat!(
            "SELECT id, host, path, name, git_remote, current_branch, ",
            utc!("created_at"),
            " AS created_at, (SELECT count(*) FROM agents a WHERE a.project_id = p.id) AS agents \
             FROM projects p ORDER BY name, id"
        );
        Ok(sqlx::query_as(sql).fetch_all(&self.ready().await?).await?)
    }

    pub async fn agents(&self, limit: usize) -> Result<Vec<AgentRow>> {
        let sql = concat!(
            "SELECT a.id, session_uuid, project_id, p.name AS project_name, parent_agent_id, cli, ",
            utc!("started_at"),
            " AS started_at, ",
            utc!("last_seen_at"),
            " AS last_seen_at, ",
            utc!("ended_at"),
            " AS ended_at, end_reason FROM agents a \
             JOIN projects p ON p.id = a.project_id \
             ORDER BY a.last_seen_at DESC, a.id DESC LIMIT $1"
        );
        let rows = sqlx::query_as(sql).bind(i64::try_from(limit).unwrap_or(i64::MAX));
        Ok(rows.fetch_all(&self.ready().await?).await?)
    }

    pub async fn close(&self) {
        self.pool().close().await;
    }

    /// A connection that fell silent may stay so for as long as the kernel
    /// tries, and holds its place in the pool: leave it behind.
    pub fn abandon(&self) {
        *self.pool.lock().expect("no panic while held") = pool(&self.options, self.connections);
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

fn pool(options: &PgConnectOptions, connections: u32) -> PgPool {
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_lazy_with(options.clone())
}

fn is_more(rows: &[FoundRow], limit: usize) -> bool {
    let found = rows.first().map_or(0, |row| row.found as usize);
    found > rows.len() || found == limit
}

fn push_filter(sql: &mut QueryBuilder<sqlx::Postgres>, filter: &Filter) {
    let types: Vec<String> = filter
        .types
        .iter()
        .map(|kind| kind.as_str().into())
        .collect();
    if !types.is_empty() {
        sql.push(" AND event_type = ANY(")
            .push_bind(types)
            .push(")");
    }
    for (column, ids) in [
        ("project_id", &filter.project_ids),
        ("agent_id", &filter.agent_ids),
    ] {
        if !ids.is_empty() {
            sql.push(format_args!(" AND {column} = ANY("))
                .push_bind(ids.clone())
                .push(")");
        }
    }
    if let Some(since) = filter.since {
        sql.push(" AND timestamp >= ")
            .push_bind(since.to_string())
            .push("::timestamptz");
    }
}
