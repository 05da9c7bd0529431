//! How often the stream asks PostgreSQL for one batch of events, counted on the wire
//! between the two.

use std::time::Instant;

use crate::support::{
    headspace::{Headspace, Kind, Store},
    proxy::Proxy,
    stream::Stream,
    talk::{Talk, stored},
    web::{self, Web},
};

const BATCHES: u64 = 20;
/// The web process looks this often without a wake-up.
const POLL_SECONDS: u64 = 2;

#[test]
fn each_batch_is_one_question() {
    let headspace = Headspace::on(Kind::Postgres);
    let head = stored(&headspace, "asked", 3);
    let Store::Postgres(database) = &headspace.store else {
        panic!("made on PostgreSQL");
    };
    let proxy = Proxy::before(database);
    let mut command = web::command(&headspace);
    command.env("HEADSPACE_DATABASE__URL", proxy.url());
    let web = Web::from(&headspace, command);
    let _watcher = headspace.watch();
    let mut stream = Stream::after(web.port, head - 1);
    assert_eq!(stream.next_frame().id(), head);
    let mut talk = Talk::new(&headspace, "asking");
    let mut say = |text: &str| {
        talk.say(text);
        while stream.next_frame().data()["payload"]["text"] != text {}
    };
    say("the session is registered");

    let (before, begun) = (proxy.statements(), Instant::now());
    for batch in 0..BATCHES {
        say(&format!("batch {batch}"));
    }
    let asked = proxy.statements() - before;
    let polls = begun.elapsed().as_secs() / POLL_SECONDS + 1;
    assert!(asked >= BATCHES, "{asked} statements are not all of them");
    assert!(
        asked <= BATCHES + polls,
        "{asked} statements for {BATCHES} batches and {polls} polls"
    );
}
