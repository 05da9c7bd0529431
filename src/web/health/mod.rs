//! `/health`: a verdict over facts, as a pure function.

#[cfg(test)]
mod tests;

use axum::{
    Extension, Json,
    extract::State,
    http::{StatusCode, Uri},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::{
    Shared,
    connection::Client,
    facts::Readings,
    liveness::{Beat, Local},
    peer::Peer,
};
use crate::supervise::Holder;

/// A watcher that has not written its row for this long is not taken for alive.
pub const FRESH_SECONDS: f64 = 30.0;

/// Everything the verdict rests on.
pub struct Evidence<'a> {
    pub uptime_seconds: u64,
    pub backend: &'static str,
    /// What the database said, or why it said nothing.
    pub database: Result<&'a Readings, &'a str>,
    pub local: Local,
    pub active_connections: usize,
    pub max_connections: usize,
    pub dropped_slow: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Healthy,
    Degraded,
    Unhealthy,
}

#[derive(Debug, Serialize)]
pub struct Health {
    pub status: Status,
    version: &'static str,
    uptime_seconds: u64,
    pub watcher: Watcher,
    database: Database,
    sse: Sse,
    pub reasons: Vec<String>,
}

#[derive(Debug, Serialize)]
pub struct Watcher {
    pub running: bool,
    supervisor: &'static str,
    unit: Option<String>,
    active_state: Option<String>,
    sub_state: Option<String>,
    since: Option<String>,
    restarts: Option<i64>,
    result: Option<String>,
    main_pid: Option<i64>,
    pub beat_age_seconds: Option<f64>,
}

#[derive(Debug, Serialize)]
struct Database {
    status: &'static str,
    backend: &'static str,
    schema_version: Option<i64>,
    last_write_timestamp: Option<String>,
    failed_write_count: i64,
    rejected_count: i64,
    events: i64,
    bytes_behind: i64,
}

#[derive(Debug, Serialize)]
struct Sse {
    status: Status,
    active_connections: usize,
    max_connections: usize,
    dropped_slow: u64,
}

/// What any other user of this machine may know.
#[derive(Serialize)]
struct Brief {
    status: Status,
    version: &'static str,
}

pub async fn show(
    State(app): State<Shared>,
    Extension(client): Extension<Client>,
    uri: Uri,
) -> Response {
    let answer = app.facts.database().await;
    let health = judge(&Evidence {
        uptime_seconds: app.started.elapsed().as_secs(),
        backend: app.reader.backend(),
        database: answer.as_ref().as_ref().map_err(String::as_str),
        local: app.facts.local(),
        active_connections: app.hub.active_connections(),
        max_connections: app.hub.settings().max_connections,
        dropped_slow: app.hub.dropped_slow(),
    });
    let strict = uri
        .query()
        .is_some_and(|query| query.split('&').any(|name| name == "strict"));
    let code = match health.status {
        Status::Unhealthy => StatusCode::SERVICE_UNAVAILABLE,
        Status::Degraded if strict => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::OK,
    };
    if client.peer() == Peer::Ours {
        return (code, Json(health)).into_response();
    }
    let brief = Brief {
        status: health.status,
        version: health.version,
    };
    (code, Json(brief)).into_response()
}

pub fn judge(evidence: &Evidence) -> Health {
    let mut reasons = vec![];
    let watcher = judge_watcher(evidence, &mut reasons);
    let database = judge_database(evidence, &mut reasons);
    let sse = judge_sse(evidence, &mut reasons);
    let status = match (evidence.database.is_err(), reasons.is_empty()) {
        (true, _) => Status::Unhealthy,
        (false, true) => Status::Healthy,
        (false, false) => Status::Degraded,
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
    }
}

