//! Folders and files that others can read or that we cannot write.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, chown},
    path::Path,
    process::Command,
};

use super::report::{NOBODY, doctor, doctor_as};
use crate::support::{
    headspace::{Headspace, Kind},
    talk::stored,
};

#[test]
fn what_is_open_to_others_is_a_warning() {
    let headspace = Headspace::on(Kind::Sqlite);
    stored(&headspace, "open", 1);
    for (path, before, open) in [
        (headspace.state(), 0o700, 0o750),
        (headspace.state().join("headspace.db"), 0o600, 0o644),
    ] {
        allow(&path, open);
        let found = format!(
            "{} is open to other users (mode {open:04o})",
            path.display()
        );
        let fix = format!("chmod -R go= {}", headspace.state().display());
        doctor(&headspace).says("permissions", "warning", &found, &fix);
        allow(&path, before);
    }
    let report = doctor(&headspace);
    report.says("permissions", "ok", "this user's alone", "");
}

#[test]
fn what_belongs_to_another_user_or_cannot_be_written_fails() {
    let headspace = for_nobody();
    let state = headspace.state();
    let database = state.join("headspace.db");
    chown(&database, Some(0), Some(0)).expect("chown");
    let found = format!("{} belongs to root", database.display());
    let fix = format!("sudo chown -R nobody {}", state.display());
    doctor_as(&headspace, NOBODY).says("permissions", "failed", &found, &fix);
    chown(&database, Some(NOBODY), None).expect("chown");
    allow(&state, 0o500);
    let fix = format!("chmod u+rwX {}", state.display());
    doctor_as(&headspace, NOBODY).says("permissions", "failed", "cannot be read and written", &fix);
    allow(&state, 0o700);
    // Root can do it all, and would leave files that their user cannot use.
    doctor(&headspace).says(
        "permissions",
        "warning",
        "belongs to nobody",
        "sudo -u nobody",
    );
}

#[test]
fn a_file_in_the_folders_place_fails() {
    let headspace = Headspace::on(Kind::Postgres);
    fs::write(headspace.state(), "").expect("written");
    doctor(&headspace).says("permissions", "failed", "state is not a folder", "mv ");
}

/// All its folders belong to the user nobody.
fn for_nobody() -> Headspace {
    let headspace = Headspace::on(Kind::Sqlite);
    stored(&headspace, "foreign", 1);
    let all = Command::new("chown")
        .args(["-R", "nobody"])
        .arg(headspace.dir())
        .status();
    assert!(
        all.expect("chown").success(),
        "giving files away takes root"
    );
    headspace
}

fn allow(path: &Path, mode: u32) {
    fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("a mode");
}
