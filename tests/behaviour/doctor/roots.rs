//! Claude Code's folders: missing, no folder, of another user, not readable.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, chown},
};

use super::report::{NOBODY, doctor, doctor_as};
use crate::support::{
    headspace::{Headspace, Kind, json_list},
    talk::Talk,
};

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
fn what_cannot_be_read_fails_and_its_owner_is_named() {
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
    // Root reads everything; the owner is named all the same.
    chown(headspace.root(), Some(NOBODY), None).expect("chown");
    doctor(&headspace).says(
        "roots",
        "warning",
        "belongs to nobody, and this is root",
        "sudo -u nobody",
    );
}
