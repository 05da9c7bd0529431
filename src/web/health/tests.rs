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

fn health(lock: Holder, beats: Vec<Beat>, up: bool, active: usize) -> Health {
    let readings = Readings {
        schema_version: 1,
        last_write: None,
        rejected: 3,
        events: 9,
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
    let held = Holder::Process {
        pid: 7,
        age_seconds: 60.0,
    };
    let new = Holder::Process {
        pid: 8,
        age_seconds: 1.0,
    };
    let here = |age, state| vec![beat("here", age, state)];
    let there = |age| vec![beat("here", 99.0, "ready"), beat("there", age, "ready")];
    for (lock, beats, up, active, status, running, reason) in [
        (held, here(0.4, "ready"), true, 0, Healthy, true, None),
        (
            Holder::Nobody,
            here(0.4, "ready"),
            true,
            0,
            Degraded,
            false,
            Some("no watcher is running"),
        ),
        (
            held,
            here(32.0, "ready"),
            true,
            0,
            Degraded,
            false,
            Some("the watcher has not reported for 32 s"),
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
            Holder::Unknown,
            here(1.0, "ready"),
            true,
            0,
            Healthy,
            true,
            None,
        ),
        (
            Holder::Unknown,
            here(31.0, "ready"),
            true,
            0,
            Degraded,
            false,
            Some("no watcher is running"),
        ),
        (
            Holder::Unknown,
            here(1.0, "stopped"),
            true,
            0,
            Degraded,
            false,
            Some("no watcher is running"),
        ),
        (Holder::Nobody, there(1.0), true, 0, Healthy, true, None),
        (
            Holder::Nobody,
            there(31.0),
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
            Holder::Nobody,
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
    let lock = Holder::Process {
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
