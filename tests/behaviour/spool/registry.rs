//! The session registry is observed: each change once, and the end of a process
//! although its file stays.

use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::lines;
use crate::support::{
    disk::SmallDisk,
    headspace::{Headspace, Kind, Store, eventually, on_both},
    server::Server,
};

/// A process that stands for the CLI, with its file in the registry.
pub struct Cli {
    child: Child,
    file: PathBuf,
    at: i64,
}

impl Cli {
    pub fn start(headspace: &Headspace) -> Cli {
        let sessions = headspace.root().join("sessions");
        fs::create_dir_all(&sessions).unwrap();
        let child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let file = sessions.join(format!("{}.json", child.id()));
        Cli {
            child,
            file,
            at: 1_795_538_402_770,
        }
    }

    fn started(&self) -> String {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = stat
            .rsplit_once(')')
            .unwrap()
            .1
            .split_whitespace()
            .collect();
        fields[19].to_owned()
    }

    pub fn says(&mut self, session: &str, status: &str) {
        self.at += 1000;
        let mut entry = json!({
            "pid": self.child.id(), "sessionId": session, "cwd": "/home/dev/shop",
            "procStart": self.started(), "status": status, "statusUpdatedAt": self.at,
            "version": "2.1.329", "messagingSocketPath": "/secret",
        });
        if status == "waiting" {
            entry["waitingFor"] = json!("permission prompt");
        }
        fs::write(&self.file, entry.to_string()).unwrap();
    }

    /// What it says next, it says some seconds from now.
    pub fn waits(&mut self) {
        self.at = jiff::Timestamp::now().as_millisecond() + 5000;
    }

