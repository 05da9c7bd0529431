//! `/health`: a verdict over facts, as a pure function.
//!
//! `facts` and `units` ask the database and the service manager, and never wait
//! longer than [`PATIENCE`](facts::PATIENCE); `unwatched` logs a warning while no watcher runs.

mod facts;
mod single_flight;
#[cfg(test)]
mod tests;
mod units;
mod unwatched;

use axum::{
    Extension, Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::query::{HealthQuery, Query};
use crate::{
    health::{self, Beat, Local, Watcher},
    store::Counters,
    web::{
        Shared,
        door::{Client, Peer},
    },
};

pub use facts::{Facts, Readings};
pub use unwatched::warn_unwatched;

/// Everything the verdict rests on.
pub struct Findings<'a> {
    pub now: Timestamp,
    pub uptime_seconds: u64,
    pub backend: &'static str,
    /// What the database said, or why it said nothing.
    pub database: Result<&'a Readings, &'a str>,
    /// What it said last, and how many seconds ago.
    pub last: Option<(&'a Readings, f64)>,
    pub local: Local,
    pub active_connections: usize,
    pub max_connections: usize,
    pub dropped_slow: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Healthy,
    Degraded,
    Unhealthy,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Health {
    pub status: Verdict,
    version: &'static str,
    pub uptime_seconds: u64,
    pub watcher: Watcher,
    database: DatabaseHealth,
    pub sse: SseHealth,
    pub reasons: Vec<String>,
    /// What the watchers counted that are shown.
    #[serde(skip)]
    counters: Counters,
}

#[derive(Debug, Serialize, JsonSchema)]
struct DatabaseHealth {
    status: &'static str,
    backend: &'static str,
    schema_version: Option<i64>,
    last_write_timestamp: Option<String>,
    failed_write_count: u64,
    /// Reports of the watcher that could not be written; no event is lost with one.
    failed_beat_count: u64,
    rejected_count: i64,
    events: i64,
    bytes_behind: u64,
    /// How old these values are, if the database does not answer now.
    age_seconds: Option<f64>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct SseHealth {
    status: Verdict,
    pub active_connections: usize,
    pub max_connections: usize,
    pub dropped_slow: u64,
}

impl Health {
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    pub fn events(&self) -> i64 {
        self.database.events
    }

    pub fn rejected(&self) -> i64 {
        self.database.rejected_count
    }

    /// How much of its input the watcher has not read yet.
    pub fn bytes_behind(&self) -> u64 {
        self.database.bytes_behind
    }

    pub fn is_connected(&self) -> bool {
        self.database.status == "connected"
    }

    /// The database in a line, for people.
    pub fn database(&self) -> String {
        let database = &self.database;
        let mut parts = vec![format!("{}, {}", database.backend, database.status)];
        parts.push(format!("{} events", database.events));
        if database.rejected_count > 0 {
            parts.push(format!("{} rejected", database.rejected_count));
        }
        if database.failed_write_count > 0 {
            parts.push(format!("{} failed writes", database.failed_write_count));
        }
        parts.join(" · ")
    }

    /// The stream in a line, for people.
    pub fn streams(&self) -> String {
        let sse = &self.sse;
        format!(
            "{} of {} connections",
            sse.active_connections, sse.max_connections
        )
    }
}

/// What any other user of this machine may know.
#[derive(Serialize)]
struct Brief {
    status: Verdict,
    version: &'static str,
}

pub async fn show(
    State(app): State<Shared>,
    Extension(client): Extension<Client>,
    Query(query): Query<HealthQuery>,
) -> Response {
    let health = of(&app).await;
    let code = match health.status {
        Verdict::Unhealthy => StatusCode::SERVICE_UNAVAILABLE,
        Verdict::Degraded if query.strict.0 => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::OK,
    };
    if client.peer == Peer::Ours {
        return (code, Json(health)).into_response();
    }
    let brief = Brief {
        status: health.status,
        version: health.version,
    };
    (code, Json(brief)).into_response()
}

/// The verdict as of now.
pub async fn of(app: &Shared) -> Health {
    let (answer, local) = tokio::join!(app.facts.database(), app.facts.local());
    let last = app.facts.last();
    judge(&Findings {
        now: Timestamp::now(),
        uptime_seconds: app.started.elapsed().as_secs(),
        backend: app.reader.backend(),
        database: answer.as_ref().as_ref().map_err(String::as_str),
        last: last.as_ref().map(|(readings, age)| (readings, *age)),
        local,
        active_connections: app.hub.active_connections(),
        max_connections: app.hub.settings().max_connections,
        dropped_slow: app.hub.dropped_slow(),
    })
}

pub fn judge(evidence: &Findings) -> Health {
    let mut reasons = vec![];
    let beats = evidence.database.ok().map(|readings| &*readings.beats);
    let watcher = health::judge(&evidence.local, beats, evidence.now, &mut reasons);
    let counters = counted(evidence);
    let database = judge_database(evidence, &counters, &mut reasons);
    let sse = judge_sse(evidence, &mut reasons);
    let status = match (evidence.database.is_err(), reasons.is_empty()) {
        (true, _) => Verdict::Unhealthy,
        (false, true) => Verdict::Healthy,
        (false, false) => Verdict::Degraded,
    };
    let version = env!("CARGO_PKG_VERSION");
    Health {
        status,
        version,
        uptime_seconds: evidence.uptime_seconds,
        watcher,
        database,
        sse,
        reasons,
        counters,
    }
}

fn judge_database(
    evidence: &Findings,
    counters: &Counters,
    reasons: &mut Vec<String>,
) -> DatabaseHealth {
    let readings = evidence.database;
    if let Err(why) = readings {
        reasons.push(why.to_owned());
    }
    let known = known(evidence);
    DatabaseHealth {
        status: if readings.is_ok() {
            "connected"
        } else {
            "unreachable"
        },
        backend: evidence.backend,
        schema_version: known.map(|known| known.schema_version),
        last_write_timestamp: known.and_then(|known| known.last_write.clone()),
        failed_write_count: counters.failed_writes,
        failed_beat_count: counters.failed_beats,
        rejected_count: known.map_or(0, |known| known.rejected),
        events: known.map_or(0, |known| known.events),
        bytes_behind: counters.bytes_behind,
        age_seconds: match readings {
            Ok(_) => None,
            Err(_) => evidence.last.map(|(_, age)| age),
        },
    }
}

/// What the database says, or said last.
fn known<'a>(evidence: &Findings<'a>) -> Option<&'a Readings> {
    let last = evidence.last.map(|(readings, _)| readings);
    evidence.database.ok().or(last)
}

/// What the watchers counted, together.
fn counted(evidence: &Findings) -> Counters {
    let watchers = known(evidence).map_or(Vec::new(), |known| counting(evidence, &known.beats));
    let sum = |count: fn(&Counters) -> u64| watchers.iter().map(|beat| count(&beat.counters)).sum();
    Counters {
        events_written: sum(|counters| counters.events_written),
        duplicates: sum(|counters| counters.duplicates),
        failed_writes: sum(|counters| counters.failed_writes),
        failed_beats: sum(|counters| counters.failed_beats),
        retries: sum(|counters| counters.retries),
        rejected: sum(|counters| counters.rejected),
        bytes_behind: sum(|counters| counters.bytes_behind),
        sessions: sum(|counters| counters.sessions),
    }
}

/// The watchers whose counts are shown: the one of this state folder, or without
/// it those that report from elsewhere.
fn counting<'a>(evidence: &Findings, beats: &'a [Beat]) -> Vec<&'a Beat> {
    match beats.iter().find(|beat| evidence.local.owns(beat)) {
        Some(own) => vec![own],
        None => beats.iter().filter(|beat| health::is_fresh(beat)).collect(),
    }
}

fn judge_sse(evidence: &Findings, reasons: &mut Vec<String>) -> SseHealth {
    let full = evidence.active_connections >= evidence.max_connections;
    if full {
        reasons.push(format!(
            "all {} streams are taken",
            evidence.max_connections
        ));
    }
    SseHealth {
        status: if full {
            Verdict::Degraded
        } else {
            Verdict::Healthy
        },
        active_connections: evidence.active_connections,
        max_connections: evidence.max_connections,
        dropped_slow: evidence.dropped_slow,
    }
}
