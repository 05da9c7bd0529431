//! `/metrics`: what `/health` knows, as Prometheus reads it.

use std::fmt::Write;

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};

use super::health::{self, Health, Verdict};
use crate::web::{Shared, requests::Requests};

/// The text format's type, as its version 0.0.4 names it.
const KIND: &str = "text/plain; version=0.0.4; charset=utf-8";

pub async fn show(State(app): State<Shared>) -> Response {
    let health = health::of(&app).await;
    let headers = [
        (header::CONTENT_TYPE, KIND),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, text(&health, &app.requests)).into_response()
}

fn text(health: &Health, requests: &Requests) -> String {
    let mut out = String::new();
    let counters = health.counters();
    let is = |holds| u64::from(holds);
    let of_log = |count: i64| u64::try_from(count).unwrap_or(0);
    for (kind, name, help, value) in [
        (
            "gauge",
            "up",
            "1 if nothing is wrong.",
            is(health.status == Verdict::Healthy),
        ),
        (
            "gauge",
            "watcher_running",
            "1 if a watcher runs and works.",
            is(health.watcher.running),
        ),
        (
            "gauge",
            "database_up",
            "1 if the database answers.",
            is(health.is_connected()),
        ),
        (
            "gauge",
            "uptime_seconds",
            "How long the web process runs.",
            health.uptime_seconds,
        ),
        (
            "gauge",
            "events",
            "Events in the log.",
            of_log(health.events()),
        ),
        (
            "gauge",
            "rejections",
            "Lines in rejections.",
            of_log(health.rejected()),
        ),
        (
            "gauge",
            "bytes_behind",
            "Bytes of the inputs that are not stored yet.",
            counters.bytes_behind,
        ),
        (
            "gauge",
            "sessions_watched",
            "Sessions that the watcher watches.",
            counters.sessions,
        ),
        (
            "counter",
            "events_written_total",
            "Events that the watcher stored since its start.",
            counters.events_written,
        ),
        (
            "counter",
            "duplicates_total",
            "Facts that were stored already.",
            counters.duplicates,
        ),
        (
            "counter",
            "rejected_total",
            "Lines that were rejected.",
            counters.rejected,
        ),
        (
            "counter",
            "retries_total",
            "Writes that were tried again.",
            counters.retries,
        ),
        (
            "counter",
            "failed_writes_total",
            "Writes that failed.",
            counters.failed_writes,
        ),
        (
            "gauge",
            "sse_connections",
            "Open streams.",
            health.sse.active_connections as u64,
        ),
        (
            "gauge",
            "sse_connections_max",
            "Streams that may be open.",
            health.sse.max_connections as u64,
        ),
        (
            "counter",
            "sse_dropped_total",
            "Readers that could not keep up and were let go.",
            health.sse.dropped_slow,
        ),
    ] {
        head(&mut out, kind, name, help);
        let _ = writeln!(out, "headspace_{name} {value}");
    }
    let name = "http_requests_total";
    head(
        &mut out,
        "counter",
        name,
        "Requests that were answered, by the class of the status.",
    );
    for (class, count) in requests.counts() {
        let _ = writeln!(out, "headspace_{name}{{code=\"{class}xx\"}} {count}");
    }
    out
}

fn head(out: &mut String, kind: &str, name: &str, help: &str) {
    let _ = writeln!(
        out,
        "# HELP headspace_{name} {help}\n# TYPE headspace_{name} {kind}"
    );
}