    pub fn leaves_no_file(&self) {
        fs::remove_file(&self.file).unwrap();
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Cli {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn observed(store: &Store) -> Vec<Value> {
    let sql = "SELECT payload FROM events WHERE event_type = 'session_observed' ORDER BY id";
    let column = store.try_column(sql).unwrap_or_default();
    column
        .iter()
        .map(|json| serde_json::from_str(json).unwrap())
        .collect()
}

pub fn statuses(store: &Store) -> Vec<String> {
    let word = |seen: &Value| seen["status"].as_str().unwrap().to_owned();
    observed(store).iter().map(word).collect()
}

/// The sessions that ended, why and how.
fn ends(store: &Store) -> Vec<String> {
    let sql = "SELECT concat(payload ->> 'session_uuid', ' ', payload ->> 'reason', ' ',
                             payload ->> 'detail')
               FROM events WHERE event_type = 'session_ended' ORDER BY id";
    store.try_column(sql).unwrap_or_default()
}

fn wait_for(headspace: &Headspace, expected: &[&str]) {
    eventually(&format!("{expected:?}"), || {
        statuses(&headspace.store) == expected
    });
}

on_both! {
    fn each_change_is_one_event_and_so_is_the_death_that_leaves_its_file(kind: Kind) {
        let headspace = Headspace::on(kind);
        let mut watcher = headspace.watch();
        let mut cli = Cli::start(&headspace);
        let mut expected = Vec::new();
        for status in ["idle", "busy", "waiting", "busy", "idle"] {
            cli.says("s", status);
            expected.push(status);
            wait_for(&headspace, &expected);
        }
        let events = observed(&headspace.store);
        assert_eq!(events[2]["waiting_for"], "permission prompt");
        assert_eq!(events[2]["process_started"], cli.started());
        assert_eq!(events[2]["working_directory"], "/home/dev/shop");
        let registered = headspace.store.number("SELECT count(*) FROM agents WHERE session_uuid = 's'");
        assert_eq!(registered, 1);
        cli.kill();
        expected.push("gone");
        wait_for(&headspace, &expected);
        assert!(cli.file.exists());
        eventually("the session ends", || ends(&headspace.store).len() == 1);
        assert_eq!(ends(&headspace.store), ["s closed process gone"]);
        assert!(watcher.stop().success());
    }

    fn a_session_ends_with_the_last_process_in_it(kind: Kind) {
        let headspace = Headspace::on(kind);
        let _watcher = headspace.watch();
        let (mut one, mut other) = (Cli::start(&headspace), Cli::start(&headspace));
        one.says("s", "busy");
        wait_for(&headspace, &["busy"]);
        other.says("s", "idle");
        wait_for(&headspace, &["busy", "idle"]);
        one.kill();
        wait_for(&headspace, &["busy", "idle", "gone"]);
        assert_eq!(ends(&headspace.store), Vec::<String>::new(), "the other one lives");
        other.kill();
        eventually("the session ends", || ends(&headspace.store).len() == 1);
    }
}

#[test]
fn a_removed_file_half_a_file_and_another_session() {
    let headspace = Headspace::on(Kind::Sqlite);
    let mut cli = Cli::start(&headspace);
    cli.says("a", "busy");
    let _watcher = headspace.watch();
    wait_for(&headspace, &["busy"]);
    let whole = fs::read_to_string(&cli.file).unwrap();
    fs::write(&cli.file, &whole[..30]).unwrap();
    fs::write(cli.file.with_extension("0123.key"), "secret").unwrap();
    fs::write(cli.file.with_file_name("x.json"), &whole).unwrap();
    cli.says("b", "busy");
    // It is in the other one from now on, and no more in its own.
    wait_for(&headspace, &["busy", "busy", "gone"]);
    let sessions = |n: usize| observed(&headspace.store)[n]["claude_session_id"].clone();
    assert_eq!((sessions(1), sessions(2)), (json!("b"), json!("a")));
    fs::remove_file(&cli.file).unwrap();
    wait_for(&headspace, &["busy", "busy", "gone", "gone"]);
    assert_eq!(sessions(3), "b");
}

#[test]
fn what_changed_while_nothing_watched_is_seen_at_the_start_and_a_restart_says_nothing_twice() {
    let headspace = Headspace::on(Kind::Sqlite);
    let mut alive = Cli::start(&headspace);
    alive.says("alive", "waiting");
    let mut dead = Cli::start(&headspace);
    dead.says("dead", "busy");
    dead.kill();
    let mut watcher = headspace.watch();
    eventually("all three", || statuses(&headspace.store).len() == 3);
    let mut found = statuses(&headspace.store);
    found.sort();
    assert_eq!(found, ["busy", "gone", "waiting"]);
    assert!(watcher.stop().success());
    let watcher = headspace.watch();
    alive.says("alive", "idle");
    eventually("the next change", || statuses(&headspace.store).len() == 4);
    assert_eq!(statuses(&headspace.store)[3], "idle");
    assert!(!watcher.log().contains("duplicates"), "{}", watcher.log());
}

#[test]
fn on_a_full_disk_a_change_waits_and_room_lets_it_in() {
    let headspace = Headspace::on(Kind::Sqlite);
    let disk = SmallDisk::at(&headspace.state());
    let mut cli = Cli::start(&headspace);
    cli.says("s", "idle");
    let mut watcher = headspace.watch();
    wait_for(&headspace, &["idle"]);
    disk.fill();
    // Until the page that the spool has already is used up.
    for number in 0.. {
        cli.says(&format!("s{number}"), "busy");
        if watcher.log().contains("cannot append to the spool") {
            break;
        }
        assert!(number < 10_000, "the disk was not full");
        std::thread::park_timeout(std::time::Duration::from_millis(1));
    }
    cli.says("last", "waiting");
    disk.free();
    watcher.wait_for_log("the spool can be appended to again");
    eventually("the last change is stored", || {
        let observed = observed(&headspace.store);
        observed
            .iter()
            .any(|seen| seen["claude_session_id"] == "last")
    });
    assert!(watcher.stop().success());
    let torn = headspace.store.number("SELECT count(*) FROM rejections");
    assert_eq!(torn, 0);
}

#[test]
fn while_the_database_is_down_each_change_is_kept_for_it() {
    let (mut server, headspace) = Server::with_headspace();
    let mut cli = Cli::start(&headspace);
    let mut watcher = headspace.watch();
    server.stop(Signal::INT);
    for (said, status) in (1..).zip(["idle", "busy", "waiting", "busy"]) {
        cli.says("s", status);
        eventually("it is in the spool", || lines(&headspace).len() == said);
    }
    cli.kill();
    eventually("the end is in the spool", || lines(&headspace).len() == 5);
    server.start();
    wait_for(&headspace, &["idle", "busy", "waiting", "busy", "gone"]);
    assert!(watcher.stop().success());
}