/// The lock tells at once that our own watcher died; the beat tells, a little
/// later, that it hangs. Of watchers elsewhere there is only the beat.
fn judge_watcher(evidence: &Evidence, reasons: &mut Vec<String>) -> Watcher {
    let local = &evidence.local;
    let beats: &[Beat] = evidence.database.map_or(&[], |readings| &readings.beats);
    let own = beats.iter().find(|beat| local.owns(beat));
    let own_runs = match (local.lock, own) {
        (Holder::Nobody, _) => false,
        (Holder::Process { .. }, _) if evidence.database.is_err() => true,
        (Holder::Process { pid, age_seconds }, Some(beat)) if beat.pid == pid => {
            is_fresh(beat) || age_seconds < FRESH_SECONDS
        }
        // It has just begun and did not write its row yet.
        (Holder::Process { age_seconds, .. }, _) => age_seconds < FRESH_SECONDS,
        (Holder::Unknown, beat) => beat.is_some_and(is_fresh),
    };
    let alive: Vec<&Beat> = beats
        .iter()
        .filter(|beat| {
            if local.owns(beat) {
                own_runs
            } else {
                is_fresh(beat)
            }
        })
        .collect();
    let running = own_runs || !alive.is_empty();
    if !running {
        reasons.push(not_running(local.lock, own));
    }
    for beat in alive.iter().filter(|beat| beat.state == "degraded") {
        let why = beat.reason.as_deref().unwrap_or("it does not say why");
        reasons.push(format!("the watcher on {} is degraded: {why}", beat.host));
    }
    let shown = own.or(alive.first().copied());
    let supervisor = local.supervisor.as_ref();
    Watcher {
        running,
        supervisor: if supervisor.is_some() {
            "shell"
        } else {
            "none"
        },
        unit: None,
        active_state: None,
        sub_state: None,
        since: shown.map(|beat| beat.started_at.clone()),
        restarts: supervisor.map(|supervisor| supervisor.restarts),
        result: None,
        main_pid: match local.lock {
            Holder::Process { pid, .. } => Some(pid),
            _ => None,
        },
        beat_age_seconds: shown.map(|beat| beat.age_seconds),
    }
}

fn is_fresh(beat: &Beat) -> bool {
    beat.age_seconds < FRESH_SECONDS && beat.state != "stopped"
}

fn not_running(lock: Holder, own: Option<&Beat>) -> String {
    match (lock, own) {
        (Holder::Process { .. }, Some(beat)) => {
            format!("the watcher has not reported for {:.0} s", beat.age_seconds)
        }
        (Holder::Process { .. }, None) => "the watcher has never reported".into(),
        _ => "no watcher is running".into(),
    }
}

fn judge_database(evidence: &Evidence, reasons: &mut Vec<String>) -> Database {
    let readings = evidence.database;
    if let Err(why) = readings {
        reasons.push(why.to_owned());
    }
    let beats: &[Beat] = readings.map_or(&[], |readings| &readings.beats);
    let readings = readings.ok();
    Database {
        status: if readings.is_some() {
            "connected"
        } else {
            "unreachable"
        },
        backend: evidence.backend,
        schema_version: readings.map(|readings| readings.schema_version),
        last_write_timestamp: readings.and_then(|readings| readings.last_write.clone()),
        failed_write_count: beats.iter().map(|beat| beat.failed_writes).sum(),
        rejected_count: readings.map_or(0, |readings| readings.rejected),
        events: readings.map_or(0, |readings| readings.events),
        bytes_behind: beats.iter().map(|beat| beat.bytes_behind).sum(),
    }
}

fn judge_sse(evidence: &Evidence, reasons: &mut Vec<String>) -> Sse {
    let full = evidence.active_connections >= evidence.max_connections;
    if full {
        reasons.push(format!(
            "all {} streams are taken",
            evidence.max_connections
        ));
    }
    Sse {
        status: if full {
            Status::Degraded
        } else {
            Status::Healthy
        },
        active_connections: evidence.active_connections,
        max_connections: evidence.max_connections,
        dropped_slow: evidence.dropped_slow,
    }
}
