//! `headspace install` makes a service of it, on a real systemd, and
//! `headspace uninstall` leaves the machine as it was.

use std::{collections::BTreeSet, process::Output};

use crate::support::{
    headspace::eventually,
    testbed::{ACCOUNT, HOME, SOCKET, Testbed, WATCHER, WEB},
};

const INSTALL: &str = "headspace install --system --user tester";
const UNINSTALL: &str = "headspace uninstall --system";

#[test]
fn a_packaged_headspace_is_made_a_service_and_taken_away_again() {
    let testbed = Testbed::boot();
    let before = files(&testbed);
    let units = unit_files(&testbed);
    let said = testbed.sh(INSTALL);
    assert!(said.contains("headspace 0.1.0 is healthy"), "{said}");
    assert!(
        !said.contains("/etc/systemd/system/headspace.service\n"),
        "{said}"
    );
    assert_eq!(testbed.get("/health").status, 200);
    assert_eq!(testbed.property(WATCHER, "User"), ACCOUNT);
    for unit in [WATCHER, WEB, SOCKET] {
        assert_eq!(testbed.property(unit, "UnitFileState"), "enabled", "{unit}");
    }
    assert_eq!(testbed.sh("systemd-analyze verify --man=no headspace.service headspace-watcher.service headspace.socket 2>&1"), "");
    let looks = testbed.sh("runuser -u tester -- curl -s --unix-socket /run/headspace/web.sock http://localhost/health");
    assert!(looks.contains("\"status\":\"healthy\""), "{looks}");

    // Without a terminal to ask on, what was recorded stays.
    let said = testbed.sh(UNINSTALL);
    assert!(said.contains("/var/lib/headspace as it is"), "{said}");
    assert_eq!(unit_files(&testbed), units);
    testbed.sh("test -s /var/lib/headspace/headspace.db");
    testbed.sh("rm -r /var/lib/headspace");
    assert_same(&files(&testbed), &before);
    assert!(testbed.sh(UNINSTALL).contains("Nothing is installed here"));
}

#[test]
fn hooks_that_the_user_installs_reach_the_machines_service() {
    let testbed = Testbed::boot();
    let said = testbed.sh(INSTALL);
    let hint = format!("hooks     as {ACCOUNT}: headspace hooks install");
    assert!(said.contains(&hint), "{said}");
    let as_user = |command: &str| {
        testbed.sh(&format!(
            "runuser -u {ACCOUNT} -- env HOME={HOME} {command}"
        ))
    };
    as_user("headspace hooks install");
    let settings = testbed.sh(&format!("cat {HOME}/.claude/settings.json"));
    let call = "\"/usr/bin/headspace --state-dir /var/lib/headspace hook ";
    assert!(settings.contains(call), "{settings}");
    let said = as_user("headspace --state-dir /var/lib/headspace hooks status");
    assert!(
        said.contains("a test of them is in the log after "),
        "{said}"
    );
    as_user("headspace hooks uninstall");
    testbed.sh(&format!("test ! -e {HOME}/.claude/settings.json"));
}

