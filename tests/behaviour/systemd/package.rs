//! A package's life on a running machine: installed, upgraded, removed, purged.

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

use crate::support::{
    conversation::Conversation,
    headspace::eventually,
    packages::{VERSION, deb, rpm},
    testbed::{SOCKET, Testbed, WATCHER, WEB},
};

const NEXT: &str = "Next: headspace install --system --user NAME";

/// A kind of package, and its tools.
struct Packages {
    old: PathBuf,
    new: PathBuf,
    install: &'static str,
    remove: &'static str,
}

impl Packages {
    fn deb() -> Packages {
        Packages {
            old: deb("0.0.9-1"),
            new: deb(&format!("{VERSION}-1")),
            install: "dpkg --install",
            remove: "dpkg --remove headspace",
        }
    }

    /// What it needs is there, though not by the names that RPM knows.
    fn rpm() -> Packages {
        Packages {
            old: rpm(""),
            new: rpm(".1"),
            install: "rpm --upgrade --nodeps",
            remove: "rpm --erase --nodeps headspace",
        }
    }

    fn install(&self, testbed: &Testbed, package: &Path) -> String {
        testbed.copy(package, "/opt");
        let name = package.file_name().expect("a name").to_string_lossy();
        testbed.sh(&format!("{} /opt/{name} 2>&1", self.install))
    }
}

/// A machine that has never heard of headspace.
fn machine() -> Testbed {
    let testbed = Testbed::without_headspace();
    // Images for containers forbid packages to touch services.
    testbed.sh("rm -f /usr/sbin/policy-rc.d /var/lib/man-db/auto-update");
    testbed
}

fn with_services(packages: &Packages) -> Testbed {
    let testbed = machine();
    packages.install(&testbed, &packages.old);
    testbed.sh("headspace install --system --user tester");
    testbed.wait_for(WATCHER, "ActiveState", "active");
    testbed
}

mod deb_package {
    use super::*;

    #[test]
    fn installing_starts_nothing_and_names_the_next_command() {
        nothing_is_started(&Packages::deb());
    }

    #[test]
    fn an_upgrade_restarts_what_runs_and_loses_no_request_and_no_event() {
        nothing_is_lost_by_an_upgrade(&Packages::deb());
    }

    #[test]
    fn removing_leaves_settings_and_record_and_purging_only_the_record() {
        let packages = Packages::deb();
        let testbed = with_services(&packages);
        testbed.drop_in(WATCHER, "20-local", "[Service]\nNice=5\n");
        is_gone_once_removed(&packages, &testbed);
        testbed.sh("test -f /etc/headspace/config.yaml");
        testbed.sh("test -f /etc/systemd/system/headspace.service.d/10-install.conf");

        let said = testbed.sh("dpkg --purge headspace 2>&1");
        assert!(said.contains("rm -r /var/lib/headspace"), "{said}");
        // Below the testbed's own files are the machine's, which other tests change meanwhile.
        let left = testbed.sh(
            "find /etc /usr /var -ignore_readdir_race -path '/var/lib/headspace/*' -prune \
             -o -name '*headspace*' -print",
        );
        let mut left: Vec<&str> = left.lines().collect();
        left.sort();
        let administrators = "/etc/systemd/system/headspace-watcher.service.d";
        assert_eq!(left, [administrators, "/var/lib/headspace"]);
        testbed.sh("test -f /var/lib/headspace/headspace.db");
    }

    #[test]
    fn what_was_removed_can_be_installed_again() {
        let packages = Packages::deb();
        let testbed = with_services(&packages);
        testbed.sh(packages.remove);
        let said = packages.install(&testbed, &packages.new);
        assert!(said.contains(NEXT), "{said}");
        testbed.sh("headspace install --system --user tester");
        testbed.wait_for(WATCHER, "ActiveState", "active");
        assert_eq!(testbed.get("/health").status, 200);
    }
}

