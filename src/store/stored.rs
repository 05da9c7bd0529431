//! An event with its id and commit time, as readers get it.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::event::{EventType, Timestamp};

/// A committed event. Serialised, it is what the API and the stream send.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Event")]
pub struct Stored {
    pub id: i64,
    pub event_type: String,
    /// When it happened, in the fixed width form.
    pub timestamp: String,
    /// When it was committed, in the same form.
    pub recorded_at: String,
    pub project_id: Option<i64>,
    pub agent_id: Option<i64>,
    pub command_id: Option<i64>,
    pub turn_id: Option<i64>,
    /// Of `event_type`: see `config/schema`.
    #[schemars(with = "serde_json::Value")]
    pub payload: Box<RawValue>,
}

/// Which events a reader wants. Fields combine with AND, values in one with OR;
/// an empty field asks for everything.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter {
    pub types: Vec<EventType>,
    pub project_ids: Vec<i64>,
    pub agent_ids: Vec<i64>,
    /// Only events that happened at this time or later.
    pub since: Option<Timestamp>,
}

impl Filter {
    pub fn accepts(&self, event: &Stored) -> bool {
        let among = |wanted: &[i64], id: Option<i64>| {
            wanted.is_empty() || id.is_some_and(|id| wanted.contains(&id))
        };
        (self.types.is_empty()
            || self
                .types
                .iter()
                .any(|kind| kind.as_str() == event.event_type))
            && among(&self.project_ids, event.project_id)
            && among(&self.agent_ids, event.agent_id)
            && self
                .since
                .is_none_or(|since| event.timestamp >= since.to_string())
    }
}
