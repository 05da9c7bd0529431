//! Pages of events. The two databases bound a page's bytes in different ways, the
//! rest of the text is one.

use sqlx::{Database, Encode, QueryBuilder, Type};

use super::{
    super::Filter,
    Arm, Reader, Result,
    columns::At,
    rows::{PAGE_BYTES, PAGE_EVENTS, Page},
};

/// The columns of an event.
macro_rules! event_columns {
    () => {
        "id, event_type, timestamp, recorded_at, project_id, agent_id, command_id, turn_id, payload"
    };
}
pub(super) use event_columns;

/// A range of ids, ends excluded, read from one of its ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Range {
    pub after: Option<i64>,
    pub before: Option<i64>,
    pub newest_first: bool,
    pub limit: usize,
    pub bytes: usize,
}

impl Reader {
    /// Events in (`after`, `before`), newest first.
    pub async fn page(
        &self,
        filter: &Filter,
        before: Option<i64>,
        after: Option<i64>,
        limit: usize,
    ) -> Result<Page> {
        let range = Range {
            after,
            before,
            newest_first: true,
            limit: limit.min(PAGE_EVENTS),
            bytes: PAGE_BYTES,
        };
        ask!(self.range(filter, range))
    }

    /// Events in (`after`, `upto`], oldest first. `upto` must be settled.
    pub async fn replay(
        &self,
        filter: &Filter,
        after: i64,
        upto: i64,
        limit: usize,
        bytes: usize,
    ) -> Result<Page> {
        let range = Range {
            after: Some(after),
            before: upto.checked_add(1),
            newest_first: false,
            limit: limit.min(PAGE_EVENTS),
            bytes,
        };
        ask!(self.range(filter, range))
    }
}

impl Range {
    pub fn order(&self) -> &'static str {
        if self.newest_first {
            " ORDER BY id DESC"
        } else {
            " ORDER BY id"
        }
    }

    /// `FROM events` with everything that chooses and orders the rows.
    pub fn push<DB>(&self, sql: &mut QueryBuilder<DB>, filter: &Filter)
    where
        DB: Database,
        i64: for<'q> Encode<'q, DB> + Type<DB>,
        At: for<'q> Encode<'q, DB> + Type<DB>,
        String: for<'q> Encode<'q, DB> + Type<DB>,
    {
        sql.push(" FROM events WHERE id > ");
        sql.push_bind(self.after.unwrap_or(i64::MIN));
        sql.push(" AND id < ");
        sql.push_bind(self.before.unwrap_or(i64::MAX));
        let types = filter.types.iter().map(|kind| kind.as_str().to_owned());
        push_among(sql, "event_type", types);
        push_among(sql, "project_id", filter.project_ids.iter().copied());
        push_among(sql, "agent_id", filter.agent_ids.iter().copied());
        if let Some(since) = filter.since {
            sql.push(" AND timestamp >= ").push_bind(At(since));
        }
        sql.push(self.order());
        sql.push(" LIMIT ").push_bind(self.limit as i64);
    }
}

/// A column that must have one of these values; no values ask for nothing.
fn push_among<DB, T>(
    sql: &mut QueryBuilder<DB>,
    column: &str,
    values: impl ExactSizeIterator<Item = T>,
) where
    DB: Database,
    T: for<'q> Encode<'q, DB> + Type<DB>,
{
    if values.len() > 0 {
        sql.push(format_args!(" AND {column} IN "));
        push_list(sql, values);
    }
}

/// A list of values in brackets.
pub(super) fn push_list<DB, T>(sql: &mut QueryBuilder<DB>, values: impl IntoIterator<Item = T>)
where
    DB: Database,
    T: for<'q> Encode<'q, DB> + Type<DB>,
{
    sql.push("(");
    let mut list = sql.separated(", ");
    for value in values {
        list.push_bind(value);
    }
    sql.push(")");
}