#[test]
fn a_program_in_a_home_brings_everything_along() {
    let testbed = Testbed::boot();
    testbed.sh(&format!(
        "mv /usr/bin/headspace {HOME}/headspace
         rm /usr/lib/systemd/*/headspace*
         systemctl daemon-reload"
    ));
    let before = files(&testbed);
    let units = unit_files(&testbed);
    let said = testbed.sh(&format!("{HOME}/{INSTALL}"));
    assert!(said.contains("/usr/local/bin/headspace (a copy"), "{said}");
    assert!(said.contains("is healthy"), "{said}");
    // Where it was started from does not matter any more.
    let said = testbed.sh(&format!("/usr/local/bin/{INSTALL}"));
    assert!(said.contains("nothing was changed"), "{said}");
    testbed.sh(&format!("/usr/local/bin/{UNINSTALL} --data"));
    assert_same(&files(&testbed), &before);
    assert_eq!(unit_files(&testbed), units);
}

#[test]
fn a_second_run_changes_nothing_and_a_changed_unit_is_rewritten() {
    let testbed = Testbed::boot();
    testbed.sh("rm /usr/lib/systemd/system/headspace*; systemctl daemon-reload");
    testbed.sh(INSTALL);
    let installed = files(&testbed);
    let pids = [testbed.pid(WATCHER), testbed.pid(WEB)];
    let said = testbed.sh(INSTALL);
    assert!(said.contains("nothing was changed"), "{said}");
    assert_same(&files(&testbed), &installed);
    assert_eq!([testbed.pid(WATCHER), testbed.pid(WEB)], pids);

    // As if an older version had installed it.
    testbed.sh("cd /etc/systemd/system
         new=$(sha256sum headspace-watcher.service | cut -d' ' -f1)
         sed -i 's/^RestartSec=.*/RestartSec=7/' headspace-watcher.service
         old=$(sha256sum headspace-watcher.service | cut -d' ' -f1)
         sed -i \"s/$new/$old/\" /etc/headspace/installed.json
         systemctl daemon-reload");
    assert_eq!(testbed.property(WATCHER, "RestartUSec"), "7s");
    let said = testbed.sh(INSTALL);
    assert!(
        said.contains("systemctl restart headspace-watcher.service"),
        "{said}"
    );
    assert_eq!(testbed.property(WATCHER, "RestartUSec"), "200ms");
    assert_ne!(testbed.pid(WATCHER), pids[0]);
    assert_eq!(testbed.pid(WEB), pids[1]);
    assert_same(&files(&testbed), &installed);

    // Changed by hand: it is the user's now.
    testbed.sh("echo '# mine' >> /etc/systemd/system/headspace-watcher.service");
    let printed = failed(testbed.try_sh(INSTALL));
    assert!(
        printed.contains("/etc/systemd/system/headspace-watcher.service: exists"),
        "{printed}"
    );
    let said = testbed.sh(UNINSTALL);
    assert!(
        said.contains("it was changed since it was installed"),
        "{said}"
    );
    testbed.sh("test -f /etc/systemd/system/headspace-watcher.service");
}

#[test]
fn what_is_only_shown_changes_nothing() {
    let testbed = Testbed::boot();
    let before = files(&testbed);
    let shown = testbed.sh(&format!("{INSTALL} --dry-run"));
    assert!(
        shown.contains("run       systemctl start headspace-watcher.service"),
        "{shown}"
    );
    assert_same(&files(&testbed), &before);
    let said = testbed.sh(INSTALL);
    // What was shown was done, in that order.
    let objects = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| line.starts_with("  "));
        lines.map(str::to_owned).collect()
    };
    assert_eq!(objects(&said), objects(&shown));
    let installed = files(&testbed);
    testbed.sh(&format!("{UNINSTALL} --data --dry-run"));
    assert_same(&files(&testbed), &installed);
    assert_eq!(testbed.property(WATCHER, "ActiveState"), "active");
}

