//! Where a service manager keeps its socket, the web process may exit while no
//! client is connected, and the next client starts it again.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use crate::support::{
    headspace::{Headspace, Kind, PATIENCE, eventually, is_long, seed},
    keeper::{Keeper, try_get},
    random::Random,
    stream::Stream,
    talk::stored,
    web::{Web, command, connect},
};

const LEAVES: &str = "no client is connected; exiting";
const IDLE: Duration = Duration::from_secs(1);

#[test]
fn it_leaves_when_nobody_is_there_and_the_next_request_starts_it() {
    let headspace = idle_headspace();
    stored(&headspace, "idle", 1);
    let keeper = Keeper::new();
    for _ in 0..2 {
        let visitor = thread::spawn({
            let port = keeper.port;
            move || try_get(port, "/api/events")
        });
        assert!(keeper.hears_a_knock(PATIENCE));
        let begun = Instant::now();
        let mut web = keeper.start(&headspace);
        assert_eq!(visitor.join().expect("no panic"), Ok(200));
        assert_eq!(web.wait().code(), Some(0));
        assert!(begun.elapsed() >= IDLE, "not before its time");
        assert!(web.log().contains(LEAVES), "{}", web.log());
    }
    assert!(!keeper.hears_a_knock(Duration::ZERO));
}

#[test]
fn who_is_connected_keeps_it_there() {
    let headspace = idle_headspace();
    let head = stored(&headspace, "idle", 1);
    let keeper = Keeper::new();
    let mut web = keeper.start(&headspace);
    let mut stream = Stream::after(keeper.port, head);
    let begun = Instant::now();
    // Silent connections come and go meanwhile, and the stream stays.
    while begun.elapsed() < IDLE * 3 {
        drop(connect(keeper.port));
        assert_eq!(stream.next_within(IDLE / 4), None);
        assert!(web.is_running(), "{}", web.log());
    }
    drop(stream);
    assert_eq!(web.wait().code(), Some(0));
    assert!(web.log().contains(LEAVES), "{}", web.log());
}

#[test]
fn fifty_exits_raced_with_requests_lose_none() {
    const WORLDS: usize = 5;
    let exits = if is_long() { 500 } else { 50 };
    let seed = seed();
    println!("seed {seed}");
    let (left, asked) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for world in 0..WORLDS {
            let (left, asked) = (&left, &asked);
            scope.spawn(move || {
                let mut random = Random(seed.wrapping_add(world as u64));
                let headspace = idle_headspace();
                stored(&headspace, "idle", 1);
                let keeper = Keeper::new();
                race(&headspace, &keeper, &mut random, exits / WORLDS, asked);
                left.fetch_add(exits / WORLDS, Ordering::Relaxed);
            });
        }
    });
    println!("{left:?} exits, {asked:?} requests, none lost");
    assert_eq!(left.into_inner(), exits);
}

#[test]
fn without_a_kept_socket_it_stays_and_says_so_once() {
    let headspace = idle_headspace();
    let mut web = Web::from(&headspace, command(&headspace));
    let begun = Instant::now();
    eventually("its time is long over", || begun.elapsed() > IDLE * 2);
    assert!(web.process.is_running());
    assert_eq!(web.get("/").status, 200);
    assert_eq!(web.process.stop().code(), Some(0));
    let log = web.process.log();
    let warned = log.matches("web.idle_timeout_seconds is ignored").count();
    assert_eq!(warned, 1, "{log}");
    assert!(!log.contains(LEAVES), "{log}");
}

fn idle_headspace() -> Headspace {
    let mut headspace = Headspace::on(Kind::Sqlite);
    headspace.set("HEADSPACE_WEB__IDLE_TIMEOUT_SECONDS", IDLE.as_secs());
    headspace
}

/// One asks around the moment at which the process leaves, a little before or
/// after; the keeper starts it whenever a client waits.
fn race(
    headspace: &Headspace,
    keeper: &Keeper,
    random: &mut Random,
    exits: usize,
    asked: &AtomicUsize,
) {
    let left = AtomicUsize::new(0);
    thread::scope(|scope| {
        let visitor = scope.spawn(|| {
            while left.load(Ordering::Relaxed) < exits {
                let late = Duration::from_micros(random.between(0, 30_000));
                thread::park_timeout(IDLE + late - Duration::from_millis(10));
                assert_eq!(try_get(keeper.port, "/api/events"), Ok(200));
                asked.fetch_add(1, Ordering::Relaxed);
            }
        });
        while !visitor.is_finished() {
            if keeper.hears_a_knock(Duration::from_millis(50)) {
                let mut web = keeper.start(headspace);
                assert_eq!(web.wait().code(), Some(0));
                left.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
}
