//! Wake-ups may be lost: the follower also looks by itself.

use std::{
    fs,
    time::{Duration, Instant},
};

use crate::support::{
    headspace::{Headspace, Kind, Store, eventually},
    stream::Stream,
    talk::{Talk, newest, stored},
    web::Web,
};

/// A reader that hears nothing looks every 2 s. A busy machine may need a while
/// more, but not as long as a second look would take.
const SOON: Duration = Duration::from_millis(3900);

#[test]
fn events_arrive_without_doorbells() {
    let headspace = Headspace::on(Kind::Sqlite);
    stored(&headspace, "quiet", 1);
    let web = Web::start(&headspace);
    let mut stream = Stream::open(&web, "/api/events/stream");
    let doors = headspace.state().join("run/wake");
    eventually("there is a doorbell", || {
        fs::read_dir(&doors).is_ok_and(|mut entries| entries.next().is_some())
    });
    fs::remove_dir_all(&doors).expect("the doorbells are removed");
    three_events_arrive(&headspace, &mut stream, || {});
}

#[test]
fn events_arrive_in_time_although_the_listener_is_cut_off() {
    let headspace = Headspace::on(Kind::Postgres);
    let Store::Postgres(database) = &headspace.store else {
        unreachable!("this is PostgreSQL");
    };
    stored(&headspace, "quiet", 1);
    let web = Web::start(&headspace);
    let mut stream = Stream::open(&web, "/api/events/stream");
    let listeners = "FROM pg_stat_activity WHERE application_name = 'headspace listen' \
                     AND datname = current_database()";
    eventually("there is a listener", || {
        database.sql(&format!("SELECT count(*) {listeners}")) == "1"
    });
    let mut cut = 0;
    three_events_arrive(&headspace, &mut stream, || {
        let sql = format!("SELECT count(pg_terminate_backend(pid)) {listeners}");
        cut += database.sql(&sql).parse::<u32>().expect("a count");
    });
    assert!(cut > 0, "a listener was cut off");
}

fn three_events_arrive(headspace: &Headspace, stream: &mut Stream, mut deafen: impl FnMut()) {
    let mut talk = Talk::new(headspace, "unheard");
    for round in 0..3 {
        deafen();
        talk.say(&format!("round {round}"));
        headspace.watch_once();
        let committed = Instant::now();
        let last = newest(&headspace.store);
        while stream.next_frame().id() < last {}
        let took = committed.elapsed();
        eprintln!("seen {took:?} after it was committed");
        assert!(took < SOON, "{took:?}");
    }
}