#[test]
fn a_service_that_does_not_start_is_named_with_its_last_words() {
    let testbed = Testbed::boot();
    let before = files(&testbed);
    let broken = "[Service]\nExecStartPre=/bin/sh -c 'echo no coffee; exit 1'\n";
    testbed.drop_in(WATCHER, "20-broken", broken);
    let printed = failed(testbed.try_sh(INSTALL));
    assert!(
        printed.contains("systemctl start headspace-watcher.service: "),
        "{printed}"
    );
    assert!(printed.contains("no coffee"), "{printed}");
    assert!(
        printed.contains("journalctl -u headspace-watcher"),
        "{printed}"
    );
    // Wrong settings are found before anything is done.
    let wrong = failed(testbed.try_sh(&format!("HEADSPACE_SSE__MAX_CONNECTIONS=none {INSTALL}")));
    assert!(wrong.contains("sse.max_connections"), "{wrong}");

    // It can be put right and done again, or taken away.
    testbed.sh("rm /etc/systemd/system/headspace-watcher.service.d/20-broken.conf; systemctl daemon-reload");
    assert!(testbed.sh(INSTALL).contains("is healthy"));
    testbed.drop_in(WATCHER, "20-broken", broken);
    testbed.sh("systemctl daemon-reload");
    assert!(!testbed.try_systemctl(&["restart", WATCHER]));
    testbed.sh(&format!("{UNINSTALL} --data"));
    testbed.sh("rm -r /etc/systemd/system/headspace-watcher.service.d");
    assert_same(&files(&testbed), &before);
}

#[test]
fn what_cannot_work_is_refused_before_anything_is_done() {
    let testbed = Testbed::boot();
    testbed.sh("useradd --create-home other");
    let before = files(&testbed);
    let refused = |script: &str, part: &str| {
        let printed = failed(testbed.try_sh(script));
        assert!(printed.contains(part), "{script}: {printed}");
    };
    refused(
        "headspace install --system --user no-such-user",
        "there is no user",
    );
    refused("headspace install --system", "--system --user NAME");
    refused(
        &format!("{INSTALL} --state-dir /srv/x"),
        "/var/lib/headspace",
    );
    refused(
        &format!("runuser -u tester -- {INSTALL}"),
        "run this with sudo",
    );
    refused(
        "runuser -u tester -- headspace install",
        "no service manager of user tester answers",
    );
    let listens = "python3 -c 'import socket,time; s=socket.create_server((\"127.0.0.1\",5055)); print(1,flush=True); time.sleep(600)'";
    testbed.sh(&format!(
        "{listens} > /tmp/listens 2>&1 & echo $! > /tmp/pid"
    ));
    eventually("the port is taken", || {
        testbed.try_sh("test -s /tmp/listens").status.success()
    });
    refused(INSTALL, "cannot listen on 127.0.0.1:5055");
    testbed.sh("kill $(cat /tmp/pid)");
    assert_same(&files(&testbed), &before);

    testbed.sh(INSTALL);
    refused(
        "headspace install --system --user other",
        "installed for tester already",
    );
    start_manager(&testbed);
    let printed = testbed.try_sh(&as_account("headspace install"));
    assert!(failed(printed).contains("installed as a system service for tester already"));
}

#[test]
fn the_databases_address_reaches_a_system_service_as_a_credential() {
    let testbed = Testbed::boot();
    let url = "sqlite:/var/lib/headspace/elsewhere.db";
    testbed.sh(&format!("DATABASE_URL={url} {INSTALL}"));
    testbed.sh("test -s /var/lib/headspace/elsewhere.db");
    let stat = "stat -c '%a %U' /etc/headspace/database-url";
    assert_eq!(testbed.sh(stat), "600 root");
    for unit in [WATCHER, WEB] {
        assert_eq!(testbed.property(unit, "Environment"), "");
    }
    // It stays, also when it is not said again.
    let said = testbed.sh(INSTALL);
    assert!(said.contains("nothing was changed"), "{said}");
    assert_eq!(testbed.sh("cat /etc/headspace/database-url"), url);
    // Another one is taken up by both services.
    let url = "sqlite:/var/lib/headspace/another.db";
    let said = testbed.sh(&format!("DATABASE_URL={url} {INSTALL}"));
    let restart = "systemctl restart headspace-watcher.service headspace.service";
    assert!(said.contains(restart), "{said}");
    testbed.sh("test -s /var/lib/headspace/another.db");
}

