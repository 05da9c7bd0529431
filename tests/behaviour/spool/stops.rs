//! Asked to stop, the watcher is gone in time whatever it does with the spool, and
//! the next one takes in the rest.

use std::{
    fs::{self, File},
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::json;

use super::{
    assert_silent, hook,
    registry::{Cli, statuses},
    segments, stop,
};
use crate::support::{
    headspace::{Headspace, Kind, eventually, is_long, on_both},
    oracle,
};

/// `event_system.shutdown_timeout_seconds`, as it is by default.
const BUDGET: Duration = Duration::from_secs(2);
const BACKLOG: usize = 20_000;

on_both! {
    fn under_a_backlog_of_hooks_it_stops_in_time(kind: Kind) {
        let headspace = Headspace::on(kind);
        let sent = add_backlog(&headspace);
        let stored = || headspace.store.try_column("SELECT id FROM events").map_or(0, |ids| ids.len());
        for number in 1..=if is_long() { 20 } else { 4 } {
            let before = stored();
            let mut watcher = headspace.start(&["watch"]);
            eventually("some of it is stored", || stored() > before + 300);
            let begun = Instant::now();
            watcher.signal([Signal::TERM, Signal::INT][number % 2]);
            assert!(watcher.wait().success());
            assert!(begun.elapsed() <= BUDGET, "{:?}", begun.elapsed());
        }
        assert!(stored() < BACKLOG, "there was no backlog any more");
        headspace.watch_once();
        oracle::assert_clean_with_sent(&headspace, &sent);
    }
}

#[test]
fn while_the_spool_is_locked_it_stops_in_time_and_the_change_is_seen_by_the_next() {
    let headspace = Headspace::on(Kind::Sqlite);
    assert_silent(&hook(&headspace, stop("a").to_string()));
    let mut watcher = headspace.watch();
    let lock = File::open(headspace.state().join("spool/lock")).unwrap();
    lock.lock().unwrap();
    let mut cli = Cli::start(&headspace);
    cli.says("s", "busy");
    watcher.wait_for_log("cannot append to the spool");
    let begun = Instant::now();
    assert!(watcher.stop().success());
    assert!(begun.elapsed() <= BUDGET, "{:?}", begun.elapsed());
    drop(lock);
    let _next = headspace.watch();
    eventually("it is observed", || statuses(&headspace.store) == ["busy"]);
}

/// Many copies of one hook's line, each a hook and a line of its own.
fn add_backlog(headspace: &Headspace) -> Vec<serde_json::Value> {
    assert_silent(&hook(headspace, stop("backlog").to_string()));
    let segment = segments(headspace).remove(0);
    let line = fs::read_to_string(&segment).unwrap();
    let mut line: serde_json::Value = serde_json::from_str(&line).unwrap();
    let mut text = String::new();
    let mut sent = Vec::new();
    for number in 0..BACKLOG {
        line["hook"]["prompt_id"] = json!(number);
        line["key"] = json!(format!("{number:032}"));
        text += &format!("{line}\n");
        sent.push(json!({"hook": line["hook"]}));
    }
    fs::write(&segment, text).unwrap();
    sent
}
