//! Asked to stop, the watcher is gone within its budget, whatever the database
//! does, and what it had not stored is stored by the next one.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use sqlx::{Connection, SqliteConnection};

use crate::support::{
    conversation::Conversation,
    headspace::{Headspace, Kind, Running, Store, eventually, is_long},
    oracle,
    proxy::Proxy,
    server::Server,
};

/// `event_system.shutdown_timeout_seconds`, as it is by default.
const BUDGET: Duration = Duration::from_secs(2);
const BACKLOG: usize = 20_000;

#[test]
fn on_sqlite_within_the_budget() {
    let headspace = Headspace::on(Kind::Sqlite);
    let states = [
        State::Idle,
        State::MidAppend,
        State::Locked,
        State::Degraded,
        State::Backlog,
    ];
    stop_in_all(&headspace, &states, |headspace, state, talk| match state {
        State::Locked | State::Degraded => {
            let watcher = headspace.watch();
            let lock = Lock::take(headspace);
            talk.say_all(2);
            watcher.wait_for_log(match state {
                State::Locked => "trying again",
                _ => "degraded: positions are kept",
            });
            (watcher, Fault::Locked(lock))
        }
        _ => at_work(headspace, state, talk),
    });
}

#[test]
fn on_postgres_within_the_budget() {
    let (server, mut headspace) = Server::with_headspace();
    let Store::Postgres(database) = &headspace.store else {
        panic!("made on PostgreSQL");
    };
    let proxy = Proxy::before(database);
    headspace.set("HEADSPACE_DATABASE__URL", proxy.url());
    let server = std::cell::RefCell::new(server);
    let states = [
        State::Idle,
        State::MidAppend,
        State::Frozen,
        State::Down,
        State::Stalled,
        State::Backlog,
    ];
    stop_in_all(&headspace, &states, |headspace, state, talk| match state {
        State::Frozen => {
            let watcher = headspace.watch();
            server.borrow().freeze();
            ask_in_vain(&proxy, talk);
            (watcher, Fault::Frozen(&server))
        }
        State::Down => {
            let watcher = headspace.watch();
            server.borrow_mut().stop(Signal::INT);
            talk.say_all(2);
            watcher.wait_for_log("degraded: positions are kept");
            (watcher, Fault::Down(&server))
        }
        State::Stalled => {
            let watcher = headspace.watch();
            proxy.stall();
            ask_in_vain(&proxy, talk);
            (watcher, Fault::Stalled(&proxy))
        }
        _ => at_work(headspace, state, talk),
    });
}

/// What the watcher and its database are doing when it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    MidAppend,
    Backlog,
    Locked,
    Degraded,
    Frozen,
    Down,
    Stalled,
}

/// What has to be undone before the next watcher can catch up.
enum Fault<'a> {
    None,
    Locked(Lock),
    Frozen(&'a std::cell::RefCell<Server>),
    Down(&'a std::cell::RefCell<Server>),
    Stalled(&'a Proxy),
}

/// Stops a watcher in every state, by TERM and by INT in turn, often enough
/// that both tests together make 50 stops, or 200.
fn stop_in_all<'a>(
    headspace: &Headspace,
    states: &[State],
    bring_about: impl Fn(&Headspace, State, &mut Conversation) -> (Running, Fault<'a>),
) {
    let count = if is_long() { 100 } else { 25 };
    let signals = [Signal::TERM, Signal::INT].into_iter().cycle();
    let mut slowest = (Duration::ZERO, states[0]);
    let mut talk = Conversation::new(headspace, "stops");
    for (number, signal) in (0..count).zip(signals) {
        // One state after the other, the backlog last: what is left of it stays.
        let state = states[number * states.len() / count];
        let (mut watcher, fault) = bring_about(headspace, state, &mut talk);
        let asked = Instant::now();
        watcher.signal(signal);
        let status = watcher.wait();
        let took = asked.elapsed();
        assert!(status.success(), "{state:?}, stop {number}: {status}");
        assert!(took <= BUDGET, "{state:?}, stop {number}: it took {took:?}");
        if took > slowest.0 {
            slowest = (took, state);
        }
        fault.end();
    }
    // Positions and events agree: what is left is read by the next one.
    headspace.watch_once();
    assert!(
        talk.is_stored(headspace),
        "something that was said is not stored"
    );
    oracle::assert_clean(headspace);
    let (took, state) = (slowest.0.as_millis(), slowest.1);
    println!("{count} stops, the slowest took {took} ms ({state:?})");
}

/// The states in which the database does nothing unusual.
fn at_work(
    headspace: &Headspace,
    state: State,
    talk: &mut Conversation,
) -> (Running, Fault<'static>) {
    let events = || headspace.store.number("SELECT count(*) FROM events");
    let watcher = match state {
        State::Backlog => {
            let before = events();
            add_to_backlog(headspace);
            let watcher = headspace.watch();
            eventually("some of the backlog is stored", || events() > before + 200);
            watcher
        }
        State::MidAppend => {
            let watcher = headspace.watch();
            talk.say();
            talk.wait_until_stored(headspace);
            talk.say_all(30);
            watcher
        }
        _ => {
            let watcher = headspace.watch();
            talk.say();
            talk.wait_until_stored(headspace);
            watcher
        }
    };
    (watcher, Fault::None)
}

/// At first all of it, later as much as was read of it meanwhile, and more.
fn add_to_backlog(headspace: &Headspace) {
    let talks = (0..).map(|n| (n, Conversation::new(headspace, &format!("backlog{n}"))));
    let mut fresh = talks.skip_while(|(_, talk)| talk.path.exists());
    let (n, mut talk) = fresh.next().expect("one is fresh");
    talk.say_all(if n == 0 { BACKLOG } else { BACKLOG / 4 });
}

/// Says something and waits until the watcher has turned to the database with it.
fn ask_in_vain(proxy: &Proxy, talk: &mut Conversation) {
    let heard = proxy.heard();
    talk.say_all(2);
    eventually("the watcher asks the database", || proxy.heard() > heard);
}

impl Fault<'_> {
    fn end(self) {
        match self {
            Fault::None => {}
            Fault::Locked(lock) => lock.release(),
            Fault::Frozen(server) => server.borrow().thaw(),
            Fault::Down(server) => server.borrow_mut().start(),
            Fault::Stalled(proxy) => proxy.flow(),
        }
    }
}

/// Another process's write lock on the SQLite file.
struct Lock {
    runtime: tokio::runtime::Runtime,
    link: SqliteConnection,
}

impl Lock {
    fn take(headspace: &Headspace) -> Lock {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let url = headspace.store.url();
        let link = runtime.block_on(async {
            let mut link = SqliteConnection::connect(&url).await?;
            sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut link).await?;
            Ok::<_, sqlx::Error>(link)
        });
        Lock {
            link: link.expect("the lock"),
            runtime,
        }
    }

    fn release(self) {
        let closed = self.runtime.block_on(self.link.close());
        closed.expect("it is released");
    }
}
