//! What happened, checked.
//!
//! In: [`Payload`]s: made by a dialect, or read from JSON by [`Payload::read`].
//! Out: [`Event`]s, whose payload has exactly the fields its type asks for.
//!
//! Promises
//! - only [`Event::new`] makes an [`Event`], and every event has a key
//! - a refusal names the event type and the field (`turn_detected: missing field actor`)
//! - every text in an event can be stored by every database
//!
//! Not here: where payloads come from (`dialect`), what a second copy means (`derive`).

mod entry;
mod evidence;
mod key;
mod payload;
mod schema;
mod text;
mod timestamp;

use serde_json::Value;

pub use entry::{
    Ending, EndsAt, Entry, Followed, Rejection, SessionSeen, Sign, What, project_name,
};
pub use evidence::{
    Evidence, Meaning, Origin, PromptKind, Prompted, Shows, TELLING, TitleKind, Todo, ToolOutcome,
    Usage, Words,
};
pub use key::{FactKey, StoredGroup, StoredKey, hex, hex_digest, key_of_hex};
pub use payload::{
    Actor, EndReason, EventType, HookReceived, ObservedStatus, Payload, SessionEnded,
    SessionObserved, SessionRegistered, SessionViewed, StateTransition, Trigger, TurnDetected,
    TurnSource,
};
pub use schema::schemas;
pub use text::storable;
pub use timestamp::{Moment, Timestamp};

/// An event that may be stored.
#[derive(Debug, Clone)]
pub struct Event {
    pub payload: Payload,
    pub moment: Moment,
    /// What makes this fact the same fact when it is read again. The first is
    /// the event's key; a second copy may share any of them.
    pub keys: Vec<FactKey>,
    pub group: Option<Group>,
    /// What ties a prompt to its hooks, if its record says so.
    pub prompt_id: Option<String>,
}

/// What an event is among the facts with keys that begin alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Group {
    /// A text block of a message: numbered in the order the blocks are stored.
    Part(String),
    /// A prompt without words, an image say: a turn only if nothing else was
    /// said in that moment, else it is a piece split off from that.
    Alone(String),
}

impl Group {
    /// What the stored keys of the group begin with.
    pub fn stored(&self) -> StoredGroup {
        let (Group::Part(start) | Group::Alone(start)) = self;
        FactKey::stored_group(start)
    }
}

/// Why an input is no event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{event_type}: {problem}")]
pub struct Refusal {
    pub event_type: String,
    pub problem: String,
}

impl Event {
    /// The only way to an event. It is refused without a key.
    pub fn new(
        payload: Payload,
        moment: Moment,
        keys: Vec<FactKey>,
        group: Option<Group>,
    ) -> Result<Event, Refusal> {
        if keys.is_empty() {
            return Err(Refusal {
                event_type: payload.event_type().as_str().into(),
                problem: "missing a key of its own".into(),
            });
        }
        Ok(Event {
            payload,
            moment,
            keys,
            group,
            prompt_id: None,
        })
    }
}

