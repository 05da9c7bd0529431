//! What a follower asks, once a batch: what is new, and whether this is still
//! the log it followed.
//!
//! Another database has another `log_id`. One that was restored to an older state
//! keeps it, and may give the same ids to other events: so the event that was
//! delivered last is looked up as well, by its id and key. All of it is one
//! statement, so what it answers is of one moment.

use sqlx::{ColumnIndex, Decode, FromRow, Row, Type};

use super::{
    Arm, PAGE_EVENTS, Reader, Result,
    rows::{AfterPage, EventRow, Settled},
};

/// The event that was delivered last, and what distinguishes it from one with the
/// same id in another log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bookmark {
    pub cursor: i64,
    log_id: Option<String>,
    /// None before the first event.
    key: Option<Vec<u8>>,
}

/// An id alone: nothing is compared.
impl From<i64> for Bookmark {
    fn from(cursor: i64) -> Bookmark {
        Bookmark {
            cursor,
            log_id: None,
            key: None,
        }
    }
}

impl Bookmark {
    pub(super) fn key(&self) -> Option<&[u8]> {
        self.key.as_deref()
    }

    /// Whether the answer is of the log that the bookmark is of.
    fn is_of(&self, seen: &LastSeen) -> bool {
        let is_same_log = self.log_id.as_ref().is_none_or(|log| *log == seen.log_id);
        is_same_log && (self.key.is_none() || seen.has_event)
    }
}

impl Reader {
    /// A bookmark at an event; None if it is gone. 0 is the beginning of the log.
    pub async fn bookmark(&self, id: i64) -> Result<Option<Bookmark>> {
        let (log_id, key): (String, Option<Vec<u8>>) = ask!(self.log_and_key(id))?;
        let is_there = id == 0 || key.is_some();
        Ok(is_there.then_some(Bookmark {
            cursor: id,
            log_id: Some(log_id),
            key,
        }))
    }

    /// Settled events after the bookmark, in id order.
    pub async fn after(&self, at: &Bookmark, limit: usize) -> Result<Settled> {
        ask!(self.after(at, limit.min(PAGE_EVENTS)))
    }
}

/// What one statement saw of the log around the events.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct LastSeen {
    log_id: String,
    /// The bookmark's event is there, or was pruned.
    has_event: bool,
}

/// The first columns of an answer, `$1` and `$2` being the bookmark's id and key;
/// and how the database reads an event's key as bytes.
macro_rules! seen_columns {
    ($key:literal) => {
        concat!(
            "log_id, EXISTS (SELECT 1 FROM events WHERE id = $1 AND ",
            $key,
            " = $2) OR EXISTS (SELECT 1 FROM facts WHERE key = $2 AND event_id = $1) AS has_event, "
        )
    };
}
/// The log's id and the key of an event, `$1` being the event's id.
macro_rules! log_and_key {
    ($key:literal) => {
        concat!(
            "SELECT log_id, (SELECT ",
            $key,
            " FROM events WHERE id = $1) FROM log WHERE id = 1"
        )
    };
}
pub(super) use {log_and_key, seen_columns};

/// One row of the answer: there is one even if there are no events.
pub(super) struct FollowRow {
    pub seen: LastSeen,
    pub event: Option<KeyedRow>,
}

#[derive(sqlx::FromRow)]
pub(super) struct KeyedRow {
    #[sqlx(flatten)]
    pub row: EventRow,
    key_bytes: Vec<u8>,
}

impl<'r, R: Row> FromRow<'r, R> for FollowRow
where
    LastSeen: FromRow<'r, R>,
    KeyedRow: FromRow<'r, R>,
    Option<i64>: Decode<'r, R::Database> + Type<R::Database>,
    &'static str: ColumnIndex<R>,
{
    fn from_row(row: &'r R) -> sqlx::Result<FollowRow> {
        let is_event = row.try_get::<Option<i64>, _>("id")?.is_some();
        Ok(FollowRow {
            seen: LastSeen::from_row(row)?,
            event: is_event.then(|| KeyedRow::from_row(row)).transpose()?,
        })
    }
}

/// The answer for a follower at `at`: events that are settled, from rows that
/// were seen in one statement.
pub(super) fn settled(
    at: &Bookmark,
    seen: &LastSeen,
    events: Vec<KeyedRow>,
    rest: AfterPage,
) -> Settled {
    if !at.is_of(seen) {
        return Settled {
            events: vec![],
            rest: AfterPage::Replaced,
            bookmark: at.clone(),
        };
    }
    let last = events.last();
    let bookmark = Bookmark {
        cursor: last.map_or(at.cursor, |last| last.row.id),
        log_id: Some(seen.log_id.clone()),
        key: last.map_or_else(|| at.key.clone(), |last| Some(last.key_bytes.clone())),
    };
    Settled {
        events: events.into_iter().map(|event| event.row.into()).collect(),
        rest,
        bookmark,
    }
}
