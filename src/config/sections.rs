//! The settings as the stages receive them. Field names are the keys of `config.yaml`.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use serde::{Deserialize, Deserializer, Serialize, de};

use super::{
    DatabaseUrl, Listen, Places, WebhookSecret, WebhookUrl, places::absolute, webhook::Shape,
};

/// For each key, where its value came from.
pub(super) type Sources = BTreeMap<String, String>;

/// Everything a process needs to know, checked.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub database: Database,
    pub claude: Claude,
    pub watch: Watch,
    pub event_system: EventSystem,
    pub sse: Sse,
    pub web: Web,
    pub archive: Archive,
    pub hooks: Hooks,
    pub notify: Notify,
    pub logging: Logging,
    #[serde(skip)]
    pub places: Places,
    #[serde(skip)]
    pub(super) sources: Sources,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    pub url: DatabaseUrl,
    #[serde(deserialize_with = "count::<_, _, 1, 100>")]
    pub max_connections: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claude {
    /// Claude Code's folders, each holding `projects/`; resolved, never relative.
    #[serde(deserialize_with = "folders")]
    pub roots: Vec<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Watch {
    pub sessions: Sessions,
    #[serde(deserialize_with = "count::<_, _, 1, 2_592_000>")]
    pub inactivity_timeout_seconds: u64,
    #[serde(deserialize_with = "count::<_, _, 1, 3600>")]
    pub reconcile_interval_seconds: u64,
    #[serde(deserialize_with = "count::<_, _, 1024, 1_073_741_824>")]
    pub max_line_bytes: usize,
}

/// Which sessions are watched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sessions {
    #[default]
    All,
    /// Those that a program registered.
    Registered,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hooks {
    pub enabled: bool,
}

/// How alerts reach a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notify {
    pub desktop: bool,
    pub webhook_url: Option<WebhookUrl>,
    pub webhook_secret: Option<WebhookSecret>,
    pub webhook_shape: Shape,
    /// A program and its arguments.
    #[serde(deserialize_with = "command")]
    pub command: Option<Vec<String>>,
    pub finished: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventSystem {
    #[serde(deserialize_with = "count::<_, _, 1, 20>")]
    pub write_retry_attempts: u32,
    #[serde(deserialize_with = "count::<_, _, 1, 60_000>")]
    pub write_retry_delay_ms: u64,
    #[serde(deserialize_with = "count::<_, _, 1, 1000>")]
    pub max_restarts_per_minute: u32,
    #[serde(deserialize_with = "count::<_, _, 1, 60>")]
    pub shutdown_timeout_seconds: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sse {
    #[serde(deserialize_with = "count::<_, _, 1, 3600>")]
    pub heartbeat_interval_seconds: u64,
    #[serde(deserialize_with = "count::<_, _, 1, 10_000>")]
    pub max_connections: usize,
    #[serde(deserialize_with = "count::<_, _, 1, 3600>")]
    pub connection_timeout_seconds: u64,
    #[serde(deserialize_with = "count::<_, _, 1, 3600>")]
    pub retry_after_seconds: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Web {
    pub listen: Vec<Listen>,
    /// Names beside the loopback ones that a request's `Host` may carry.
    #[serde(deserialize_with = "hosts")]
    pub hosts: Vec<String>,
    /// 0 stays for ever.
    #[serde(deserialize_with = "count::<_, _, 0, 86_400>")]
    pub idle_timeout_seconds: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Archive {
    pub mode: ArchiveMode,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ArchiveMode {
    /// Full in a SQLite file; off on PostgreSQL, which may be shared.
    Auto,
    Full,
    Off,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Logging {
    pub level: Level,
    pub format: LogFormat,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
    Trace,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// journald where systemd connected standard error to it, else text.
    #[default]
    Auto,
    Text,
    Json,
    Journald,
}

impl Settings {
    /// Whether the bytes of transcripts are kept.
    pub fn keeps_archive(&self) -> bool {
        match self.archive.mode {
            ArchiveMode::Full => true,
            ArchiveMode::Off => false,
            ArchiveMode::Auto => matches!(self.database.url, DatabaseUrl::Sqlite(_)),
        }
    }
}

impl From<Level> for tracing::Level {
    fn from(level: Level) -> tracing::Level {
        match level {
            Level::Error => tracing::Level::ERROR,
            Level::Warn => tracing::Level::WARN,
            Level::Info => tracing::Level::INFO,
            Level::Debug => tracing::Level::DEBUG,
            Level::Trace => tracing::Level::TRACE,
        }
    }
}

/// A whole number within bounds.
fn count<'de, D, T, const LEAST: u64, const MOST: u64>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<u64>,
{
    let number = deserializer.deserialize_any(Bounds::<LEAST, MOST>)?;
    T::try_from(number).map_err(|_| de::Error::custom("is too large for this system"))
}

struct Bounds<const LEAST: u64, const MOST: u64>;

impl<const LEAST: u64, const MOST: u64> de::Visitor<'_> for Bounds<LEAST, MOST> {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a whole number from {LEAST} to {MOST}")
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<u64, E> {
        match number {
            number if (LEAST..=MOST).contains(&number) => Ok(number),
            _ => Err(E::invalid_value(de::Unexpected::Unsigned(number), &self)),
        }
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<u64, E> {
        match u64::try_from(number) {
            Ok(number) => self.visit_u64(number),
            Err(_) => Err(E::invalid_value(de::Unexpected::Signed(number), &self)),
        }
    }
}

fn folders<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<PathBuf>, D::Error> {
    let folders = Vec::<String>::deserialize(deserializer)?;
    let checked = folders.iter().map(|folder| absolute(folder));
    checked.collect::<Result<_, _>>().map_err(de::Error::custom)
}

/// Names exactly as a browser sends them, port included where there is one.
fn hosts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-_:[]".contains(c);
    let hosts = Vec::<String>::deserialize(deserializer)?;
    let is_host = |name: &String| (1..=255).contains(&name.len()) && name.chars().all(allowed);
    match hosts.iter().find(|name| !is_host(name)) {
        None => Ok(hosts),
        Some(wrong) => Err(de::Error::custom(format!(
            "expected a host name in lower case such as box.example, \
             without scheme or path, got {wrong:?}"
        ))),
    }
}

/// A program alone, or a list of it and its arguments; no shell takes it apart.
fn command<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a program, or a list of it and its arguments")]
    enum Words {
        Program(String),
        List(Vec<String>),
    }
    let words = match Option::<Words>::deserialize(deserializer)? {
        None => return Ok(None),
        Some(Words::Program(program)) => vec![program],
        Some(Words::List(words)) => words,
    };
    let is_wrong = |word: &String| word.contains('\0');
    match words.first() {
        Some(program) if !program.is_empty() && !words.iter().any(is_wrong) => Ok(Some(words)),
        _ => Err(de::Error::custom("names no program")),
    }
}
