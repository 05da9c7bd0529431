//! Units on a real systemd: not in use, changed, failed, of both managers.

use super::report::{Report, read};
use crate::support::testbed::{ACCOUNT, HOME, Testbed, WATCHER};

/// The settings the system's services have.
const SERVICE: &str = "STATE_DIRECTORY=/var/lib/headspace RUNTIME_DIRECTORY=/run/headspace";

#[test]
fn units_that_a_package_brought_and_that_are_not_used_are_a_note() {
    let testbed = Testbed::boot();
    let report = as_root(&testbed, "");
    report.says("units", "note", "none is enabled", "headspace install");
    assert_eq!(report.of("linger").len(), 0, "{report:#?}");
    testbed.sh("rm /usr/lib/systemd/*/headspace*; systemctl daemon-reload");
    as_root(&testbed, "").says(
        "units",
        "note",
        "no service is installed",
        "headspace install",
    );
}

#[test]
fn a_system_service_that_runs_is_well_in_every_check() {
    let testbed = running();
    // To look must not start what only a request should start.
    let found = "the first request starts the application";
    as_account(&testbed, SERVICE).says("socket", "ok", found, "");
    assert_eq!(
        testbed.property("headspace.service", "ActiveState"),
        "inactive"
    );
    assert_eq!(testbed.get_by_socket("/health").status, 200);
    let report = as_account(&testbed, SERVICE);
    for check in ["units", "socket", "port", "watcher", "schema", "integrity"] {
        let states: Vec<&str> = report.of(check).iter().map(|one| one.0).collect();
        assert_eq!(states, ["ok"], "{check}: {report:#?}");
    }
    report.says("units", "ok", "headspace-watcher.service active", "");
    assert_eq!(
        report
            .of("permissions")
            .iter()
            .filter(|one| one.0 != "ok")
            .count(),
        0,
        "{report:#?}"
    );
}

#[test]
fn a_failed_unit_says_why_and_the_command_given_starts_it() {
    let testbed = running();
    let wrong = "[Service]\nEnvironment=HEADSPACE_WATCH__MAX_LINE_BYTES=1\n";
    testbed.drop_in(WATCHER, "20-local", wrong);
    testbed.systemctl(&["daemon-reload"]);
    assert!(!testbed.try_systemctl(&["restart", WATCHER]));
    let report = as_root(&testbed, SERVICE);
    assert_eq!(report.code, 1);
    let found = "headspace-watcher.service failed: bad configuration (exit code 78)";
    let fix = report.says(
        "units",
        "failed",
        found,
        "journalctl -n 20 -u headspace-watcher.service",
    );
    let start = report.says("watcher", "warning", "no watcher is running", "systemctl");
    assert!(fix.ends_with(&start), "{fix}\n{start}");
    testbed.sh(&format!(
        "rm /etc/systemd/system/{WATCHER}.d/20-local.conf; systemctl daemon-reload; {start}"
    ));
    testbed.wait_for(WATCHER, "ActiveState", "active");
    testbed.systemctl(&["disable", WATCHER]);
    let report = as_root(&testbed, SERVICE);
    let fix = report.says(
        "units",
        "warning",
        "does not start at boot",
        "systemctl enable",
    );
    testbed.sh(&fix);
    as_root(&testbed, SERVICE).says("units", "ok", "active", "");
    testbed.systemctl(&["stop", WATCHER]);
    as_root(&testbed, SERVICE).says(
        "units",
        "warning",
        "does not run",
        "systemctl start headspace-watcher",
    );
}

#[test]
fn the_services_of_a_user_must_linger_and_must_not_clash_with_the_systems() {
    let testbed = Testbed::boot();
    testbed.sh(&format!("loginctl enable-linger {ACCOUNT}"));
    testbed.wait_for(
        &format!("user@{}.service", uid(&testbed)),
        "ActiveState",
        "active",
    );
    testbed
        .sh_as_account("systemctl --user enable --now headspace-watcher.service headspace.socket");
    let report = as_account(&testbed, "");
    report.says(
        "units",
        "ok",
        "your manager: headspace-watcher.service active",
        "",
    );
    report.says("linger", "ok", "run without a login", "");
    report.says("watcher", "ok", "running (pid", "");
    testbed.sh(&format!("rm /var/lib/systemd/linger/{ACCOUNT}"));
    let fix = as_account(&testbed, "").says(
        "linger",
        "warning",
        "end when tester logs out",
        "loginctl enable-linger tester",
    );
    testbed.sh(&fix);
    as_account(&testbed, "").says("linger", "ok", "run without a login", "");
    testbed.systemctl(&["enable", "headspace.socket"]);
    let report = as_account(&testbed, "");
    report.says(
        "units",
        "failed",
        "both want the same port",
        "headspace uninstall",
    );
}

/// The system's services, enabled and started.
fn running() -> Testbed {
    let testbed = Testbed::installed();
    testbed.systemctl(&["enable", "--now", WATCHER, "headspace.socket"]);
    testbed
}

fn uid(testbed: &Testbed) -> String {
    testbed.sh(&format!("id -u {ACCOUNT}"))
}

fn as_root(testbed: &Testbed, environment: &str) -> Report {
    let script = format!("HOME=/root {environment} exec headspace doctor --json");
    read(&testbed.try_sh(&script))
}

/// As if it had logged in.
fn as_account(testbed: &Testbed, environment: &str) -> Report {
    let manager = format!("XDG_RUNTIME_DIR=/run/user/{}", uid(testbed));
    let script = format!(
        "cd {HOME}; exec runuser -u {ACCOUNT} -- env HOME={HOME} {manager} {environment} headspace doctor --json"
    );
    read(&testbed.try_sh(&script))
}
