use super::*;
use crate::{store::Counters, supervise::Holder};

const HELD: Holder = Holder::Process {
    pid: 7,
    age_seconds: 60.0,
};

fn beat(host: &str, age_seconds: f64, state: &str) -> Beat {
    Beat {
        host: host.into(),
        state_dir: "/s".into(),
        pid: 7,
        started_at: "2026-11-21T01:02:03.000000Z".into(),
        age_seconds,
        state: state.into(),
        reason: Some("the disk is full".into()),
        counters: Counters {
            failed_writes: 2,
            failed_beats: 4,
            bytes_behind: 5,
            ..Counters::default()
        },
    }
}

fn health(holder: Holder, beats: Vec<Beat>, up: bool, active: usize) -> Health {
    let readings = Readings {
        schema_version: 1,
        last_write: None,
        rejected: 3,
        events: 9,
        beats,
    };
    judge(&Findings {
        now: Timestamp::UNIX_EPOCH,
        uptime_seconds: 1,
        backend: "sqlite",
        database: if up {
            Ok(&readings)
        } else {
            Err("the database cannot be reached")
        },
        last: Some((&readings, 4.5)),
        local: Local {
            host: "here".into(),
            state_dir: "/s".into(),
            holder,
            shell: None,
            unit: None,
        },
        active_connections: active,
        max_connections: 100,
        dropped_slow: 0,
    })
}

#[test]
fn the_verdict_follows_from_the_evidence() {
    use Verdict::*;
    let here = || vec![beat("here", 0.4, "ready")];
    for (holder, beats, up, active, status, reasons) in [
        (HELD, here(), true, 0, Healthy, vec![]),
        (
            Holder::Free,
            here(),
            true,
            0,
            Degraded,
            vec!["no watcher is running"],
        ),
        (
            HELD,
            here(),
            true,
            100,
            Degraded,
            vec!["all 100 streams are taken"],
        ),
        (
            HELD,
            vec![],
            false,
            0,
            Unhealthy,
            vec!["the database cannot be reached"],
        ),
        (
            Holder::Free,
            vec![],
            false,
            100,
            Unhealthy,
            vec![
                "no watcher is running",
                "the database cannot be reached",
                "all 100 streams are taken",
            ],
        ),
    ] {
        let case = format!("{holder:?} {beats:?} {up} {active}");
        let health = health(holder, beats, up, active);
        assert_eq!(health.status, status, "{case}");
        assert_eq!(health.reasons, reasons, "{case}");
    }
}

#[test]
fn the_body_has_exactly_its_documented_names() {
    let body =
        serde_json::to_value(health(HELD, vec![beat("here", 0.4, "ready")], true, 0)).unwrap();
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
        "age_seconds backend bytes_behind events failed_beat_count failed_write_count last_write_timestamp rejected_count schema_version status"
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

/// Neither the rows of other hosts nor those of watchers that are gone are counted,
/// and what was known stays known while the database is away.
#[test]
fn the_counts_are_those_of_this_watcher_and_outlive_the_database() {
    let rows = || {
        let own = beat("here", 1.0, "running");
        let elsewhere = beat("there", 1.0, "running");
        let old = beat("there", 9000.0, "running");
        (own, elsewhere, old)
    };
    let counts = |beats, up| {
        let json = serde_json::to_value(health(HELD, beats, up, 0)).unwrap();
        let database = &json["database"];
        [
            "failed_write_count",
            "bytes_behind",
            "rejected_count",
            "age_seconds",
        ]
        .map(|name| database[name].as_f64())
    };
    let (own, elsewhere, old) = rows();
    let all = vec![own, elsewhere.clone(), old.clone()];
    assert_eq!(
        counts(all.clone(), true),
        [Some(2.0), Some(5.0), Some(3.0), None]
    );
    let away = [Some(2.0), Some(5.0), Some(3.0), Some(4.5)];
    assert_eq!(counts(all, false), away);
    assert_eq!(counts(vec![elsewhere, old], true)[0], Some(2.0));
}
