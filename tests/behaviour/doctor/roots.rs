//! Claude Code's folders: missing, no folder, somebody else's, not to be read;
//! and more of them than the kernel watches.

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::{
        fs::{PermissionsExt, chown},
        process::CommandExt,
    },
    process::{Command, Stdio},
};

use super::report::{NOBODY, doctor, doctor_as};
use crate::support::{
    headspace::{Headspace, Kind, json_list},
    talk::Talk,
};

/// An account that nobody else has, so that its limits are ours alone.
const LONER: u32 = 54_321;

#[test]
fn each_root_is_judged_by_itself() {
    let mut headspace = Headspace::on(Kind::Sqlite);
    let at = |name: &str| headspace.dir().join(name);
    let (missing, file, empty) = (at("missing"), at("file"), at("empty"));
    fs::write(&file, "").expect("written");
    fs::create_dir(&empty).expect("a folder");
    let roots = json_list(&[headspace.root(), missing, file, empty]);
    headspace.set("HEADSPACE_CLAUDE__ROOTS", roots);
    let report = doctor(&headspace);
    assert_eq!(report.of("roots").len(), 4, "{report:#?}");
    report.says("roots", "ok", "claude holds 0 sessions", "");
    report.says("roots", "warning", "missing does not exist", "claude.roots");
    report.says("roots", "failed", "file is not a folder", "claude.roots");
    report.says("roots", "note", "empty has no projects/ yet", "");
}

#[test]
fn what_cannot_be_read_fails_and_whose_it_is_is_told() {
    let headspace = Headspace::on(Kind::Sqlite);
    let mut talk = Talk::new(&headspace, "closed");
    talk.say("closed words");
    for path in [headspace.dir(), &headspace.root()] {
        fs::set_permissions(path, PermissionsExt::from_mode(0o755)).expect("opened");
    }
    fs::set_permissions(&talk.path, PermissionsExt::from_mode(0o600)).expect("closed");
    let report = doctor_as(&headspace, NOBODY);
    report.says(
        "roots",
        "warning",
        "claude belongs to root, and this is nobody",
        "sudo -u root headspace up",
    );
    let found = format!(
        "1 file or folder cannot be read, such as {}",
        talk.path.display()
    );
    let fix = format!("sudo chown -R nobody {}", talk.path.display());
    report.says("roots", "failed", &found, &fix);
    chown(headspace.root().join("projects"), Some(NOBODY), None).expect("chown");
    fs::set_permissions(
        headspace.root().join("projects"),
        PermissionsExt::from_mode(0o000),
    )
    .expect("closed");
    let report = doctor_as(&headspace, NOBODY);
    report.says(
        "roots",
        "failed",
        "claude cannot be read: Permission denied",
        "ch",
    );
    // Root reads everything, and is told whose it is.
    chown(headspace.root(), Some(NOBODY), None).expect("chown");
    doctor(&headspace).says(
        "roots",
        "warning",
        "belongs to nobody, and this is root",
        "sudo -u nobody",
    );
}

#[test]
fn kernel_limits_that_are_used_up_are_told_with_the_line_that_raises_them() {
    let headspace = Headspace::on(Kind::Sqlite);
    fs::set_permissions(headspace.dir(), PermissionsExt::from_mode(0o755)).expect("opened");
    let limit = fs::read_to_string("/proc/sys/fs/inotify/max_user_instances").expect("Linux");
    let limit = limit.trim();
    // The account takes all it may have, by itself.
    let program = "
import ctypes
libc = ctypes.CDLL(None)
while libc.inotify_init() >= 0: pass
print('all', flush=True)
input()";
    let mut python = Command::new("python3");
    python.args(["-c", program]).uid(LONER).gid(LONER);
    python
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut taker = python.spawn().expect("python3");
    let mut line = String::new();
    BufReader::new(taker.stdout.take().expect("its output"))
        .read_line(&mut line)
        .expect("a line");
    let report = doctor_as(&headspace, LONER);
    taker.kill().expect("it is there");
    taker.wait().expect("it ends");
    assert_eq!(line, "all\n");
    report.says(
        "inotify",
        "warning",
        &format!("all {limit} inotify instances are taken"),
        "sudo sysctl -p /etc/sysctl.d/90-headspace.conf",
    );
}
