//! The units are sound and closed, and say what is missing before a drop-in names
//! the user.

use crate::support::testbed::{SOCKET, Testbed, WATCHER, WEB, priority};

#[test]
fn systemd_has_nothing_to_say_about_the_units() {
    let testbed = Testbed::boot();
    for (kind, flag) in [("system", "--system"), ("user", "--user")] {
        let verify = format!(
            "cd /usr/lib/systemd/{kind}; XDG_RUNTIME_DIR=/run systemd-analyze {flag} verify --man=no \
             $PWD/{WATCHER} $PWD/{WEB} $PWD/{SOCKET} $PWD/headspace-failure@x.service 2>&1"
        );
        // It also succeeds when it does not know a key: what counts is what it says.
        assert_eq!(testbed.sh(&verify), "", "{kind}");
    }
}

#[test]
fn little_is_left_open_and_next_to_nothing_with_unix_sockets_only() {
    let testbed = Testbed::installed();
    for unit in [WATCHER, WEB] {
        let exposure = exposure(&testbed, unit);
        println!("{unit}: {exposure}");
        assert!(exposure <= 1.0, "{unit}: {exposure}");
        let unix_only = include_str!("../../../systemd/unix-only.conf");
        testbed.drop_in(unit, "20-unix-only", unix_only);
    }
    testbed.systemctl(&["daemon-reload"]);
    for unit in [WATCHER, WEB] {
        let exposure = exposure(&testbed, unit);
        println!("{unit} with unix sockets only: {exposure}");
        assert!(exposure <= 0.3, "{unit}: {exposure}");
    }
}

#[test]
fn before_a_user_is_named_they_fail_once_and_say_how_to_name_one() {
    let testbed = Testbed::boot();
    for unit in [WATCHER, WEB] {
        assert!(!testbed.try_systemctl(&["start", unit]), "{unit} started");
        let names = ["SubState", "ExecMainStatus", "NRestarts"];
        assert_eq!(
            testbed.properties(unit, &names),
            ["failed", "78", "0"],
            "{unit}"
        );
        // By its identifier: of a process that exits at once, the journal may
        // not learn the unit any more.
        let errors: Vec<_> = testbed
            .journal(&["-t", unit.trim_end_matches(".service")])
            .into_iter()
            .filter(|entry| priority(entry) <= 3)
            .map(|entry| entry["MESSAGE"].to_string())
            .collect();
        assert!(
            errors
                .iter()
                .any(|error| error.contains("headspace install --system --user NAME")),
            "{unit}: {errors:?}"
        );
    }
}

/// What `systemd-analyze security` thinks of a unit, of 10.
fn exposure(testbed: &Testbed, unit: &str) -> f64 {
    let said = testbed.sh(&format!("systemd-analyze security --no-pager {unit}"));
    let line = said
        .lines()
        .find(|line| line.contains("Overall exposure level"));
    let (_, rest) = line
        .and_then(|line| line.split_once(": "))
        .expect("a level");
    rest.split_whitespace()
        .next()
        .expect("a number")
        .parse()
        .expect("a number")
}
