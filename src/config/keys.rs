//! Every key there is, what it may hold and what it holds by default.

use figment::value::Value;

/// One setting.
pub(super) struct Key {
    /// `section.key`
    pub path: &'static str,
    pub kind: Kind,
    /// Written as it would be in an environment variable.
    pub default: &'static str,
}

/// What a setting may hold.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// A whole number, from and to.
    Count(u64, u64),
    Switch,
    Choice(&'static [&'static str]),
    Database,
    Folders,
    Addresses,
    Hosts,
    Patterns,
}

use Kind::{Addresses, Choice, Count, Database, Folders, Hosts, Patterns, Switch};

const DAY: u64 = 86_400;
const LEVELS: &[&str] = &["error", "warn", "info", "debug", "trace"];

#[rustfmt::skip]
pub(super) const KEYS: &[Key] = &[
    key("database.url", Database, "sqlite:<state>/headspace.db"),
    key("database.max_connections", Count(1, 100), "5"),
    key("claude.roots", Folders, "[]"),
    key("watch.sessions", Choice(&["all", "registered"]), "all"),
    key("watch.inactivity_timeout_seconds", Count(1, 30 * DAY), "5400"),
    key("watch.reconcile_interval_seconds", Count(1, 3600), "60"),
    key("watch.max_line_bytes", Count(1024, 1 << 30), "67108864"),
    key("event_system.write_retry_attempts", Count(1, 20), "3"),
    key("event_system.write_retry_delay_ms", Count(1, 60_000), "100"),
    key("event_system.max_restarts_per_minute", Count(1, 1000), "5"),
    key("event_system.shutdown_timeout_seconds", Count(1, 60), "2"),
    key("sse.heartbeat_interval_seconds", Count(1, 3600), "30"),
    key("sse.max_connections", Count(1, 10_000), "100"),
    key("sse.connection_timeout_seconds", Count(1, 3600), "60"),
    key("sse.retry_after_seconds", Count(1, 3600), "5"),
    key("web.listen", Addresses, r#"["127.0.0.1:5055"]"#),
    key("web.hosts", Hosts, "[]"),
    key("web.allow_remote", Switch, "false"),
    key("web.idle_timeout_seconds", Count(0, DAY), "0"),
    key("hooks.enabled", Switch, "true"),
    key("redact.mode", Choice(&["off", "display", "store"]), "off"),
    key("redact.patterns", Patterns, "[]"),
    key("retention.days", Count(0, 36_500), "0"),
    key("logging.level", Choice(LEVELS), "info"),
];

const fn key(path: &'static str, kind: Kind, default: &'static str) -> Key {
    Key {
        path,
        kind,
        default,
    }
}

impl Key {
    pub(super) fn section(&self) -> &'static str {
        self.path.split_once('.').map_or("", |(section, _)| section)
    }

    pub(super) fn name(&self) -> &'static str {
        self.path.split_once('.').map_or("", |(_, name)| name)
    }
}

pub(super) fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

/// Section names in the order of the table, each once.
pub(super) fn sections() -> Vec<&'static str> {
    let mut sections: Vec<&str> = KEYS.iter().map(Key::section).collect();
    sections.dedup();
    sections
}

/// A value from a place that knows only text. What does not read as the kind
/// stays text, and the check then says what was expected.
pub(super) fn from_text(kind: Kind, text: &str) -> Value {
    let read = match kind {
        Count(..) => text.parse::<u64>().ok().map(Value::from),
        Switch => text.parse::<bool>().ok().map(Value::from),
        Choice(_) | Database => None,
        Folders | Addresses | Hosts | Patterns => serde_json::from_str::<Vec<String>>(text)
            .ok()
            .map(Value::from),
    };
    read.unwrap_or_else(|| Value::from(text))
}
