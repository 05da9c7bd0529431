//! A watcher that is killed, again and again, takes in what every writer sent, once.

use std::{
    collections::HashSet,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    assert_silent, hook,
    registry::{Cli, observed},
    stop,
};
use crate::support::{
    headspace::{Headspace, Kind, eventually, is_long, on_both, seed},
    oracle,
    over::Over,
    random::Random,
    web::Web,
};

on_both! {
    fn killed_at_random_it_takes_in_what_hooks_programs_and_the_registry_said(kind: Kind) {
        let headspace = Headspace::on(kind);
        let kills = if is_long() { 1000 } else { 40 };
        let seed = seed();
        println!("seed {seed}, {kills} kills");
        let mut random = Random(seed);
        headspace.watch_once();
        let web = Web::start(&headspace);
        let sent = Mutex::new(Vec::new());
        let is_over = AtomicBool::new(false);
        let (_cli, said) = thread::scope(|scope| {
            let _over = Over(&is_over);
            let (headspace, web, sent, is_over) = (&headspace, &web, &sent, &is_over);
            scope.spawn(move || until(is_over, |n| send_by_command(headspace, n, sent)));
            scope.spawn(move || until(is_over, |n| send_to_web(web, n, sent)));
            let cli = scope.spawn(move || {
                let mut cli = Cli::start(headspace);
                let mut said = 0;
                until(is_over, |n| {
                    cli.says(&format!("by-registry-{n}"), "busy");
                    said = n;
                });
                (cli, said)
            });
            for number in 0..kills {
                let watcher = if number % 2 == 0 { headspace.start(&["watch"]) } else { headspace.watch() };
                park(Duration::from_millis(random.between(1, 400)));
                watcher.kill();
            }
            is_over.store(true, Ordering::Relaxed);
            cli.join().expect("the registry was written")
        });
        let before = headspace.store.number("SELECT count(*) FROM events");
        let mut watcher = headspace.watch();
        let said = json!(format!("by-registry-{said}"));
        let is_stored = || {
            let observed = observed(&headspace.store);
            observed.iter().any(|seen| seen["claude_session_id"] == said)
        };
        eventually("what the registry says now is stored", is_stored);
        assert!(watcher.stop().success());
        headspace.watch_once();
        let sent = sent.into_inner().unwrap();
        println!("{} sent, {before} events before the last start", sent.len());
        assert!(before as usize > sent.len() / 2, "the killed watchers did too little");
        oracle::assert_clean_with_sent(&headspace, &sent);
        let mut seen = HashSet::new();
        for observation in observed(&headspace.store) {
            assert!(seen.insert(observation.to_string()), "twice: {observation}");
        }
    }
}

fn until(is_over: &AtomicBool, mut write: impl FnMut(usize)) {
    let mut number = 0;
    while !is_over.load(Ordering::Relaxed) {
        write(number);
        number += 1;
        park(Duration::from_millis(20));
    }
}

fn send_by_command(headspace: &Headspace, number: usize, sent: &Mutex<Vec<Value>>) {
    let mut body = stop("by-command");
    body["prompt_id"] = json!(number);
    assert_silent(&hook(headspace, body.to_string()));
    sent.lock().unwrap().push(json!({"hook": body}));
}

/// A hook, and at times a session, which may be ended again.
fn send_to_web(web: &Web, number: usize, sent: &Mutex<Vec<Value>>) {
    let mut body = stop("by-http");
    body["prompt_id"] = json!(number);
    assert_eq!(web.post("/hook", &body.to_string()).status, 200);
    sent.lock().unwrap().push(json!({"hook": body}));
    if number.is_multiple_of(8) {
        let uuid = format!("by-program-{number}");
        let session = json!({"session_uuid": uuid, "project_path": "/home/dev/shop"});
        let answer = web.post("/api/sessions", &session.to_string());
        assert!(matches!(answer.status, 201 | 202), "{}", answer.body);
        sent.lock().unwrap().push(json!({"session": session}));
    }
}

fn park(time: Duration) {
    let due = Instant::now() + time;
    while let Some(left) = due.checked_duration_since(Instant::now()) {
        thread::park_timeout(left);
    }
}
