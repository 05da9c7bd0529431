//! A cursor that cannot be continued is answered by a reset, never by an error:
//! EventSource would give up for good.

use crate::support::{
    headspace::{Headspace, Kind, on_both},
    stream::Stream,
    talk::{Talk, stored},
    web::Web,
};

on_both! {
    fn odd_cursors_are_reset_and_then_live(kind: Kind) {
        let headspace = Headspace::on(kind);
        let head = stored(&headspace, "odd", 3);
        let web = Web::start(&headspace);
        let long = "9".repeat(10_000);
        let odd = [
            "garbage", "-1", "+1", "1.5", "0x10", "1e3", "1;DROP TABLE events", "NaN",
            "\u{661}", "99999999999999999999", "9223372036854775807", &long,
        ];
        let future = (head + 1).to_string();
        let mut streams = Vec::new();
        for cursor in odd.iter().copied().chain([future.as_str()]) {
            let header = format!("Last-Event-ID: {cursor}");
            let by_header = Stream::open_with(web.port, "/api/events/stream", &[&header]);
            streams.push((cursor, by_header));
            // An address has its own bound, and more than ASCII is never sent in one.
            if cursor.len() < 8000 && cursor.is_ascii() {
                let cursor_in_query = cursor.replace(' ', "%20").replace('+', "%2B");
                let path = format!("/api/events/stream?last_event_id={cursor_in_query}");
                streams.push((cursor, Stream::open(&web, &path)));
            }
        }
        for (cursor, stream) in &mut streams {
            let reset = stream.next_frame();
            assert_eq!((reset.event(), reset.id()), ("reset", head), "{cursor:.30}");
            assert_eq!(reset.data()["from"], head);
            assert!(reset.data()["reason"].as_str().is_some_and(|why| why.len() > 10));
        }
        Talk::new(&headspace, "afterwards").say("and on");
        headspace.watch_once();
        for (cursor, stream) in &mut streams {
            assert_eq!(stream.next_frame().id(), head + 1, "{cursor:.30}");
        }
    }
}

#[test]
fn the_header_is_newer_than_the_address() {
    let headspace = Headspace::on(Kind::Sqlite);
    let head = stored(&headspace, "both", 5);
    let web = Web::start(&headspace);
    let last = format!("Last-Event-ID: {}", head - 1);
    let path = "/api/events/stream?last_event_id=1";
    let mut stream = Stream::open_with(web.port, path, &[&last]);
    assert_eq!(stream.next_frame().id(), head);
    // EventSource without a last id sends none; some clients send an empty one.
    let mut stream = Stream::open_with(web.port, path, &["Last-Event-ID:"]);
    assert_eq!(stream.next_frame().id(), 2);
}