impl Payload {
    /// Reads the JSON fields of an event type, as an input names them.
    pub fn read(event_type: &str, fields: Value) -> Result<Payload, Refusal> {
        let refuse = |problem: String| Refusal {
            event_type: event_type.to_owned(),
            problem,
        };
        let kind = EventType::parse(event_type).ok_or_else(|| {
            refuse(format!(
                "unknown event type; known are {}",
                EventType::list()
            ))
        })?;
        Payload::parse(kind, fields).map_err(refuse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn turn() -> Value {
        json!({"session_uuid": "s", "actor": "user", "text": "hello", "source": "polling",
               "turn_timestamp": "2026-11-21T01:02:03.000Z"})
    }

    fn samples() -> Vec<(&'static str, Value)> {
        vec![
            (
                "session_registered",
                json!({"session_uuid": "s", "project_path": "/p",
                "working_directory": "/p"}),
            ),
            (
                "session_ended",
                json!({"session_uuid": "s", "reason": "timeout"}),
            ),
            ("turn_detected", turn()),
            (
                "state_transition",
                json!({"agent_id": 1, "command_id": 2, "from_state": "idle",
                "to_state": "commanded", "trigger": "turn"}),
            ),
            (
                "hook_received",
                json!({"hook_type": "stop", "claude_session_id": "s",
                "working_directory": "/p"}),
            ),
            ("session_viewed", json!({"session_uuid": "s"})),
            (
                "session_observed",
                json!({"claude_session_id": "s", "status": "idle", "pid": 7}),
            ),
        ]
    }

    #[test]
    fn every_type_accepts_its_required_fields() {
        for (event_type, payload) in samples() {
            let payload = Payload::read(event_type, payload).unwrap();
            assert_eq!(payload.event_type().as_str(), event_type);
        }
        assert_eq!(samples().len(), EventType::ALL.len());
    }

    #[test]
    fn a_missing_field_is_named_for_every_type_and_field() {
        for (event_type, payload) in samples() {
            for field in payload.as_object().unwrap().keys() {
                let mut without = payload.clone();
                without.as_object_mut().unwrap().remove(field);
                let refusal = Payload::read(event_type, without).unwrap_err();
                assert_eq!(
                    refusal.to_string(),
                    format!("{event_type}: missing field {field}")
                );
            }
        }
    }

    #[test]
    fn a_field_of_the_wrong_type_is_named() {
        let mut payload = turn();
        payload["text"] = json!(7);
        let refusal = Payload::read("turn_detected", payload).unwrap_err();
        assert_eq!(
            refusal.to_string(),
            "turn_detected: field text: invalid type: integer `7`, expected a string"
        );
    }

    #[test]
    fn a_word_outside_the_list_is_named() {
        let mut payload = turn();
        payload["actor"] = json!("robot");
        let refusal = Payload::read("turn_detected", payload).unwrap_err();
        assert!(
            refusal
                .to_string()
                .starts_with("turn_detected: field actor: unknown variant `robot`"),
            "{refusal}"
        );
    }

    #[test]
    fn unknown_types_and_fields_are_refused() {
        let refusal = Payload::read("turn_detectd", turn()).unwrap_err();
        assert!(
            refusal
                .to_string()
                .starts_with("turn_detectd: unknown event type")
        );
        let mut payload = turn();
        payload["colour"] = json!("red");
        let refusal = Payload::read("turn_detected", payload).unwrap_err();
        assert!(
            refusal.to_string().contains("unknown field `colour`"),
            "{refusal}"
        );
    }

    #[test]
    fn values_out_of_range_are_refused() {
        for (field, value) in [
            ("turn_timestamp", json!("yesterday")),
            ("part", json!(1)),
            ("confidence", json!(1.5)),
        ] {
            let mut payload = turn();
            payload[field] = value;
            let refusal = Payload::read("turn_detected", payload).unwrap_err();
            assert!(
                refusal
                    .to_string()
                    .starts_with(&format!("turn_detected: field {field}: ")),
                "{refusal}"
            );
        }
    }

    #[test]
    fn a_hook_keeps_its_own_fields() {
        let payload = Payload::read(
            "hook_received",
            json!({"hook_type": "stop", "claude_session_id": "s", "working_directory": "/p",
                   "prompt_id": "p1", "background_tasks": []}),
        )
        .unwrap();
        let json: Value = serde_json::from_str(&payload.to_json()).unwrap();
        assert_eq!(json["prompt_id"], "p1");
        assert_eq!(json["background_tasks"], json!([]));
    }

    #[test]
    fn an_event_without_a_key_is_refused() {
        let payload = Payload::read("turn_detected", turn()).unwrap();
        let moment = Moment::observed(Timestamp::UNIX_EPOCH);
        let refusal = Event::new(payload, moment, vec![], None).unwrap_err();
        assert!(refusal.to_string().contains("missing a key"), "{refusal}");
    }
}
