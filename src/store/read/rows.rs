//! What readers ask for and get, the same from both databases.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;

use super::{
    super::{Counters, Stored},
    columns::{JsonText, UtcText},
    follow::Bookmark,
};

/// The most events in one answer.
pub const PAGE_EVENTS: usize = 500;
/// An answer ends with the event that takes it over this size.
pub const PAGE_BYTES: usize = 1024 * 1024;

/// Events after a cursor, all of them settled.
#[derive(Debug)]
pub struct Settled {
    pub events: Vec<Stored>,
    pub rest: AfterPage,
    /// Behind the last of these events: where to go on.
    pub bookmark: Bookmark,
}

/// What lies behind the last event of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterPage {
    Nothing,
    /// The answer was full: ask again at once.
    More,
    /// A smaller id is still in a running transaction: ask again soon.
    Hole,
    /// The log is another one, or an older state of itself: begin again.
    Replaced,
}

/// A part of the log, through a filter.
#[derive(Debug)]
pub struct Page {
    pub events: Vec<Stored>,
    /// The page was full; there may be more behind its last event.
    pub more: bool,
}

/// The ends of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Head {
    /// The newest event, 0 when there is none.
    pub newest: i64,
    pub oldest: Option<i64>,
    /// The highest id ever given out, also to events that are gone.
    pub last_given: i64,
}

/// A row of `watchers`.
#[derive(Debug, Clone, Serialize, sqlx::FromRow)]
pub struct WatcherRow {
    pub id: i64,
    pub host: String,
    pub state_dir: String,
    pub pid: i64,
    pub version: String,
    pub started_at: UtcText,
    pub beat_at: UtcText,
    pub last_write_at: Option<UtcText>,
    #[sqlx(try_from = "JsonText")]
    #[serde(flatten)]
    pub counters: Counters,
    pub state: String,
    pub reason: Option<String>,
}

/// The hooks of a type that were received.
#[derive(Debug, Clone, Serialize, JsonSchema, sqlx::FromRow)]
pub struct HookRow {
    pub hook_type: String,
    pub count: i64,
    pub last_received_at: UtcText,
}

/// A project with the numbers of its agents.
#[derive(Debug, Clone, Serialize, JsonSchema, sqlx::FromRow)]
pub struct ProjectRow {
    pub id: i64,
    pub host: String,
    pub path: String,
    pub name: String,
    pub git_remote: Option<String>,
    pub current_branch: Option<String>,
    pub created_at: UtcText,
    pub agents: i64,
    /// Of these agents, the open ones.
    pub open_agents: i64,
}

/// An event as both databases select it.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct EventRow {
    pub id: i64,
    event_type: String,
    timestamp: UtcText,
    recorded_at: UtcText,
    project_id: Option<i64>,
    agent_id: Option<i64>,
    command_id: Option<i64>,
    turn_id: Option<i64>,
    payload: JsonText,
}

impl EventRow {
    pub fn size(&self) -> usize {
        self.payload.0.len()
    }
}

impl From<EventRow> for Stored {
    fn from(row: EventRow) -> Stored {
        Stored {
            id: row.id,
            event_type: row.event_type,
            timestamp: row.timestamp.into(),
            recorded_at: row.recorded_at.into(),
            project_id: row.project_id,
            agent_id: row.agent_id,
            command_id: row.command_id,
            turn_id: row.turn_id,
            payload: json(row.payload.0),
        }
    }
}

/// What cannot be read as counters counts nothing; the row still shows a watcher.
impl From<JsonText> for Counters {
    fn from(text: JsonText) -> Counters {
        serde_json::from_str(&text.0).unwrap_or_default()
    }
}

/// Both databases check that payloads are JSON. One that was damaged since must
/// not stop all that come after it, so it goes out as the text it is.
fn json(text: String) -> Box<RawValue> {
    RawValue::from_string(text.clone()).unwrap_or_else(|_| {
        let quoted = serde_json::to_string(&text).expect("a string is always JSON");
        RawValue::from_string(quoted).expect("a quoted string is JSON")
    })
}
