//! Pages of events. The two databases bound a page's bytes in different ways, the
//! rest of the text is one.

use sqlx::{Database, Encode, QueryBuilder, Type};

use crate::event::EventType;

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
        // The index of types has no turns in it, and SQLite takes it only if that is said.
        if !filter.types.is_empty() && !filter.types.contains(&EventType::TurnDetected) {
            sql.push(" AND event_type <> 'turn_detected'");
        }
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
pub(super) fn push_among<DB, T>(
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

#[cfg(test)]
mod tests {
    use sqlx::{Connection, SqliteConnection};

    use super::*;
    use crate::store::{connect, migrate};

    async fn is_found_by(types: &[EventType]) -> String {
        let dir = tempfile::tempdir().unwrap();
        let options = connect::sqlite(&dir.path().join("log.db")).create_if_missing(true);
        let mut link = SqliteConnection::connect_with(&options).await.unwrap();
        migrate::sqlite(&mut link).await.unwrap();
        let (limit, bytes) = (10, PAGE_BYTES);
        let range = Range {
            after: None,
            before: None,
            newest_first: true,
            limit,
            bytes,
        };
        let filter = Filter {
            types: types.to_vec(),
            ..Filter::default()
        };
        let mut sql = QueryBuilder::<sqlx::Sqlite>::new("EXPLAIN QUERY PLAN SELECT payload");
        range.push(&mut sql, &filter);
        let steps: Vec<(i64, i64, i64, String)> =
            sql.build_query_as().fetch_all(&mut link).await.unwrap();
        steps.into_iter().map(|step| step.3 + "\n").collect()
    }

    #[tokio::test]
    async fn a_page_of_rare_types_is_found_by_its_index_and_one_of_turns_by_id() {
        let rare = is_found_by(&[EventType::SessionEnded, EventType::SessionRegistered]).await;
        assert!(rare.contains("INDEX events_event_type"), "{rare}");
        let turns = is_found_by(&[EventType::SessionEnded, EventType::TurnDetected]).await;
        assert!(
            turns.contains("INTEGER PRIMARY KEY") && !turns.contains("B-TREE"),
            "{turns}"
        );
    }
}
