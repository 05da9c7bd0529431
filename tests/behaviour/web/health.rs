//! `/health` says what is wrong, soon, in words, and always answers.

use std::{
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{
    headspace::{Headspace, Kind, eventually, on_both},
    server::Server,
    stream::Stream,
    talk::{Talk, count, stored, wait_for_count},
    web::Web,
};

/// How soon it must know.
const SOON: Duration = Duration::from_secs(5);

#[test]
fn a_server_without_a_watcher_warns_and_so_does_one_whose_watcher_dies() {
    let headspace = Headspace::on(Kind::Sqlite);
    let web = Web::start(&headspace);
    let warnings = |count| {
        let text = "no watcher is running, so nothing new is recorded";
        eventually("it warns", || {
            let log = web.process.log();
            log.lines()
                .filter(|line| line.contains("WARN") && line.contains(text))
                .count()
                == count
        });
    };
    warnings(1);
    let watcher = headspace.watch();
    web.process.wait_for_log("a watcher is running");
    watcher.kill();
    warnings(2);
}

on_both! {
    fn every_name_is_there_from_the_first_answer_on(kind: Kind) {
        let headspace = Headspace::on(kind);
        Talk::new(&headspace, "names").say("hello");
        let watcher = headspace.watch();
        wait_for_count(&headspace.store, 2);
        let web = Web::start(&headspace);
        let first = web.get("/health");
        assert_eq!(first.status, 200);
        assert_eq!(first.header("content-type"), Some("application/json"));
        let health = first.json();
        assert_shape(&health);
        assert_eq!(health["status"], "healthy", "{health}");
        assert_eq!(health["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(health["watcher"]["running"], true);
        let pid = watcher.pid().as_raw_nonzero().get();
        assert_eq!(health["watcher"]["main_pid"], pid);
        assert_eq!(health["database"]["events"], count(&headspace.store));
        let last = health["database"]["last_write_timestamp"].as_str().expect("a time");
        assert!(last.ends_with('Z') && last.len() == 27, "{last}");
        let backend = match kind {
            Kind::Sqlite => "sqlite",
            Kind::Postgres => "postgres",
        };
        assert_eq!(health["database"]["backend"], backend);
        assert_eq!(health["reasons"], Value::Array(vec![]));
        let _stream = Stream::open(&web, "/api/events/stream");
        assert_eq!(web.health()["sse"]["active_connections"], 1);
        assert_eq!(web.get("/health?strict").status, 200);
        assert_eq!(web.by_socket("/health").json()["status"], "healthy");
    }

    fn a_killed_watcher_is_noticed_in_time_and_so_is_its_successor(kind: Kind) {
        let headspace = Headspace::on(kind);
        let watcher = headspace.watch();
        let web = Web::start(&headspace);
        web.wait_for_status("healthy");
        watcher.kill();
        let died = Instant::now();
        let health = web.wait_for_status("degraded");
        eprintln!("degraded {:?} after the watcher was killed", died.elapsed());
        assert!(died.elapsed() <= SOON);
        assert_eq!(health["watcher"]["running"], false);
        assert_reasons(&health, "watcher");
        assert_eq!(web.get("/health").status, 200, "degraded is still alive");
        for (query, status) in [
            ("strict", 503),
            ("strict=1", 503),
            ("strict=true", 503),
            ("strict=0", 200),
            ("stricter=1", 200),
        ] {
            let answer = web.get(&format!("/health?{query}"));
            assert_eq!(answer.status, status, "{query}");
        }
        let _successor = headspace.watch();
        let health = web.wait_for_status("healthy");
        assert_shape(&health);
    }

    fn a_frozen_watcher_is_noticed_by_its_beat(kind: Kind) {
        let headspace = Headspace::on(kind);
        let watcher = headspace.watch();
        let web = Web::start(&headspace);
        web.wait_for_status("healthy");
        watcher.signal(Signal::STOP);
        let health = web.wait_for_status("degraded");
        assert!(health["watcher"]["beat_age_seconds"].as_f64() >= Some(5.0), "{health}");
        assert_reasons(&health, "watcher has not reported");
        watcher.signal(Signal::CONT);
        web.wait_for_status("healthy");
    }
}

#[test]
fn a_database_that_goes_away_is_noticed_in_time_and_comes_back() {
    let (mut server, headspace) = Server::with_headspace();
    stored(&headspace, "away", 1);
    let _watcher = headspace.watch();
    let web = Web::start(&headspace);
    let before = web.wait_for_status("healthy");
    assert!(before["database"]["events"].as_i64() > Some(0), "{before}");
    server.stop(Signal::QUIT);
    let gone = Instant::now();
    let health = web.wait_for_status("unhealthy");
    eprintln!(
        "unhealthy {:?} after the database went away",
        gone.elapsed()
    );
    assert!(gone.elapsed() <= SOON);
    assert_shape(&health);
    assert_eq!(health["database"]["status"], "unreachable");
    assert!(health["database"]["age_seconds"].is_number(), "{health}");
    assert_eq!(health["database"]["events"], before["database"]["events"]);
    assert_reasons(&health, "database");
    assert!(
        !health.to_string().contains("postgres://"),
        "it leaks: {health}"
    );
    assert_eq!(web.get("/health").status, 503);
    assert_eq!(
        web.get("/api/events").problem(503),
        "the database cannot be reached"
    );
    assert!(web.get("/api/events").header("retry-after").is_some());
    server.start();
    web.wait_for_status("healthy");
    assert_eq!(web.get("/health?strict").status, 200);
}

#[test]
fn every_answer_is_in_time_although_the_database_is_frozen() {
    let (server, headspace) = Server::with_headspace();
    stored(&headspace, "frozen", 1);
    let _watcher = headspace.watch();
    let web = Web::start(&headspace);
    web.wait_for_status("healthy");
    server.freeze();
    let frozen = Instant::now();
    let mut times = Vec::new();
    loop {
        let asked = Instant::now();
        let health = web.health();
        times.push(asked.elapsed());
        assert_shape(&health);
        if health["status"] == "unhealthy" {
            // It does not answer open connections, and accepts none.
            assert_reasons(&health, "the database");
            break;
        }
        assert!(frozen.elapsed() < SOON * 4, "{health}");
        thread::park_timeout(Duration::from_millis(20));
    }
    times.sort();
    let (median, worst) = (times[times.len() / 2], times[times.len() - 1]);
    eprintln!(
        "unhealthy after {:?}; {} answers, median {median:?}, worst {worst:?}",
        frozen.elapsed(),
        times.len()
    );
    assert!(worst <= Duration::from_secs(1), "{worst:?}");
    server.thaw();
    web.wait_for_status("healthy");
}

#[test]
fn without_a_database_it_says_so() {
    let headspace = Headspace::on(Kind::Sqlite);
    let web = Web::start(&headspace);
    let answer = web.get("/health");
    assert_eq!(answer.status, 503);
    let health = answer.json();
    assert_shape(&health);
    assert_reasons(&health, "there is no database yet");
    let _watcher = headspace.watch();
    web.wait_for_status("healthy");
}

/// The names of the contract, each with its type; what has a `?` may be null.
const SHAPE: &str = "
    status string / version string / uptime_seconds number
    watcher.running bool / watcher.supervisor string / watcher.unit string? / watcher.active_state string?
    watcher.sub_state string? / watcher.since string? / watcher.restarts number? / watcher.result string?
    watcher.main_pid number? / watcher.beat_age_seconds number?
    database.status string / database.backend string / database.schema_version number?
    database.last_write_timestamp string? / database.failed_write_count number
    database.failed_beat_count number
    database.rejected_count number / database.events number / database.bytes_behind number
    sse.status string / sse.active_connections number / sse.max_connections number / sse.dropped_slow number
    reasons array";

fn assert_shape(health: &Value) {
    for line in SHAPE
        .split(['\n', '/'])
        .map(str::trim)
        .filter(|line| !line.is_empty())
    {
        let (name, kind) = line.split_once(' ').expect("a name and a type");
        let pointer = format!("/{}", name.replace('.', "/"));
        let value = health
            .pointer(&pointer)
            .unwrap_or_else(|| panic!("no {name} in {health}"));
        let found = match value {
            Value::Null => "null",
            Value::Bool(_) => "bool",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        let fits = found == kind.trim_end_matches('?') || (found == "null" && kind.ends_with('?'));
        assert!(fits, "{name} is {value}, not {kind}");
    }
}

/// One sentence per cause, and one of them is about this.
fn assert_reasons(health: &Value, about: &str) {
    let reasons = health["reasons"].as_array().expect("a list");
    let mut texts = reasons
        .iter()
        .map(|reason| reason.as_str().expect("a sentence"));
    assert!(
        texts.any(|text| text.contains(about) && text.contains(' ')),
        "{about}: {health}"
    );
}
