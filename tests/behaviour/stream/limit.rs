//! There are so many places and no more.

use std::thread;

use crate::support::{
    headspace::{Headspace, Kind, eventually},
    stream::Stream,
    talk::{Talk, stored},
    web::Web,
};

#[test]
fn the_hundred_and_first_reader_is_asked_to_come_again() {
    let mut headspace = Headspace::on(Kind::Sqlite);
    headspace.set("HEADSPACE_SSE__RETRY_AFTER_SECONDS", 9);
    let head = stored(&headspace, "full", 1);
    let web = Web::start(&headspace);
    let mut streams: Vec<Stream> = (0..100)
        .map(|_| Stream::open(&web, "/api/events/stream"))
        .collect();

    let refused = web.get("/api/events/stream");
    refused.problem(503);
    assert_eq!(refused.header("retry-after"), Some("9"));
    let health = web.health();
    assert_eq!(health["sse"]["active_connections"], 100);
    assert_eq!(health["sse"]["max_connections"], 100);
    assert_eq!(health["sse"]["status"], "degraded");
    assert_eq!(
        web.get("/api/events?limit=1").status,
        200,
        "pages have room"
    );

    // The others are unharmed: all of them get the next event.
    Talk::new(&headspace, "next").say("for all");
    headspace.watch_once();
    thread::scope(|scope| {
        for stream in &mut streams {
            scope.spawn(move || assert_eq!(stream.next_frame().id(), head + 1));
        }
    });
}

#[test]
fn a_place_is_free_again_when_its_reader_leaves() {
    let mut headspace = Headspace::on(Kind::Sqlite);
    headspace.set("HEADSPACE_SSE__MAX_CONNECTIONS", 3);
    let head = stored(&headspace, "few", 1);
    let web = Web::start(&headspace);
    let mut streams: Vec<Stream> = (0..3)
        .map(|_| Stream::open(&web, "/api/events/stream"))
        .collect();
    web.get("/api/events/stream").problem(503);

    drop(streams.pop());
    eventually("its place is free", || {
        web.health()["sse"]["active_connections"] == 2
    });
    assert_eq!(web.health()["sse"]["status"], "healthy");
    streams.push(Stream::after(web.port, 0));
    assert_eq!(streams[2].next_frame().id(), 1);
    web.get("/api/events/stream").problem(503);
    Talk::new(&headspace, "next").say("for the clients that stayed");
    headspace.watch_once();
    assert_eq!(streams[0].next_frame().id(), head + 1);
}
