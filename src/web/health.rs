//! `/health`: a verdict over facts, as a pure function.

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
    liveness::{Beat, Local, Lock},
    peer::Peer,
};

/// A watcher that has not written its row for this long is not taken for alive.
pub const FRESH_SECONDS: f64 = 10.0;

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
    events: Option<i64>,
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
        (Lock::Free, _) => false,
        (Lock::Held { .. }, _) if evidence.database.is_err() => true,
        (Lock::Held { pid, age_seconds }, Some(beat)) if beat.pid == pid => {
            is_fresh(beat) || age_seconds < FRESH_SECONDS
        }
        // It has just begun and did not write its row yet.
        (Lock::Held { age_seconds, .. }, _) => age_seconds < FRESH_SECONDS,
        (Lock::Unknown, beat) => beat.is_some_and(is_fresh),
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
            Lock::Held { pid, .. } => Some(pid),
            _ => None,
        },
        beat_age_seconds: shown.map(|beat| beat.age_seconds),
    }
}

fn is_fresh(beat: &Beat) -> bool {
    beat.age_seconds < FRESH_SECONDS && beat.state != "stopped"
}

fn not_running(lock: Lock, own: Option<&Beat>) -> String {
    match (lock, own) {
        (Lock::Held { .. }, Some(beat)) => {
            format!("the watcher has not reported for {:.0} s", beat.age_seconds)
        }
        (Lock::Held { .. }, None) => "the watcher has never reported".into(),
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
        events: readings.and_then(|readings| readings.events),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn beat(host: &str, age_seconds: f64, state: &str) -> Beat {
        Beat {
            host: host.into(),
            state_dir: "/s".into(),
            pid: 7,
            started_at: "2026-11-21T01:02:03.000000Z".into(),
            age_seconds,
            state: state.into(),
            reason: Some("the disk is full".into()),
            failed_writes: 2,
            bytes_behind: 5,
        }
    }

    fn health(lock: Lock, beats: Vec<Beat>, up: bool, active: usize) -> Health {
        let readings = Readings {
            schema_version: 1,
            last_write: None,
            rejected: 3,
            events: Some(9),
            beats,
        };
        judge(&Evidence {
            uptime_seconds: 1,
            backend: "sqlite",
            database: if up {
                Ok(&readings)
            } else {
                Err("the database cannot be reached")
            },
            local: Local {
                host: "here".into(),
                state_dir: "/s".into(),
                lock,
                supervisor: None,
            },
            active_connections: active,
            max_connections: 100,
            dropped_slow: 0,
        })
    }

    #[test]
    fn the_verdict_follows_from_the_evidence() {
        use Status::*;
        let held = Lock::Held {
            pid: 7,
            age_seconds: 60.0,
        };
        let new = Lock::Held {
            pid: 8,
            age_seconds: 1.0,
        };
        let here = |age, state| vec![beat("here", age, state)];
        let there = |age| vec![beat("here", 99.0, "ready"), beat("there", age, "ready")];
        for (lock, beats, up, active, status, running, reason) in [
            (held, here(0.4, "ready"), true, 0, Healthy, true, None),
            (
                Lock::Free,
                here(0.4, "ready"),
                true,
                0,
                Degraded,
                false,
                Some("no watcher is running"),
            ),
            (
                held,
                here(12.0, "ready"),
                true,
                0,
                Degraded,
                false,
                Some("the watcher has not reported for 12 s"),
            ),
            (
                held,
                vec![],
                true,
                0,
                Degraded,
                false,
                Some("the watcher has never reported"),
            ),
            (new, here(99.0, "ready"), true, 0, Healthy, true, None),
            (new, vec![], true, 0, Healthy, true, None),
            (
                Lock::Unknown,
                here(1.0, "ready"),
                true,
                0,
                Healthy,
                true,
                None,
            ),
            (
                Lock::Unknown,
                here(11.0, "ready"),
                true,
                0,
                Degraded,
                false,
                Some("no watcher is running"),
            ),
            (
                Lock::Unknown,
                here(1.0, "stopped"),
                true,
                0,
                Degraded,
                false,
                Some("no watcher is running"),
            ),
            (Lock::Free, there(1.0), true, 0, Healthy, true, None),
            (
                Lock::Free,
                there(30.0),
                true,
                0,
                Degraded,
                false,
                Some("no watcher is running"),
            ),
            (
                held,
                here(1.0, "degraded"),
                true,
                0,
                Degraded,
                true,
                Some("the watcher on here is degraded: the disk is full"),
            ),
            (
                held,
                here(1.0, "ready"),
                true,
                100,
                Degraded,
                true,
                Some("all 100 streams are taken"),
            ),
            (
                held,
                vec![],
                false,
                0,
                Unhealthy,
                true,
                Some("the database cannot be reached"),
            ),
            (
                Lock::Free,
                vec![],
                false,
                0,
                Unhealthy,
                false,
                Some("no watcher is running"),
            ),
        ] {
            let told = format!("{lock:?} {beats:?} {up} {active}");
            let health = health(lock, beats, up, active);
            assert_eq!(
                (health.status, health.watcher.running),
                (status, running),
                "{told}"
            );
            assert_eq!(health.reasons.first().map(String::as_str), reason, "{told}");
        }
    }

    #[test]
    fn the_body_has_exactly_its_documented_names() {
        let lock = Lock::Held {
            pid: 7,
            age_seconds: 60.0,
        };
        let body =
            serde_json::to_value(health(lock, vec![beat("here", 0.4, "ready")], true, 0)).unwrap();
        let names = |part: &serde_json::Value| {
            part.as_object()
                .unwrap()
                .keys()
                .cloned()
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(
            names(&body),
            "database reasons sse status uptime_seconds version watcher"
        );
        assert_eq!(
            names(&body["watcher"]),
            "active_state beat_age_seconds main_pid restarts result running since sub_state supervisor unit"
        );
        assert_eq!(
            names(&body["database"]),
            "backend bytes_behind events failed_write_count last_write_timestamp rejected_count schema_version status"
        );
        assert_eq!(
            names(&body["sse"]),
            "active_connections dropped_slow max_connections status"
        );
        assert_eq!(
            (&body["status"], &body["watcher"]["main_pid"]),
            (&"healthy".into(), &7.into())
        );
        assert_eq!(
            (
                &body["database"]["failed_write_count"],
                &body["database"]["rejected_count"]
            ),
            (&2.into(), &3.into())
        );
    }
}
