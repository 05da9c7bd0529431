//! From within the sandbox the registry is read, and a process of the account
//! lives until it ends: not a moment less, and not longer.

use std::{fs, path::PathBuf, time::SystemTime};

use serde_json::json;

use crate::{
    spool::registry::statuses,
    support::{
        headspace::eventually,
        testbed::{ACCOUNT, Testbed, WATCHER},
    },
};

/// Stands for the CLI.
const CLI: &str = "cli.service";

#[test]
fn a_system_service_observes_the_processes_of_its_user() {
    let testbed = Testbed::installed();
    testbed.systemctl(&["start", WATCHER]);
    observes(&testbed);
}

#[test]
fn a_service_of_the_user_observes_them_too() {
    let testbed = Testbed::of_user();
    testbed.start_for_user(WATCHER);
    observes(&testbed);
}

/// A process of the account, with its file in the registry.
struct Cli {
    pid: u32,
    started: String,
    sessions: PathBuf,
    file: PathBuf,
}

impl Cli {
    fn start(testbed: &Testbed) -> Cli {
        testbed.sh(&format!(
            "systemd-run --quiet --unit={CLI} --uid={ACCOUNT} sleep infinity"
        ));
        let pid = testbed.pid(CLI);
        let stat = fs::read_to_string(testbed.path(&format!("/proc/{pid}/stat")));
        let stat = stat.expect("it runs");
        let (_, fields) = stat.rsplit_once(')').expect("its name");
        let started = fields.split_whitespace().nth(19).expect("its start");
        let sessions = testbed.headspace.root().join("sessions");
        fs::create_dir_all(&sessions).expect("a registry");
        Cli {
            pid,
            started: started.to_owned(),
            file: sessions.join(format!("{pid}.json")),
            sessions,
        }
    }

    fn entry(&self, status: &str, at: u64) -> String {
        json!({"pid": self.pid, "sessionId": "s", "cwd": "/home/tester/shop",
            "procStart": self.started, "status": status, "statusUpdatedAt": at})
        .to_string()
    }
}

fn observes(testbed: &Testbed) {
    let cli = Cli::start(testbed);
    let mut expected = Vec::new();
    for (at, status) in (1_795_538_402_770..).zip(["idle", "busy", "idle"]) {
        fs::write(&cli.file, cli.entry(status, at)).expect("written");
        expected.push(status);
        expect(testbed, &expected);
    }
    testbed.systemctl(&["kill", "--signal=KILL", CLI]);
    expected.push("gone");
    expect(testbed, &expected);
}

/// In the sandbox the start of a process is hidden, so the file's age has to tell.
#[test]
fn a_file_from_before_the_machine_was_started_is_of_no_process_that_lives() {
    let testbed = Testbed::installed();
    testbed.systemctl(&["start", WATCHER]);
    let cli = Cli::start(&testbed);
    let file = cli.sessions.join("new");
    fs::write(&file, cli.entry("busy", 1)).expect("written");
    let file = fs::File::options().write(true).open(file).expect("there");
    file.set_modified(SystemTime::UNIX_EPOCH).expect("aged");
    fs::rename(cli.sessions.join("new"), &cli.file).expect("moved");
    expect(&testbed, &["busy", "gone"]);
    assert_eq!(testbed.property(CLI, "ActiveState"), "active");
    let said = testbed.messages(&["-u", WATCHER]);
    assert!(
        said.iter()
            .any(|line| line.contains("/proc hides processes")),
        "{said:?}"
    );
}

fn expect(testbed: &Testbed, expected: &[&str]) {
    let store = &testbed.headspace.store;
    eventually("another observation", || {
        statuses(store).len() >= expected.len()
    });
    assert_eq!(statuses(store), expected);
}
