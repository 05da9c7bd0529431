//! The hook's promises under faults: a full disk, a held lock, a disk that
//! hangs, and death at any call.

use std::{
    collections::HashMap,
    fs::{self, File},
    process::{Command, Stdio},
    time::Duration,
};

use serde_json::Value;

use super::{assert_silent, feed, hook, lines, segments, stop};
use crate::support::{
    disk::SmallDisk,
    headspace::{Headspace, Kind},
};

#[test]
fn on_a_full_disk_it_takes_its_line_back_and_the_next_one_is_whole() {
    let headspace = Headspace::on(Kind::Sqlite);
    let disk = SmallDisk::at(&headspace.state());
    assert_silent(&hook(&headspace, stop("before").to_string()));
    let before = fs::read(&segments(&headspace)[0]).unwrap();
    disk.fill();
    let mut large = stop("full");
    large["last_assistant_message"] = "x".repeat(8000).into();
    assert_silent(&hook(&headspace, large.to_string()));
    assert_eq!(fs::read(&segments(&headspace)[0]).unwrap(), before);
    disk.free();
    assert_silent(&hook(&headspace, stop("after").to_string()));
    let sessions: Vec<Value> = lines(&headspace)
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["hook"]["session_id"].clone())
        .collect();
    assert_eq!(sessions, ["before", "after"]);
}

#[test]
fn it_leaves_in_time_while_another_process_holds_the_lock() {
    let headspace = Headspace::on(Kind::Sqlite);
    assert_silent(&hook(&headspace, stop("a").to_string()));
    let lock = File::open(headspace.state().join("spool/lock")).unwrap();
    lock.lock().unwrap();
    let (elapsed, output) = timed(|| hook(&headspace, stop("b").to_string()));
    assert_silent(&output);
    assert!(elapsed < Duration::from_secs(1), "{elapsed:?}");
    drop(lock);
    assert_silent(&hook(&headspace, stop("c").to_string()));
    assert_eq!(lines(&headspace).len(), 2);
}

#[test]
fn it_leaves_in_time_while_the_disk_hangs() {
    let headspace = Headspace::on(Kind::Sqlite);
    let trace = headspace.dir().join("trace");
    let mut strace = strace(&trace);
    strace.args(["-ttt", "-e", "trace=fdatasync,execve,exit_group"]);
    strace.args(["-e", "inject=fdatasync:delay_enter=5000000"]);
    let output = feed(
        headspace.command_under(strace, &["hook"]),
        stop("a").to_string().as_bytes(),
    );
    assert_silent(&output);
    // strace itself waits for the child; the trace says when the hook was over.
    let trace = fs::read_to_string(&trace).unwrap();
    let stamped: Vec<(&str, f64, &str)> = trace.lines().filter_map(parse).collect();
    let (hook, began, _) = stamped[0];
    let ended = stamped
        .iter()
        .find(|(pid, _, what)| *pid == hook && what.starts_with("exit_group(0)"));
    let took = ended.expect("it exits").1 - began;
    assert!((0.5..1.0).contains(&took), "{took} s:\n{trace}");
    // What hung came through in the end.
    assert_eq!(lines(&headspace).len(), 1);
}

/// `pid time what` of a line of strace.
fn parse(line: &str) -> Option<(&str, f64, &str)> {
    let (pid, rest) = line.split_once(' ')?;
    let (time, what) = rest.trim_start().split_once(' ')?;
    Some((pid, time.parse().ok()?, what))
}

#[test]
fn killed_at_any_call_it_leaves_one_line_or_none_and_the_next_is_whole() {
    let calls = ["openat", "flock", "write", "fdatasync", "fsync", "mkdir"];
    let counts = count(&calls);
    let mut killed = 0;
    for call in calls {
        for number in 1..=counts[call] {
            let headspace = Headspace::on(Kind::Sqlite);
            let mut strace = strace("/dev/null".as_ref());
            strace.args(["-e", &format!("trace={call}")]);
            strace.args(["-e", &format!("inject={call}:signal=SIGKILL:when={number}")]);
            feed(
                headspace.command_under(strace, &["hook"]),
                stop("a").to_string().as_bytes(),
            );
            let before = lines(&headspace).len();
            assert!(before <= 1, "{call} {number}");
            killed += usize::from(before == 0);
            assert_silent(&hook(&headspace, stop("b").to_string()));
            let after = lines(&headspace);
            assert_eq!(after.len(), before + 1, "{call} {number}: {after:?}");
            for line in &after {
                assert!(
                    serde_json::from_str::<Value>(line).is_ok(),
                    "{call} {number}: {line}"
                );
            }
        }
    }
    assert!(
        killed > 5,
        "{killed} only were killed before their line was written"
    );
}

/// How many of each of these calls one hook makes.
fn count<'a>(calls: &[&'a str]) -> HashMap<&'a str, usize> {
    let headspace = Headspace::on(Kind::Sqlite);
    let trace = headspace.dir().join("trace");
    let mut strace = strace(&trace);
    strace.args(["-e", &format!("trace={}", calls.join(","))]);
    assert_silent(&feed(
        headspace.command_under(strace, &["hook"]),
        stop("a").to_string().as_bytes(),
    ));
    let trace = fs::read_to_string(&trace).unwrap();
    let count = |call: &str| {
        let mut by_process: HashMap<_, usize> = HashMap::new();
        for line in trace
            .lines()
            .filter(|line| line.contains(&format!(" {call}(")))
        {
            *by_process.entry(line.split(' ').next()).or_default() += 1;
        }
        by_process.into_values().max().unwrap_or(0)
    };
    calls.iter().map(|call| (*call, count(call))).collect()
}

fn strace(trace: &std::path::Path) -> Command {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-o"]).arg(trace);
    strace.stdout(Stdio::piped());
    strace
}

fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let began = std::time::Instant::now();
    let done = work();
    (began.elapsed(), done)
}
