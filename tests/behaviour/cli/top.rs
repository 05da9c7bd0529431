//! `status --watch` draws the sessions as they change, and takes keys.

use std::fs;

use crate::support::{
    agents::{ago, change, session},
    headspace::{Headspace, Kind, eventually, is_long},
    talk::Talk,
    tmux::Tmux,
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_headspace");

#[test]
fn keys_choose_a_session_and_say_what_to_do_with_it() {
    let headspace = Headspace::on(Kind::Sqlite);
    let mut tmux = Tmux::start(&headspace);
    tmux.attach("work");
    let there = tmux.window("cat");
    let hour = |hours: i64| format!("since = {}", ago(hours * 3600 + 60));
    session(
        &headspace,
        "shop",
        &format!(
            "title = 'fix login', state = 'processing', {}, terminal = '{}'",
            hour(1),
            tmux.variables(&there)
        ),
    );
    session(
        &headspace,
        "blog",
        &format!("title = 'new theme', state = 'processing', {}", hour(2)),
    );
    session(
        &headspace,
        "docs",
        &format!("title = 'a guide', {}", hour(3)),
    );
    let pane = tmux.window(&format!("{PROGRAM} status --watch; echo gone; cat"));
    tmux.run(&["select-window", "-t", &pane]);
    let press = |key: &str| drop(tmux.run(&["send-keys", "-t", &pane, key]));
    let first = tmux.wait_for(&pane, "q quit");
    for expected in [
        "2 working   1 idle",
        "fix login",
        "new theme",
        "(-a shows them)",
    ] {
        assert!(first.contains(expected), "{expected:?} is not in\n{first}");
    }
    let chosen = || {
        let screen = tmux.run(&["capture-pane", "-p", "-e", "-t", &pane]);
        let line = screen.lines().find(|line| line.contains("\u{1b}[7m"));
        line.map(str::to_owned).unwrap_or_default()
    };
    let is_chosen = |title: &str| eventually(title, || chosen().contains(title));
    press("j");
    is_chosen("fix login");
    press("j");
    is_chosen("new theme");
    press("j");
    press("k");
    is_chosen("fix login");
    press("a");
    tmux.wait_for(&pane, "a guide");

    press("e");
    tmux.wait_for(&pane, "no change of its state is in the log");
    press("q");
    tmux.wait_for(&pane, "q quit");
    press("Enter");
    tmux.wait_for(&pane, "  shop");
    press("q");
    tmux.wait_for(&pane, "q quit");
    press("g");
    eventually("the terminal shows it", || {
        tmux.run(&["display-message", "-p", "#{pane_id}"]) == there
    });
    tmux.wait_for(&pane, "fix login is in tmux work:1.0");
    press("q");
    let last = tmux.wait_for(&pane, "gone");
    assert!(
        !last.contains("working"),
        "the screen before is back:\n{last}"
    );
}

#[test]
fn a_commit_is_drawn_in_one_write_and_nothing_grows() {
    let headspace = Headspace::on(Kind::Sqlite);
    let tmux = Tmux::start(&headspace);
    let id = session(
        &headspace,
        "shop",
        "title = 'fix login', state = 'processing'",
    );
    let mut talk = Talk::new(&headspace, "other");
    talk.say("hello");
    headspace.watch_once();
    let _watcher = headspace.watch();
    let trace = headspace.dir().join("trace");
    let pane = tmux.window(&format!(
        "strace -f -qq -e trace=write -e signal=none -s 65536 -o {} {PROGRAM} status --watch",
        trace.display()
    ));
    tmux.wait_for(&pane, "fix login");
    let rounds = if is_long() { 10_000 } else { 1_000 };
    let mut memory = Vec::new();
    for round in 1..=rounds {
        change(&headspace, id, &format!("title = 'round {round}'"));
        talk.say(&format!("{round}"));
        if round % 100 == 0 {
            tmux.wait_for(&pane, &format!("round {round} "));
            memory.push(resident_kb(&tmux, &pane));
        }
    }
    let (early, late) = (memory[1], memory[memory.len() - 1]);
    assert!(
        late <= early + 512,
        "it grew from {early} to {late} kB: {memory:?}"
    );
    // Between the frame's beginning and its end there is one write and no other.
    let trace = fs::read_to_string(trace).expect("the trace");
    let frames: Vec<&str> = trace
        .lines()
        .filter(|line| line.contains("round "))
        .collect();
    assert!(frames.len() >= rounds / 100, "{}", frames.len());
    for frame in frames {
        let is_whole =
            frame.contains("write(1, \"\\33[?2026h\\33[H") && frame.contains("\\33[?2026l\"");
        assert!(is_whole, "{frame}");
    }
}

/// Of the program that runs below the pane's own.
fn resident_kb(tmux: &Tmux, pane: &str) -> u64 {
    let parent = tmux.run(&["display-message", "-p", "-t", pane, "#{pane_pid}"]);
    let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"));
    let child = children.expect("it runs").trim().to_owned();
    let status = fs::read_to_string(format!("/proc/{child}/status")).expect("it runs");
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let value = line.and_then(|line| line.split_whitespace().nth(1));
    value.expect("VmRSS").parse().expect("a number")
}
