//! The taxonomy: every event type with its payload.
//!
//! A new type is one line in [`taxonomy!`] and its struct below; parsing, the
//! stream's filters, the schemas and the refusals follow from those two. The
//! line also names the field that holds the session, if the type has one.

use schemars::{JsonSchema, Schema, schema_for};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::{Map, Value};

use super::Timestamp;

macro_rules! taxonomy {
    ($($variant:ident = $name:literal $(of $session:ident)?),+ $(,)?) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum EventType { $($variant),+ }

        impl EventType {
            pub const ALL: &[EventType] = &[$(EventType::$variant),+];

            /// The word used on the wire and in SQL.
            pub fn as_str(self) -> &'static str {
                match self { $(EventType::$variant => $name),+ }
            }

            pub(super) fn schema(self) -> Schema {
                match self { $(EventType::$variant => schema_for!($variant)),+ }
            }
        }

        /// The body of an event.
        #[derive(Debug, Clone, Serialize)]
        #[serde(untagged)]
        pub enum Payload { $($variant($variant)),+ }

        impl Payload {
            pub fn event_type(&self) -> EventType {
                match self { $(Payload::$variant(_) => EventType::$variant),+ }
            }

            /// The session the event speaks of, by its uuid.
            pub fn session(&self) -> Option<&str> {
                match self {
                    $(Payload::$variant(_payload) => {
                        None$(.or(Some(_payload.$session.as_str())))?
                    })+
                }
            }

            /// Reads the fields of `kind`; the error names the field.
            pub fn parse(kind: EventType, value: Value) -> Result<Payload, String> {
                match kind { $(EventType::$variant => fields(value).map(Payload::$variant)),+ }
            }
        }
    };
}

taxonomy! {
    SessionRegistered = "session_registered" of session_uuid,
    SessionEnded = "session_ended" of session_uuid,
    TurnDetected = "turn_detected" of session_uuid,
    StateTransition = "state_transition",
    HookReceived = "hook_received" of claude_session_id,
    SessionObserved = "session_observed" of claude_session_id,
    SessionViewed = "session_viewed" of session_uuid,
}

impl EventType {
    pub fn parse(name: &str) -> Option<EventType> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == name)
    }

    /// All names, for messages: `a, b, c`.
    pub fn list() -> String {
        let names: Vec<_> = Self::ALL.iter().map(|kind| kind.as_str()).collect();
        names.join(", ")
    }
}

impl Payload {
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("payloads have string keys and no failing values")
    }
}

/// A session was seen for the first time, or again after it had ended.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionRegistered {
    /// The session; a subagent's is `<parent's>/<agent id>`.
    pub session_uuid: String,
    /// The first working directory the session named.
    pub project_path: String,
    /// Where the session works now.
    pub working_directory: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iterm_pane_id: Option<String>,
}

/// A session is over.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionEnded {
    pub session_uuid: String,
    pub reason: EndReason,
    /// From the session's first record to its last, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_seconds: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// A human or an agent said something.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TurnDetected {
    pub session_uuid: String,
    pub actor: Actor,
    pub text: String,
    pub source: TurnSource,
    /// When it was said (ISO 8601).
    #[serde(deserialize_with = "iso_8601")]
    pub turn_timestamp: String,
    /// The agent's message this text belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// From 2 on: a later text block of the same message.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "from_two"
    )]
    #[schemars(range(min = 2))]
    pub part: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<String>,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "probability"
    )]
    #[schemars(range(min = 0, max = 1))]
    pub confidence: Option<f64>,
    /// The rule that decided the intent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
}

/// A command's state, what it needs, or its outcome changed.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StateTransition {
    pub agent_id: i64,
    pub command_id: i64,
    pub from_state: String,
    pub to_state: String,
    pub trigger: Trigger,
    /// What the agent needs from now on, if it needs anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs: Option<String>,
    /// What it asks for, in its own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asks: Option<String>,
    /// How the command ended, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "probability"
    )]
    #[schemars(range(min = 0, max = 1))]
    pub confidence: Option<f64>,
    /// What caused it: an event, or source and offset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Value>,
    /// The number of the rule that decided it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
}

/// Claude Code called a hook. The hook's own fields follow the three common ones.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct HookReceived {
    pub hook_type: String,
    pub claude_session_id: String,
    pub working_directory: String,
    #[serde(flatten)]
    pub fields: Map<String, Value>,
}

/// The session registry said what a process of the CLI does.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionObserved {
    pub claude_session_id: String,
    pub status: ObservedStatus,
    pub pid: u32,
    /// The CLI's own word for what it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<String>,
    /// When the process began, as the kernel counts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process_started: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_directory: Option<String>,
}

/// A person looked at a session, or put it off.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionViewed {
    pub session_uuid: String,
    /// Until then, or until it changes, it is put off (ISO 8601).
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "maybe_iso_8601"
    )]
    pub snoozed_until: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ObservedStatus {
    Busy,
    Shell,
    Idle,
    Waiting,
    /// The process is over.
    Gone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Actor {
    User,
    Agent,
}

impl Actor {
    pub fn as_str(self) -> &'static str {
        match self {
            Actor::User => "user",
            Actor::Agent => "agent",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TurnSource {
    Polling,
    Hook,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EndReason {
    Timeout,
    Unregistered,
    Closed,
}

impl EndReason {
    pub fn as_str(self) -> &'static str {
        match self {
            EndReason::Timeout => "timeout",
            EndReason::Unregistered => "unregistered",
            EndReason::Closed => "closed",
        }
    }

    pub fn parse(word: &str) -> Option<EndReason> {
        let all = [
            EndReason::Timeout,
            EndReason::Unregistered,
            EndReason::Closed,
        ];
        all.into_iter().find(|reason| reason.as_str() == word)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Trigger {
    Turn,
    Timeout,
    Manual,
    Hook,
    Registry,
    Process,
}

/// Reads a payload struct; the message starts with what is wrong and names the field.
fn fields<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, String> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        let problem = error.into_inner().to_string();
        match problem.strip_prefix("missing field `") {
            Some(rest) => format!("missing field {}", rest.trim_end_matches('`')),
            None if path == "." => problem,
            None => format!("field {path}: {problem}"),
        }
    })
}

fn iso_8601<'de, D: Deserializer<'de>>(input: D) -> Result<String, D::Error> {
    let text = String::deserialize(input)?;
    match Timestamp::parse(&text) {
        Some(_) => Ok(text),
        None => Err(D::Error::custom("expected an ISO 8601 time with its zone")),
    }
}

fn maybe_iso_8601<'de, D: Deserializer<'de>>(input: D) -> Result<Option<String>, D::Error> {
    iso_8601(input).map(Some)
}

fn from_two<'de, D: Deserializer<'de>>(input: D) -> Result<Option<u32>, D::Error> {
    match Option::<u32>::deserialize(input)? {
        Some(part) if part < 2 => Err(D::Error::custom("expected an integer from 2 on")),
        part => Ok(part),
    }
}

fn probability<'de, D: Deserializer<'de>>(input: D) -> Result<Option<f64>, D::Error> {
    match Option::<f64>::deserialize(input)? {
        Some(p) if !(0.0..=1.0).contains(&p) => {
            Err(D::Error::custom("expected a number from 0 to 1"))
        }
        p => Ok(p),
    }
}
