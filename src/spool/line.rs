//! A line of the spool: what came, when, and from whom.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One line. What it brings stands in `body`, under the name of its kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Made by the sender, one for each line: the same key is the same line.
    pub key: String,
    /// When the sender took it in: UTC, in microseconds.
    pub received_at: String,
    pub host: String,
    /// The process that appended it.
    pub pid: u32,
    #[serde(flatten)]
    pub body: Body,
}

/// What a line brings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Body {
    /// A hook of the CLI, as the CLI gave it.
    Hook {
        hook: Map<String, Value>,
        /// What only the sender's environment knows.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sender: Option<Sender>,
        /// The length that came, in bytes, of a hook that was cut.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cut_from_bytes: Option<u64>,
    },
    /// What the session registry said of a process, when that changed.
    Observation { observed: Observation },
    /// A session that a program registered.
    Session { session: Registration },
    /// A session that a program ended.
    Unregistered { session_uuid: String },
    /// A session whose program is over: a launcher waited for it.
    Exited {
        session_uuid: String,
        /// Its exit code, or the signal that ended it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<i32>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signal: Option<i32>,
    },
    /// A session that a person looked at, or put off until then.
    Viewed {
        session_uuid: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        snoozed_until: Option<String>,
    },
    /// What was meant to be a hook and is none.
    Garbage {
        reason: String,
        length: u64,
        /// Its first bytes, with what is no UTF-8 replaced.
        excerpt: String,
    },
}

/// A session, as the program that registered it described it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Registration {
    pub session_uuid: String,
    pub project_path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_directory: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iterm_pane_id: Option<String>,
    #[serde(default)]
    pub repository: Repository,
}

/// The repository that a session works in, as far as it has one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Repository {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
}

/// What a process of the CLI does, as its entry in the registry has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    pub claude_session_id: String,
    /// `busy`, `shell`, `idle`, `waiting`, or `gone`.
    pub status: String,
    pub pid: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process_started: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_directory: Option<String>,
    /// The session that the process went on in, if it is gone from this one alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub successor: Option<String>,
    /// Since when it does so: milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_updated_at: Option<i64>,
}

impl Observation {
    pub const GONE: &str = "gone";

    /// What distinguishes one reading from the next: a pid may come again, and
    /// a session may change while the status stays.
    pub fn key(&self) -> String {
        let started = self.process_started.as_deref().unwrap_or_default();
        let at = self.status_updated_at.unwrap_or_default();
        format!("{}/{started}/{}/{at}", self.pid, self.status)
    }
}

/// Where a hook command ran.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Sender {
    /// The CLI's process, as far as it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cli_pid: Option<u32>,
    /// When that process began, as the kernel counts it: a pid may come again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cli_started: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tty: Option<String>,
    /// The variables by which terminals name their panes.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub environment: Map<String, Value>,
}

impl Line {
    /// A line of this process, under a new key.
    pub fn new(received_at: String, host: String, body: Body) -> Line {
        Line {
            key: new_key(),
            received_at,
            host,
            pid: std::process::id(),
            body,
        }
    }

    /// One line of JSON, without its newline.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("lines have string keys and no failing values")
    }
}

/// 128 random bits in hexadecimal.
fn new_key() -> String {
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes).expect("the kernel has random numbers");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
