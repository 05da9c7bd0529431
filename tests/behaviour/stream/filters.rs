//! A client gets what it asked for, and a problem for what cannot be asked.

use crate::support::{
    headspace::{Headspace, Kind, on_both},
    stream::{Recording, Stream, read_until},
    talk::{Talk, newest},
    web::Web,
};

/// Two projects, two sessions in one of them.
fn three_talks(headspace: &Headspace) -> [Talk; 3] {
    let mut talks = ["one", "two", "three"].map(|name| Talk::new(headspace, name));
    talks[2].session.cwd = talks[1].session.cwd.clone();
    for round in 1..=3 {
        talks
            .iter_mut()
            .for_each(|talk| talk.say(&format!("round {round}")));
        headspace.watch_once();
    }
    talks
}

on_both! {
    fn filters_are_joined_by_and_in_replay_and_live(kind: Kind) {
        let headspace = Headspace::on(kind);
        let mut talks = three_talks(&headspace);
        let web = Web::start(&headspace);
        let store = &headspace.store;
        let ids = |condition: &str| -> Vec<i64> {
            let sql = format!("SELECT id FROM events WHERE {condition} ORDER BY id");
            store.column(&sql).iter().map(|id| id.parse().unwrap()).collect()
        };
        let turns = "event_type = 'turn_detected'";
        let cases = [
            ("types=turn_detected", turns.to_owned()),
            ("types=session_registered", "event_type = 'session_registered'".into()),
            ("types=turn_detected,session_registered", "event_type <> 'state_transition'".into()),
            ("types=turn_detected&types=session_ended", turns.into()),
            ("project_id=1", "project_id = 1".into()),
            ("project_id=1&project_id=2", "project_id IN (1, 2)".into()),
            ("agent_id=2&agent_id=3", "agent_id IN (2, 3)".into()),
            ("project_id=2&agent_id=3", "project_id = 2 AND agent_id = 3".into()),
            ("types=turn_detected&project_id=2&agent_id=1&agent_id=2", format!("{turns} AND agent_id = 2")),
            ("project_id=4711", "project_id = 4711".into()),
        ];
        let open = |query: &str| Stream::open(&web, &format!("/api/events/stream?last_event_id=0&{query}"));
        let mut streams: Vec<Stream> = cases.iter().map(|(query, _)| open(query)).collect();
        talks.iter_mut().for_each(|talk| talk.say("live"));
        headspace.watch_once();
        let mut distinct = std::collections::BTreeSet::new();
        for ((query, condition), stream) in cases.iter().zip(&mut streams) {
            let expected = ids(condition);
            let got: Vec<i64> = expected.iter().map(|_| stream.next_frame().id()).collect();
            assert_eq!(got, expected, "{query}");
            distinct.insert(expected);
        }
        assert!(distinct.len() >= 7, "the cases differ: {distinct:?}");

        // What a filter keeps back does not come later either.
        let mut recording = Recording::default();
        let mut stream = open("types=turn_detected");
        recording.begins("turns", 0);
        read_until(&mut stream, "turns", newest(store), &mut recording);
        recording.assert_clean(&headspace, Some("turn_detected"));
    }
}

#[test]
fn what_cannot_be_asked_is_refused_by_name() {
    let headspace = Headspace::on(Kind::Sqlite);
    let web = Web::start(&headspace);
    for (query, name) in [
        ("types=turn", "types"),
        ("types=", "types"),
        ("types=turn_detected,", "types"),
        ("types=turn_detected,nothing", "types"),
        ("types=TURN_DETECTED", "types"),
        ("project_id=one", "project_id"),
        ("project_id=", "project_id"),
        ("project_id=1&project_id=x", "project_id"),
        ("agent_id=1.5", "agent_id"),
        ("agent_id=-1", "agent_id"),
        ("agent_id=99999999999999999999", "agent_id"),
        ("agent_id=1%20OR%201=1", "agent_id"),
        ("colour=red", "colour"),
    ] {
        for path in ["/api/events/stream", "/api/events"] {
            let detail = web.get(&format!("{path}?{query}")).problem(400);
            assert!(detail.contains(name), "{path}?{query}: {detail}");
        }
    }
}
