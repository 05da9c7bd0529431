//! Silence is broken by a comment, so that a dead connection shows.

use std::time::{Duration, Instant};

use crate::support::{
    headspace::{Headspace, Kind},
    stream::Stream,
    talk::Talk,
    web::Web,
};

const INTERVAL: Duration = Duration::from_secs(2);
/// The times are taken at the reader, and the machine may be busy.
const LEEWAY: Duration = Duration::from_millis(500);

#[test]
fn a_heartbeat_comes_in_time_after_silence_and_any_event_resets_the_timer() {
    let mut headspace = Headspace::on(Kind::Sqlite);
    headspace.set(
        "HEADSPACE_SSE__HEARTBEAT_INTERVAL_SECONDS",
        INTERVAL.as_secs(),
    );
    let mut talk = Talk::new(&headspace, "silence");
    talk.say("first");
    headspace.watch_once();
    let web = Web::start(&headspace);
    let mut stream = Stream::open(&web, "/api/events/stream");
    let mut last = Instant::now();
    let mut heartbeats = 0;
    let mut wait = |stream: &mut Stream, time: Duration| {
        while let Some(block) = stream.next_within(time.saturating_sub(last.elapsed())) {
            let silence = last.elapsed();
            last = Instant::now();
            if block.text == ": heartbeat\n\n" {
                heartbeats += 1;
                assert!(
                    silence > INTERVAL - LEEWAY,
                    "a heartbeat after only {silence:?}"
                );
                return true;
            }
            assert_eq!(block.event(), "turn_detected", "{block:?}");
        }
        false
    };
    assert!(wait(&mut stream, INTERVAL * 10), "the first");
    // An event in the middle of each silence: a timer of its own would beat.
    for round in 0..3 {
        wait(&mut stream, INTERVAL * 6 / 10);
        talk.say(&format!("round {round}"));
        headspace.watch_once();
    }
    assert!(wait(&mut stream, INTERVAL * 10), "silence again");
    assert!(wait(&mut stream, INTERVAL * 10), "and again");
    assert!(heartbeats >= 3);
}