mod rpm_package {
    use super::*;

    #[test]
    fn installing_starts_nothing_and_names_the_next_command() {
        nothing_is_started(&Packages::rpm());
    }

    #[test]
    fn an_upgrade_restarts_what_runs_and_loses_no_request_and_no_event() {
        nothing_is_lost_by_an_upgrade(&Packages::rpm());
    }

    #[test]
    fn removing_leaves_settings_and_record() {
        let packages = Packages::rpm();
        let testbed = with_services(&packages);
        is_gone_once_removed(&packages, &testbed);
        testbed.sh("test -f /etc/headspace/config.yaml");
    }
}

fn nothing_is_started(packages: &Packages) {
    let testbed = machine();
    let said = packages.install(&testbed, &packages.new);
    assert!(said.contains(NEXT), "{said}");
    for unit in [WATCHER, WEB, SOCKET] {
        assert_eq!(testbed.property(unit, "LoadState"), "loaded");
        assert_eq!(testbed.property(unit, "ActiveState"), "inactive");
        assert_eq!(testbed.property(unit, "UnitFileState"), "disabled");
    }
    let version = testbed.sh_as_account("headspace --version");
    assert_eq!(version, format!("headspace {VERSION}"));
    testbed.sh("systemd-analyze verify --man=no /usr/lib/systemd/system/headspace*");
}

fn nothing_is_lost_by_an_upgrade(packages: &Packages) {
    let testbed = with_services(packages);
    let mut talk = Conversation::new(&testbed.headspace, "upgraded");
    talk.say_all(20);
    assert_eq!(testbed.get("/health").status, 200);
    let before = [testbed.pid(WATCHER), testbed.pid(WEB)];

    let asked = AtomicUsize::new(0);
    let is_done = AtomicBool::new(false);
    let said = thread::scope(|scope| {
        scope.spawn(|| {
            while !is_done.load(Ordering::Relaxed) {
                assert_eq!(testbed.get("/health").status, 200);
                asked.fetch_add(1, Ordering::Relaxed);
            }
        });
        let said = packages.install(&testbed, &packages.new);
        is_done.store(true, Ordering::Relaxed);
        said
    });
    assert!(asked.into_inner() > 10, "too few requests to say anything");
    assert!(!said.contains(NEXT), "{said}");
    for (unit, before) in [(WATCHER, before[0]), (WEB, before[1])] {
        let pid = testbed.pid(unit);
        assert!(
            pid > 1 && pid != before,
            "{unit} still runs the old program: {said}"
        );
        let program = testbed.sh(&format!("readlink /proc/{pid}/exe"));
        assert_eq!(program, "/usr/bin/headspace");
    }
    talk.say_all(20);
    eventually("every turn is stored", || {
        let page = testbed.get("/api/events?types=turn_detected&limit=500");
        let events = page.json()["events"].as_array().map(Vec::len);
        events.unwrap_or_else(|| panic!("{page:?}")) == talk.said.len()
    });
    testbed.assert_clean();
}

fn is_gone_once_removed(packages: &Packages, testbed: &Testbed) {
    assert_eq!(testbed.get("/health").status, 200);
    testbed.sh(packages.remove);
    for unit in [WATCHER, WEB, SOCKET] {
        assert_eq!(testbed.property(unit, "ActiveState"), "inactive", "{unit}");
        assert_eq!(testbed.property(unit, "LoadState"), "not-found", "{unit}");
    }
    // No link of an enabled unit is left, nor a program that listens.
    assert_eq!(
        testbed.sh("find /etc/systemd -name 'headspace*' -type l"),
        ""
    );
    assert_eq!(
        testbed.sh("ss --listening --no-header --tcp sport = :5055"),
        ""
    );
    assert!(!testbed.path("/usr/bin/headspace").exists());
    assert!(!testbed.path("/run/headspace").exists());
    testbed.sh("test -f /var/lib/headspace/headspace.db");
}
