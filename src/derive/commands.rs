//! What a human set an agent to, and what was said of it: the rows.

use serde::{Deserialize, Serialize};

use crate::event::{Origin, Timestamp};

use super::{EventOf, state::Outcome};

/// A command's row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Command {
    pub id: i64,
    pub agent_id: i64,
    pub state: String,
    pub origin: String,
    pub outcome: Option<String>,
    pub started_at: Timestamp,
    pub completed_at: Option<Timestamp>,
}

impl Command {
    /// One that no transition tells of: it is complete from the start.
    pub fn complete(id: i64, agent_id: i64, at: Timestamp) -> Command {
        Command {
            id,
            agent_id,
            state: "complete".into(),
            origin: Origin::Unknown.as_str().into(),
            outcome: Some(Outcome::Done.as_str().into()),
            started_at: at,
            completed_at: Some(at),
        }
    }
}

/// A turn's row.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    pub id: i64,
    pub command_id: i64,
    pub actor: &'static str,
    pub intent: &'static str,
    pub text: String,
    pub timestamp: Timestamp,
    pub message_id: Option<String>,
    /// The event that made it.
    pub event: EventOf,
}

/// A stored event that gets its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Linked {
    pub event_id: i64,
    #[serde(flatten)]
    pub turn: TurnOf,
}

/// A turn and its command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnOf {
    pub id: i64,
    pub command_id: i64,
}

/// What becomes of a turn that is stored.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChangedTurn {
    pub id: i64,
    /// A later block of its message.
    pub more: String,
    pub intent: Option<&'static str>,
}