#[test]
fn the_units_limits_follow_the_settings_and_go_back_with_them() {
    let testbed = Testbed::boot();
    let limits = |unit| {
        let names = ["TimeoutStopUSec", "StartLimitBurst"];
        testbed.properties(unit, &names)
    };
    testbed.sh("mkdir /etc/headspace");
    let settings = "event_system: {shutdown_timeout_seconds: 20, max_restarts_per_minute: 9}";
    testbed.sh(&format!("echo '{settings}' > /etc/headspace/config.yaml"));
    testbed.sh(INSTALL);
    assert_eq!(limits(WATCHER), ["21s", "11"]);
    assert_eq!(limits(WEB)[0], "21s");
    testbed.sh("echo 'event_system: {}' > /etc/headspace/config.yaml");
    testbed.sh(INSTALL);
    assert_eq!(limits(WATCHER), ["3s", "7"]);
    assert_eq!(limits(WEB)[0], "3s");
}

#[test]
fn a_user_installs_for_herself() {
    let testbed = Testbed::boot();
    start_manager(&testbed);
    let before = files(&testbed);
    let url = "DATABASE_URL=sqlite:/home/tester/log/headspace.db";
    testbed.sh_as_account("mkdir -m 700 log");
    let said = testbed.sh_as_account(&format!("{url} headspace install"));
    assert!(said.contains("headspace 0.1.0 is healthy"), "{said}");
    assert!(
        said.contains("journalctl --user -u headspace -u headspace-watcher"),
        "{said}"
    );
    assert_eq!(testbed.get("/health").status, 200);
    // The address came as a credential, and is in no unit.
    testbed.sh_as_account("test -s log/headspace.db");
    assert_eq!(
        testbed.sh_as_account("stat -c %a .config/headspace/database-url"),
        "600"
    );
    testbed.sh_as_account("! grep -r /home/tester/log .config/systemd .config/headspace/installed.json | grep -v '\"database\"'");

    let said = testbed.sh_as_account("headspace install");
    assert!(said.contains("nothing was changed"), "{said}");
    let printed = failed(testbed.try_sh(INSTALL));
    assert!(
        printed.contains("installed as a user service for tester already"),
        "{printed}"
    );

    testbed.sh_as_account("headspace uninstall --data");
    testbed.sh("rm -r /home/tester/log /home/tester/.local");
    assert_same(&files(&testbed), &before);
}

/// As a login would, but for good.
fn start_manager(testbed: &Testbed) {
    testbed.sh(&format!("loginctl enable-linger {ACCOUNT}"));
    eventually("the account's manager runs", || {
        testbed
            .try_sh(&as_account("systemctl --user is-system-running"))
            .status
            .success()
    });
}

fn as_account(script: &str) -> String {
    format!(
        "cd {HOME}; export HOME={HOME} XDG_RUNTIME_DIR=/run/user/$(id -u {ACCOUNT}); \
         exec runuser -u {ACCOUNT} -- {script}"
    )
}

/// Every file that an installation could touch, with its mode and owner; what
/// the services write themselves is theirs.
fn files(testbed: &Testbed) -> BTreeSet<String> {
    let said = testbed.sh(
        "find /etc /home /usr/bin /usr/local /usr/lib/systemd /var/lib /run/headspace -xdev \
         -not -path '/var/lib/systemd*' -not -path '*/.claude*' -not -path '/var/lib/headspace/*' -not -path '/run/headspace/*' \
         \\( -type d -printf '%p %m %u\\n' -o -printf '%p %m %u %s %l\\n' \\) 2>/dev/null || true",
    );
    said.lines().map(str::to_owned).collect()
}

fn assert_same(now: &BTreeSet<String>, before: &BTreeSet<String>) {
    let differences: Vec<_> = now.symmetric_difference(before).collect();
    assert!(differences.is_empty(), "{differences:#?}");
}

fn unit_files(testbed: &Testbed) -> String {
    testbed.sh("systemctl list-unit-files --no-pager")
}

fn failed(output: Output) -> String {
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let printed = said + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{printed}");
    printed
}
