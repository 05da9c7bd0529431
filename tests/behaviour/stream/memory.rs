//! A client of the stream costs the server little memory.

use crate::support::{
    headspace::{Headspace, Kind},
    stream::Stream,
    web::Web,
};

const CLIENTS: u64 = 400;
const MOST_KB: u64 = 10;

#[test]
fn a_client_that_waits_costs_at_most_ten_kilobytes() {
    let mut headspace = Headspace::on(Kind::Sqlite);
    headspace.set("HEADSPACE_SSE__MAX_CONNECTIONS", 2 * CLIENTS);
    headspace.watch_once();
    let web = Web::start(&headspace);
    let open = || Stream::open(&web, "/api/events/stream");
    let _first: Vec<Stream> = (0..CLIENTS / 4).map(|_| open()).collect();
    let before = web.process.memory_kb("RssAnon");
    let _streams: Vec<Stream> = (0..CLIENTS).map(|_| open()).collect();
    let grown = web.process.memory_kb("RssAnon") - before;
    let each = grown as f64 / CLIENTS as f64;
    eprintln!("{each:.1} kB for each client");
    assert!(grown <= MOST_KB * CLIENTS, "{each:.1} kB for each client");
}
