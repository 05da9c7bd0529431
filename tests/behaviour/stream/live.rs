//! Without a cursor a reader sees what comes from now on.

use crate::support::{
    headspace::{Headspace, Kind, on_both},
    stream::Stream,
    talk::{Talk, newest, stored},
    web::Web,
};

on_both! {
    fn without_an_id_only_what_comes_later_arrives(kind: Kind) {
        let headspace = Headspace::on(kind);
        let before = stored(&headspace, "earlier", 5);
        let web = Web::start(&headspace);
        let mut talk = Talk::new(&headspace, "later");
        let mut stream = Stream::open(&web, "/api/events/stream");
        talk.say("one");
        headspace.watch_once();
        let ids: Vec<i64> = (0..3).map(|_| stream.next_frame().id()).collect();
        assert_eq!(ids, [before + 1, before + 2, before + 3]);
        assert_eq!(newest(&headspace.store), before + 3);
    }

    /// A client that has read the first bytes of a stream is in it: what is committed
    /// after that arrives, even to the first reader there is.
    fn whatever_is_committed_after_the_opening_arrives(kind: Kind) {
        let headspace = Headspace::on(kind);
        stored(&headspace, "earlier", 1);
        let web = Web::start(&headspace);
        for round in 0..4 {
            let mut stream = Stream::open(&web, "/api/events/stream");
            let key = format!("round {round}");
            insert(&headspace, &key);
            assert_eq!(stream.next_frame().data()["payload"]["text"], key);
        }
    }
}

/// Commits an event at once, with no process to be started first.
fn insert(headspace: &Headspace, key: &str) {
    let now = "2026-11-21T01:02:03.000000Z";
    let payload = serde_json::json!({"text": key});
    let sql = format!(
        "INSERT INTO events (timestamp, recorded_at, event_type, payload, event_key) \
         VALUES ('{now}', '{now}', 'turn_detected', '{payload}', '{key}')"
    );
    crate::support::talk::tamper(&headspace.store, &sql);
}
