//! `systemctl reload` and SIGHUP read the settings again; the process stays.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use crate::support::{
    headspace::eventually,
    testbed::{Testbed, WATCHER},
};

const CONFIG: &str = "/etc/headspace/config.yaml";

#[test]
fn systemctl_reload_reads_the_settings_again_and_the_process_stays() {
    let testbed = Testbed::installed();
    testbed.systemctl(&["start", WATCHER]);
    let pid = testbed.pid(WATCHER);
    for (times, level) in [(1, "debug"), (2, "info")] {
        testbed.write(CONFIG, format!("logging: {{level: {level}}}\n"));
        testbed.systemctl(&["reload", WATCHER]);
        read_again(&testbed, times);
    }
    assert_eq!(testbed.pid(WATCHER), pid);
    assert_eq!(testbed.property(WATCHER, "NRestarts"), "0");
}

#[test]
fn a_reload_by_a_signal_is_seen_by_systemd_to_begin_and_to_end() {
    let testbed = Testbed::installed();
    testbed.systemctl(&["start", WATCHER]);
    // The states follow each other too soon to be asked for; systemd's signals have both.
    let mut monitor = testbed.command("timeout");
    monitor.args(["60", "busctl", "monitor", "--json=short", "--match"]);
    monitor.arg("path='/org/freedesktop/systemd1/unit/headspace_2dwatcher_2eservice'");
    monitor.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut monitor = monitor.spawn().expect("busctl runs");
    let mut first = String::new();
    let mut errors = BufReader::new(monitor.stderr.take().expect("its errors"));
    errors.read_line(&mut first).expect("a line");
    assert!(first.starts_with("Monitoring"), "{first}");

    testbed.signal(WATCHER, "HUP");
    let signals = BufReader::new(monitor.stdout.take().expect("its output"));
    let mut states = signals
        .lines()
        .filter_map(|line| state(&line.expect("a line")));
    assert!(states.any(|state| state == "reloading"), "no reload");
    assert!(states.any(|state| state == "active"), "no end of it");
    monitor.kill().expect("it runs");
    monitor.wait().expect("it ends");
}

/// The unit's state in a signal that has one.
fn state(signal: &str) -> Option<String> {
    let signal: serde_json::Value = serde_json::from_str(signal).expect("JSON");
    let state = &signal["payload"]["data"][1]["ActiveState"]["data"];
    state.as_str().map(str::to_owned)
}

fn read_again(testbed: &Testbed, times: usize) {
    eventually("the settings are read again", || {
        let messages = testbed.messages(&["-u", WATCHER]);
        let said = messages
            .iter()
            .filter(|said| said.starts_with("settings read again"));
        said.count() == times
    });
}
