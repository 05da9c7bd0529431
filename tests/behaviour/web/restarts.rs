//! A restart loses no client: an accepted one is answered, the others wait at the
//! socket, which a service manager keeps.

use std::{
    io::{Read, Write},
    net::TcpStream,
    os::unix::net::UnixStream,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use crate::support::{
    headspace::{Headspace, Kind, Store, eventually},
    keeper::{Keeper, try_get},
    proxy::Proxy,
    talk::stored,
    web::{Web, connect, find},
};

/// `event_system.shutdown_timeout_seconds`, as it is by default.
const BUDGET: Duration = Duration::from_secs(2);
const REQUESTS: usize = 1000;
const RESTARTS: usize = 10;
const CLIENTS: usize = 8;

#[test]
fn a_thousand_requests_over_ten_restarts_are_all_answered_in_time() {
    let headspace = Headspace::on(Kind::Sqlite);
    stored(&headspace, "restarts", 3);
    let keeper = Keeper::new();
    let (asked, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let lost = Mutex::new(Vec::new());
    let slowest = Mutex::new(Duration::ZERO);
    thread::scope(|scope| {
        let _last = LetGo(&asked);
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                while asked.fetch_add(1, Ordering::Relaxed) < REQUESTS {
                    let begun = Instant::now();
                    match try_get(keeper.port, "/api/events") {
                        Ok(200) => {}
                        other => lost.lock().unwrap().push(other),
                    }
                    let mut slowest = slowest.lock().unwrap();
                    *slowest = begun.elapsed().max(*slowest);
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for part in 1..=RESTARTS + 1 {
            let mut web = keeper.start(&headspace);
            let enough = part * REQUESTS / (RESTARTS + 1);
            eventually("some are answered", || {
                done.load(Ordering::Relaxed) >= enough
            });
            let begun = Instant::now();
            assert_eq!(web.stop().code(), Some(0));
            assert!(begun.elapsed() <= BUDGET, "{:?}", begun.elapsed());
        }
    });
    let lost = lost.into_inner().unwrap();
    println!(
        "{REQUESTS} requests, {RESTARTS} restarts, {} lost, the slowest took {:?}",
        lost.len(),
        slowest.into_inner().unwrap()
    );
    assert_eq!(lost, []);
}

/// Whatever ends the test, no client asks once more: there would be no server.
struct LetGo<'a>(&'a AtomicUsize);

impl Drop for LetGo<'_> {
    fn drop(&mut self) {
        self.0.store(REQUESTS, Ordering::Relaxed);
    }
}

#[test]
fn who_was_let_in_before_the_stop_is_answered_after_it() {
    let headspace = Headspace::on(Kind::Sqlite);
    let mut web = Web::start(&headspace);
    let head = format!("GET / HTTP/1.1\r\nHost: localhost:{}\r\n", web.port);
    let by_socket = || UnixStream::connect(&web.socket).expect("it is open");
    let mut silent = connect(web.port);
    let mut silent_by_socket = by_socket();
    let mut begun = connect(web.port);
    begun.write_all(&head.as_bytes()[..9]).expect("sent");
    // Later clients are accepted later.
    assert_eq!(web.get("/").status, 200);
    assert_eq!(web.by_socket("/").status, 200);

    web.process.signal(Signal::TERM);
    web.process.wait_for_log("stopping");
    let rest = format!("{head}\r\n");
    let begun_rest = &rest.as_bytes()[9..];
    assert_eq!(answer(&mut begun, begun_rest), 200);
    assert_eq!(answer(&mut silent, rest.as_bytes()), 200);
    let rest = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    assert_eq!(answer(&mut silent_by_socket, rest), 200);
    assert_eq!(web.process.wait().code(), Some(0));
    assert!(
        !web.process.log().contains("were cut"),
        "no client was waited for longer than needed"
    );
}

#[test]
fn the_stop_is_in_time_although_a_client_stays_silent() {
    let headspace = Headspace::on(Kind::Sqlite);
    let mut web = Web::start(&headspace);
    let mut silent: Vec<TcpStream> = (0..20).map(|_| connect(web.port)).collect();
    assert_eq!(web.get("/").status, 200);
    let begun = Instant::now();
    assert_eq!(web.process.stop().code(), Some(0));
    assert!(begun.elapsed() <= BUDGET, "{:?}", begun.elapsed());
    for connection in &mut silent {
        assert_eq!(connection.read(&mut [0]).unwrap_or(0), 0, "it is closed");
    }
}

#[test]
fn a_kept_connection_is_closed_at_once() {
    let headspace = Headspace::on(Kind::Sqlite);
    let mut web = Web::start(&headspace);
    let mut kept = connect(web.port);
    let request = format!(
        "GET /icon.svg HTTP/1.1\r\nHost: localhost:{}\r\n\r\n",
        web.port
    );
    kept.write_all(request.as_bytes()).expect("sent");
    let mut seen = Vec::new();
    while find(&seen, b"</svg>").is_none() {
        let mut part = [0; 1024];
        let count = kept.read(&mut part).expect("an answer");
        assert!(count > 0, "it is kept");
        seen.extend(&part[..count]);
    }
    web.process.signal(Signal::TERM);
    assert_eq!(kept.read(&mut [0]).expect("an end"), 0);
    assert_eq!(web.process.wait().code(), Some(0));
    assert!(!web.process.log().contains("were cut"));
}

/// Sends the rest of a request and reads to the end; the answer's status.
fn answer(connection: &mut (impl Read + Write), rest: &[u8]) -> u16 {
    crate::support::web::ask(connection, rest).status
}

/// PostgreSQL's Terminate is an `X` and a length: five bytes. A connection that is
/// only cut leaves the server to find that out, and to log it.
#[test]
fn a_stop_says_goodbye_to_the_database() {
    let mut headspace = Headspace::on(Kind::Postgres);
    let Store::Postgres(database) = &headspace.store else {
        panic!("made on PostgreSQL");
    };
    let proxy = Proxy::before(database);
    assert!(headspace.run(&["migrate"]).status.success());
    headspace.set("HEADSPACE_DATABASE__URL", proxy.url());
    let mut web = Web::start(&headspace);
    assert_eq!(web.get("/api/events").status, 200);
    let mut last = (0, 0);
    eventually("nothing more is asked", || {
        let heard = proxy.heard();
        last = (heard, if heard == last.0 { last.1 + 1 } else { 0 });
        last.1 == 20
    });
    assert!(web.process.stop().success());
    eventually("the server gets its goodbye", || {
        proxy.heard() >= last.0 + 5
    });
}
