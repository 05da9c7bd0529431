//! A newer program may write event types and payload fields that this one does not
//! know. Readers pass them on, in order.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::support::{
    headspace::{Headspace, Kind, on_both},
    stream::Stream,
    talk::{stored, tamper},
    web::Web,
};

on_both! {
    fn events_of_a_newer_program_are_passed_on_by_every_reader(kind: Kind) {
        let headspace = Headspace::on(kind);
        let head = stored(&headspace, "older", 2);
        let newer = newer_events(head);
        tamper(&headspace.store, &insert(kind, &newer[..2]));
        let last = head + 4;

        let mut follower = headspace
            .command(&["events", "--follow", "--json"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut followed = BufReader::new(follower.stdout.take().expect("its output")).lines();
        let mut next = || -> Value {
            let line = followed.next().expect("a line").expect("text");
            serde_json::from_str(&line).expect("an object")
        };
        let mut seen: Vec<Value> = (0..head + 2).map(|_| next()).collect();
        let web = Web::start(&headspace);
        let mut live = Stream::after(web.port, head);
        let mut streamed: Vec<Value> = (0..2).map(|_| live.next_frame().data()).collect();

        // The rest comes while they follow.
        tamper(&headspace.store, &insert(kind, &newer[2..]));
        seen.extend((0..2).map(|_| next()));
        streamed.extend((0..2).map(|_| live.next_frame().data()));
        kill_process(Pid::from_child(&follower), Signal::INT).expect("it runs");
        assert_eq!(follower.wait().expect("it exits").code(), Some(0));

        let mut page = web.get("/api/events").json()["events"].as_array().expect("events").clone();
        page.reverse();
        let output = headspace.run(&["events", "--json"]);
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).expect("text");
        let printed: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        for (reader, events) in [("page", &page), ("events --json", &printed), ("events --follow", &seen)] {
            let ids: Vec<i64> = events.iter().map(|event| event["id"].as_i64().expect("an id")).collect();
            assert_eq!(ids, (1..=last).collect::<Vec<i64>>(), "{reader}");
            assert_eq!(in_short(&events[head as usize..]), newer, "{reader}");
        }
        assert_eq!(in_short(&streamed), newer, "stream");

        // For people: one line each, by the name of its type.
        let output = headspace.run(&["events"]);
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).expect("text");
        assert_eq!(text.lines().count() as i64, last);
        assert!(text.contains("weather_observed") && text.contains("said in the future"), "{text}");
    }
}

/// Type and payload of four events: known types with unknown fields, unknown types.
fn newer_events(head: i64) -> Vec<Value> {
    let session = format!("session of {head}");
    let payloads = [
        (
            "weather_observed",
            json!({"sky": ["blue", {"deep": true}], "session_uuid": session}),
        ),
        (
            "turn_detected",
            json!({"session_uuid": session, "actor": "robot", "text": "said in the future",
                "source": "telepathy", "turn_timestamp": "2031-01-01T00:00:00Z", "mood": {"calm": 0.5}}),
        ),
        (
            "session_ended",
            json!({"session_uuid": session, "reason": "bored", "by": [1, 2]}),
        ),
        ("moon_observed", json!([1, "an array", null])),
    ];
    let events = payloads
        .into_iter()
        .map(|(event_type, payload)| json!({"event_type": event_type, "payload": payload}));
    events.collect()
}

fn insert(kind: Kind, events: &[Value]) -> String {
    let values: Vec<String> = events.iter().map(|event| value(kind, event)).collect();
    format!(
        "INSERT INTO events (timestamp, recorded_at, event_type, payload, event_key) VALUES {}",
        values.join(", ")
    )
}

fn value(kind: Kind, event: &Value) -> String {
    let (name, payload) = (
        event["event_type"].as_str().expect("a type"),
        &event["payload"],
    );
    let key = match kind {
        Kind::Sqlite => format!("CAST('{name}' AS BLOB)"),
        Kind::Postgres => format!("'{name}'"),
    };
    let at = "2031-01-01T00:00:00.000000Z";
    format!("('{at}', '{at}', '{name}', '{payload}', {key})")
}

fn in_short(events: &[Value]) -> Vec<Value> {
    let short =
        |event: &Value| json!({"event_type": event["event_type"], "payload": event["payload"]});
    events.iter().map(short).collect()
}
