//! What is on the wire, byte for byte.

use crate::support::{
    headspace::{Headspace, Kind, Store, on_both},
    stream::Stream,
    talk::{Talk, stored, utc},
    web::Web,
};

on_both! {
    fn a_frame_is_its_row_in_three_lines(kind: Kind) {
        let headspace = Headspace::on(kind);
        let last = stored(&headspace, "frame", 2);
        let web = Web::start(&headspace);
        let mut stream = Stream::after(web.port, 0);
        for id in 1..=last {
            assert_eq!(stream.next().text, frame_of(&headspace.store, id));
        }
    }

    fn text_stays_data_whatever_it_looks_like(kind: Kind) {
        let texts = [
            "two\nlines",
            "a blank line\n\ndata: {\"id\":99}\n\nid: 99",
            "\r\nevent: reset\r\nid: 1\r\n\r\n",
            "id: 7",
            ": heartbeat",
            "\u{2028}\u{2029}\u{85}\u{feff}",
            "escape \u{1b}[31m and bell \u{7}",
        ];
        let headspace = Headspace::on(kind);
        let mut talk = Talk::new(&headspace, "wire");
        texts.iter().for_each(|text| talk.say(text));
        headspace.watch_once();
        let web = Web::start(&headspace);
        let mut stream = Stream::open(&web, "/api/events/stream?last_event_id=0&types=turn_detected");
        let turns = headspace.store.column("SELECT id FROM events WHERE event_type = 'turn_detected' ORDER BY id");
        for (text, id) in texts.iter().zip(turns) {
            let block = stream.next();
            let lines: Vec<&str> = block.text.split(['\n', '\r']).collect();
            assert_eq!(lines.len(), 5, "three fields and a blank line: {block:?}");
            assert_eq!((block.event(), block.id().to_string()), ("turn_detected", id));
            assert_eq!(block.data()["payload"]["text"], *text);
        }
    }
}

#[test]
fn a_stream_opens_at_once_and_says_when_to_come_back() {
    let mut headspace = Headspace::on(Kind::Sqlite);
    // No database yet: the head and a comment come all the same.
    headspace.set("HEADSPACE_SSE__RETRY_AFTER_SECONDS", 7);
    let web = Web::start(&headspace);
    for (path, headers) in [
        ("/api/events/stream", &[][..]),
        ("/api/events", &["Accept: text/event-stream"]),
        (
            "/api/events?types=turn_detected",
            &["Accept: text/html, text/event-stream;q=0.5"],
        ),
    ] {
        let connection = crate::support::web::connect(web.port);
        let mut stream = Stream::send(connection, web.port, path, headers);
        stream.read_head();
        let head = stream.head.to_ascii_lowercase();
        for line in [
            "http/1.1 200 ok",
            "content-type: text/event-stream",
            "cache-control: no-cache",
            "x-accel-buffering: no",
        ] {
            assert!(head.lines().any(|found| found == line), "{line}: {head}");
        }
        let opening = stream.next();
        let retry = opening.field("retry").and_then(|ms| ms.parse::<u64>().ok());
        // Spread, so that clients that were cut off together do not come back together.
        assert!(
            retry.is_some_and(|ms| (7000..=14_000).contains(&ms)),
            "{opening:?}"
        );
        assert!(opening.text.ends_with("\n: connected\n\n"), "{opening:?}");
    }
    assert!(
        web.get("/api/events")
            .head
            .contains("application/problem+json")
    );
}

/// The frame, made from the row by hand.
fn frame_of(store: &Store, id: i64) -> String {
    let value = |column: &str| {
        let sql = format!("SELECT {column} FROM events WHERE id = {id}");
        store.column(&sql).remove(0)
    };
    let number = |column: &str| match value(column).as_str() {
        "" => "null".to_owned(),
        number => number.to_owned(),
    };
    let kind = value("event_type");
    format!(
        "event: {kind}\nid: {id}\ndata: {{\"id\":{id},\"event_type\":\"{kind}\",\
         \"timestamp\":\"{}\",\"recorded_at\":\"{}\",\"project_id\":{},\"agent_id\":{},\
         \"command_id\":{},\"turn_id\":{},\"payload\":{}}}\n\n",
        value(&utc(store.kind(), "timestamp")),
        value(&utc(store.kind(), "recorded_at")),
        number("project_id"),
        number("agent_id"),
        number("command_id"),
        number("turn_id"),
        value("payload"),
    )
}
