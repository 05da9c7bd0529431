//! `up` is both processes, started and ended together.

use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process};

use crate::support::{
    headspace::{Headspace, Kind, eventually, json_list, on_both},
    oracle,
    stream::Stream,
    talk::{Talk, wait_for_count},
    transcripts,
    up::{Up, is_alive},
};

const BUDGET: Duration = Duration::from_secs(2);

on_both! {
    fn it_says_where_and_what_and_shows_new_turns(kind: Kind) {
        let mut headspace = Headspace::on(kind);
        let roots = json_list(&[transcripts::real(), headspace.root()]);
        headspace.set("HEADSPACE_CLAUDE__ROOTS", roots);
        let mut up = Up::start(&headspace);
        let said = up.said();
        let store = &headspace.store;
        let sessions = store.number("SELECT count(*) FROM agents WHERE parent_agent_id IS NULL");
        let turns = store.number("SELECT count(*) FROM events WHERE event_type = 'turn_detected'");
        for expected in [
            format!("page      http://127.0.0.1:{}", up.web.port),
            format!("watching  {}", transcripts::real().display()),
            format!("watching  {}", headspace.root().display()),
            "  hooks     none of ours yet; ".into(),
            format!("Found {sessions} sessions with {turns} turns."),
        ] {
            assert!(said.contains(&expected), "{expected:?} is not in\n{said}");
        }
        let roots = [transcripts::real(), headspace.root()];
        let roots: Vec<_> = roots.iter().map(|root| root.as_path()).collect();
        // A last line without its end waits for a while before it is taken.
        eventually("everything is recorded", || {
            oracle::findings(store, &roots, &[]).is_empty()
        });
        let mut stream = Stream::open(&up.web, "/api/events/stream?types=turn_detected");
        Talk::new(&headspace, "new").say("as it happens");
        assert_eq!(stream.next_frame().data()["payload"]["text"], "as it happens");
        let health = up.web.wait_for_status("healthy");
        assert_eq!(health["watcher"]["supervisor"], "shell");
        assert_eq!(health["watcher"]["restarts"], 0);
        assert_eq!(up.process().stop().code(), Some(0));
    }
}

#[test]
fn one_interrupt_ends_both_in_time_and_leaves_nothing() {
    for signal in [Signal::INT, Signal::TERM] {
        let headspace = Headspace::on(Kind::Sqlite);
        Talk::new(&headspace, "stop").say("hello");
        let mut up = Up::start(&headspace);
        let (shell, watcher) = up.watcher().expect("its pid file");
        let mut stream = Stream::open(&up.web, "/api/events/stream");
        let begun = Instant::now();
        up.process().signal(signal);
        let status = up.process().wait();
        let took = begun.elapsed();
        eprintln!("{signal:?}: out after {took:?}");
        assert_eq!(status.code(), Some(0));
        assert!(took <= BUDGET, "{took:?}");
        assert!(!is_alive(watcher) && !is_alive(shell));
        assert_eq!(stream.next_frame().event(), "close");
        let run = headspace.state().join("run");
        assert!(!run.join("web.sock").exists() && !run.join("watcher.pid").exists());
        assert_eq!(headspace.store.turns(), ["hello"]);
    }
}

#[test]
fn killing_it_takes_the_watcher_with_it_in_time() {
    let headspace = Headspace::on(Kind::Sqlite);
    let up = Up::start(&headspace);
    let (shell, watcher) = up.watcher().expect("its pid file");
    up.web.process.kill();
    let died = Instant::now();
    eventually("the watcher ends", || {
        !is_alive(watcher) && !is_alive(shell)
    });
    eprintln!("the watcher ended after {:?}", died.elapsed());
    assert!(died.elapsed() <= Duration::from_secs(5));
    // And nothing it left is in the way of the next.
    let mut up = Up::start(&headspace);
    up.web.wait_for_status("healthy");
    assert_eq!(up.process().stop().code(), Some(0));
}

#[test]
fn a_watcher_that_works_already_is_used() {
    let headspace = Headspace::on(Kind::Sqlite);
    Talk::new(&headspace, "first").say("hello");
    let mut watcher = headspace.watch();
    wait_for_count(&headspace.store, 2);
    let mut up = Up::start(&headspace);
    assert!(
        up.said().contains("Found 1 sessions with 1 turns."),
        "{}",
        up.said()
    );
    up.web
        .process
        .wait_for_log("works on this state folder already");
    let health = up.web.wait_for_status("healthy");
    assert_eq!(
        health["watcher"]["main_pid"],
        watcher.pid().as_raw_nonzero().get()
    );
    assert_eq!(up.process().stop().code(), Some(0));
    assert!(watcher.is_running(), "it was not ours to stop");
}

#[test]
fn a_killed_watcher_is_restarted_and_nothing_is_lost() {
    let headspace = Headspace::on(Kind::Sqlite);
    let mut talk = Talk::new(&headspace, "restart");
    talk.say("before");
    let up = Up::start(&headspace);
    let (_, watcher) = up.watcher().expect("its pid file");
    kill_process(watcher, Signal::KILL).expect("it is there");
    talk.say("meanwhile");
    eventually("another one runs", || {
        up.watcher().is_some_and(|(_, next)| next != watcher)
    });
    talk.say("after");
    headspace
        .store
        .wait_for_turns(&["before", "meanwhile", "after"]);
    let health = up.web.wait_for_status("healthy");
    assert_eq!(health["watcher"]["restarts"], 1);
    oracle::assert_clean(&headspace);
}

#[test]
fn the_page_stays_when_the_watcher_is_gone_for_good() {
    let mut headspace = Headspace::on(Kind::Sqlite);
    headspace.set("HEADSPACE_EVENT_SYSTEM__MAX_RESTARTS_PER_MINUTE", 1);
    Talk::new(&headspace, "gone").say("hello");
    let mut up = Up::start(&headspace);
    let (_, first) = up.watcher().expect("its pid file");
    kill_process(first, Signal::KILL).expect("it is there");
    eventually("another one runs", || {
        up.watcher().is_some_and(|(_, next)| next != first)
    });
    let (shell, second) = up.watcher().expect("its pid file");
    kill_process(second, Signal::KILL).expect("it is there");
    eventually("the supervisor gives up", || !is_alive(shell));
    let health = up.web.wait_for_status("degraded");
    assert_eq!(health["watcher"]["running"], false);
    assert_eq!(health["watcher"]["supervisor"], "none");
    assert_eq!(health["reasons"][0], "no watcher is running");
    up.web.process.wait_for_log("the watcher has stopped");
    assert_eq!(up.web.get("/").status, 200);
    assert_eq!(
        up.web.get("/api/events?types=turn_detected").json()["events"][0]["payload"]["text"],
        "hello"
    );
    assert!(up.process().is_running());
    assert_eq!(up.process().stop().code(), Some(0));
}
