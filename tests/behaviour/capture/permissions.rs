//! What may not be read is said once, and read when it may be.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, chown},
    path::Path,
    process::Command,
};

use rustix::process::geteuid;

use crate::support::{
    headspace::{Headspace, Kind, Running},
    oracle,
    transcripts::{Session, append},
};

/// The account that owns nothing.
const OTHER_USER: u32 = 65534;

#[test]
fn a_file_that_may_not_be_read_is_read_when_it_may() {
    let headspace = headspace();
    let folder = headspace.project("-shared");
    let (mut open, mut closed) = (
        Session::new("open", "/home/dev/a"),
        Session::new("closed", "/home/dev/a"),
    );
    let path = folder.join(closed.file_name());
    append(&path, closed.prompt("closed"));
    append(&folder.join(open.file_name()), open.prompt("open"));
    allow(&path, 0o000);
    let watcher = watch_as_nobody(&headspace);
    headspace.store.wait_for_turns(&["open"]);
    watcher.wait_for_log("cannot read");
    append(&folder.join(open.file_name()), open.reply("still open"));
    headspace.store.wait_for_turns(&["open", "still open"]);
    allow(&path, 0o600);
    headspace
        .store
        .wait_for_turns(&["open", "still open", "closed"]);
    assert_eq!(
        watcher.log().matches("cannot read").count(),
        1,
        "{}",
        watcher.log()
    );
    oracle::assert_clean(&headspace);
}

#[test]
fn a_folder_that_may_not_be_entered_is_read_when_it_may() {
    let headspace = headspace();
    let mut session = Session::new("inside", "/home/dev/b");
    let folder = headspace.project("-closed");
    append(&folder.join(session.file_name()), session.prompt("inside"));
    allow(&folder, 0o000);
    let watcher = watch_as_nobody(&headspace);
    watcher.wait_for_log("cannot read");
    allow(&folder, 0o700);
    headspace.store.wait_for_turns(&["inside"]);
    oracle::assert_clean(&headspace);
}

#[test]
fn a_root_that_comes_later_is_watched_when_it_comes() {
    let headspace = headspace();
    fs::remove_dir_all(headspace.root()).expect("no root");
    let watcher = watch_as_nobody(&headspace);
    watcher.wait_for_log("ready");
    let mut session = Session::new("late", "/home/dev/c");
    let path = headspace.project("-late").join(session.file_name());
    append(&path, session.prompt("late"));
    headspace.store.wait_for_turns(&["late"]);
    oracle::assert_clean(&headspace);
}

/// SQLite only: permissions have nothing to do with the database.
fn headspace() -> Headspace {
    let mut headspace = Headspace::on(Kind::Sqlite);
    headspace.set("HEADSPACE_WATCH__RECONCILE_INTERVAL_SECONDS", 1);
    headspace
}

/// Nothing stops root; the watcher runs as a user that can be stopped.
fn watch_as_nobody(headspace: &Headspace) -> Running {
    if !geteuid().is_root() {
        return headspace.watch();
    }
    give_away(headspace.dir());
    let mut setpriv = Command::new("setpriv");
    let id = OTHER_USER.to_string();
    setpriv.args(["--reuid", &id, "--regid", &id, "--clear-groups"]);
    let running = headspace.spawn(headspace.command_under(setpriv, &["watch"]));
    running.wait_for_log("ready");
    running
}

fn give_away(path: &Path) {
    chown(path, Some(OTHER_USER), Some(OTHER_USER)).expect("chown");
    if path.is_dir() {
        for entry in fs::read_dir(path).expect("a folder").flatten() {
            give_away(&entry.path());
        }
    }
}

fn allow(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("chmod");
}
