//! The settings as the stages receive them. Field names are the keys of `config.yaml`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{DatabaseUrl, Listen, Places};

/// For each key, where its value came from.
pub(super) type Sources = BTreeMap<String, String>;

/// Everything a process needs to know, checked.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Settings {
    pub database: Database,
    pub claude: Claude,
    pub watch: Watch,
    pub event_system: EventSystem,
    pub sse: Sse,
    pub web: Web,
    pub hooks: Hooks,
    pub redact: Redact,
    pub retention: Retention,
    pub logging: Logging,
    #[serde(skip)]
    pub places: Places,
    #[serde(skip)]
    pub(super) sources: Sources,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Database {
    pub url: DatabaseUrl,
    pub max_connections: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claude {
    /// Claude Code's folders, each holding `projects/`; resolved, never relative.
    pub roots: Vec<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    pub sessions: Sessions,
    pub inactivity_timeout_seconds: u64,
    pub reconcile_interval_seconds: u64,
    pub max_line_bytes: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sessions {
    All,
    Registered,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventSystem {
    pub write_retry_attempts: u32,
    pub write_retry_delay_ms: u64,
    pub max_restarts_per_minute: u32,
    pub shutdown_timeout_seconds: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sse {
    pub heartbeat_interval_seconds: u64,
    pub max_connections: usize,
    pub connection_timeout_seconds: u64,
    pub retry_after_seconds: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Web {
    pub listen: Vec<Listen>,
    /// Names beside the loopback ones that a request's `Host` may carry.
    pub hosts: Vec<String>,
    pub allow_remote: bool,
    /// 0 stays for ever.
    pub idle_timeout_seconds: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hooks {
    pub enabled: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redact {
    pub mode: RedactMode,
    pub patterns: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RedactMode {
    Off,
    Display,
    Store,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// 0 keeps everything.
    pub days: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logging {
    pub level: String,
}
