//! The state folder and the run folder: their owner and their mode.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{Access, access},
    process::geteuid,
};

use super::{
    accounts::user_name,
    finding::{Finding, quoted},
};
use crate::config::Places;

const CHECK: &str = "permissions";
/// A file or folder of ours as it was found.
struct FileSeen {
    path: PathBuf,
    owner: u32,
    mode: u32,
    is_folder: bool,
    is_writable: bool,
}

pub fn examine(places: &Places) -> Vec<Finding> {
    let us = geteuid().as_raw();
    let mut findings = examine_folder(&places.state, us);
    if places.run != places.state {
        findings.extend(examine_folder(&places.run, us));
    }
    if findings.is_empty() {
        let found = "the folders are this user's alone, and can be written";
        findings.push(Finding::ok(CHECK, found));
    }
    findings
}

fn examine_folder(path: &Path, us: u32) -> Vec<Finding> {
    let shown = path.display();
    match list(path) {
        Ok(seen) => judge(&seen, us),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let found = format!("{shown} is not there yet; the first start makes it");
            vec![Finding::note(CHECK, found)]
        }
        Err(error) => vec![Finding::failed(
            CHECK,
            format!("{shown} cannot be read: {error}"),
            format!("sudo chown -R {} {}", user_name(us), quoted(path)),
        )],
    }
}

/// The folder first, then what lies in it.
fn list(path: &Path) -> io::Result<Vec<FileSeen>> {
    let folder = see(path)?;
    let entries = match folder.is_folder {
        true => fs::read_dir(path)?.flatten().collect(),
        false => Vec::new(),
    };
    let inside = entries.iter().filter_map(|entry| see(&entry.path()).ok());
    Ok(std::iter::once(folder).chain(inside).collect())
}

fn see(path: &Path) -> io::Result<FileSeen> {
    let metadata = fs::metadata(path)?;
    Ok(FileSeen {
        path: path.to_owned(),
        owner: metadata.uid(),
        mode: metadata.mode() & 0o7777,
        is_folder: metadata.is_dir(),
        is_writable: access(path, Access::READ_OK | Access::WRITE_OK).is_ok(),
    })
}

/// One finding of a kind is enough: its fix is for all of them.
fn judge(seen: &[FileSeen], us: u32) -> Vec<Finding> {
    let folder = &seen[0];
    if !folder.is_folder {
        let found = format!("{} is not a folder", folder.path.display());
        let fix = format!("move it away: mv {0} {0}.old", quoted(&folder.path));
        return vec![Finding::failed(CHECK, found, fix)];
    }
    let foreign = seen.iter().find(|one| one.owner != us);
    let locked = seen.iter().find(|one| one.owner == us && !one.is_writable);
    // A file in a closed folder is out of reach, but not once it is copied.
    let open = seen.iter().find(|one| one.mode & 0o077 != 0);
    let all = [
        foreign.map(|one| judge_foreign(one, &folder.path, us)),
        locked.map(judge_locked),
        open.map(|one| judge_open(one, &folder.path)),
    ];
    all.into_iter().flatten().collect()
}

fn judge_foreign(one: &FileSeen, folder: &Path, us: u32) -> Finding {
    let (owner, name) = (user_name(one.owner), user_name(us));
    let found = format!(
        "{} belongs to {owner}, and this is {name}",
        one.path.display()
    );
    match us {
        // Root may read and write it all, and must not make files in between.
        0 => {
            let fix = format!("run headspace as {owner}: sudo -u {owner} headspace doctor");
            Finding::warning(CHECK, found, fix)
        }
        _ => Finding::failed(
            CHECK,
            found,
            format!("sudo chown -R {name} {}", quoted(folder)),
        ),
    }
}

fn judge_locked(one: &FileSeen) -> Finding {
    let (shown, mode) = (one.path.display(), one.mode);
    let found = format!("{shown} (mode {mode:04o}) cannot be read and written");
    Finding::failed(CHECK, found, format!("chmod u+rwX {}", quoted(&one.path)))
}

fn judge_open(one: &FileSeen, folder: &Path) -> Finding {
    let (shown, mode) = (one.path.display(), one.mode);
    let found = format!("{shown} is open to other users (mode {mode:04o})");
    Finding::warning(CHECK, found, format!("chmod -R go= {}", quoted(folder)))
}
