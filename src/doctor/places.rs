//! The state folder and the run folder: their owner, their mode, and the room on
//! their file system.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{Access, StatVfsMountFlags, access, statvfs},
    process::geteuid,
};

use super::{
    accounts::user_name,
    finding::{Finding, quoted, size},
};
use crate::config::Places;

const CHECK: &str = "permissions";
/// Less than this and the next write may be the last.
const NO_ROOM: u64 = 64 << 20;
const LITTLE_ROOM: u64 = 1 << 30;

/// A file or folder of ours as it was found.
#[derive(Debug, Clone)]
pub struct Seen {
    pub path: PathBuf,
    pub owner: u32,
    pub mode: u32,
    pub is_folder: bool,
    pub is_writable: bool,
}

#[derive(Debug)]
pub enum FolderFacts {
    Missing(PathBuf),
    Unreadable(PathBuf, String),
    /// The folder first, then what lies in it.
    There(Vec<Seen>),
}

#[derive(Debug)]
pub struct Room {
    pub path: PathBuf,
    pub free: u64,
    pub is_read_only: bool,
}

pub fn collect(places: &Places) -> Vec<FolderFacts> {
    let mut folders = vec![inspect(&places.state)];
    if places.run != places.state {
        folders.push(inspect(&places.run));
    }
    folders
}

fn inspect(path: &Path) -> FolderFacts {
    let listed = see(path).and_then(|folder| {
        let entries = match folder.is_folder {
            true => fs::read_dir(path)?.flatten().collect(),
            false => Vec::new(),
        };
        let inside = entries.iter().filter_map(|entry| see(&entry.path()).ok());
        Ok(std::iter::once(folder).chain(inside).collect())
    });
    match listed {
        Ok(seen) => FolderFacts::There(seen),
        Err(error) if error.kind() == io::ErrorKind::NotFound => FolderFacts::Missing(path.into()),
        Err(error) => FolderFacts::Unreadable(path.into(), error.to_string()),
    }
}

fn see(path: &Path) -> io::Result<Seen> {
    let metadata = fs::metadata(path)?;
    Ok(Seen {
        path: path.to_owned(),
        owner: metadata.uid(),
        mode: metadata.mode() & 0o7777,
        is_folder: metadata.is_dir(),
        is_writable: access(path, Access::READ_OK | Access::WRITE_OK).is_ok(),
    })
}

/// Of the file system a path lies on, or will lie on.
pub fn room(path: &Path) -> Option<Room> {
    let there = path.ancestors().find(|path| path.exists())?;
    let free = statvfs(there).ok()?;
    Some(Room {
        path: path.to_owned(),
        free: free.f_bavail.saturating_mul(free.f_frsize),
        is_read_only: free.f_flag.contains(StatVfsMountFlags::RDONLY),
    })
}

pub fn judge(folders: &[FolderFacts]) -> Vec<Finding> {
    let us = geteuid().as_raw();
    let mut findings: Vec<Finding> = folders
        .iter()
        .flat_map(|folder| judge_folder(folder, us))
        .collect();
    if findings.is_empty() {
        findings.push(Finding::ok(
            CHECK,
            "the folders are this user's alone, and can be written",
        ));
    }
    findings
}

fn judge_folder(folder: &FolderFacts, us: u32) -> Vec<Finding> {
    match folder {
        FolderFacts::Missing(path) => vec![Finding::note(
            CHECK,
            format!(
                "{} is not there yet; the first start makes it",
                path.display()
            ),
        )],
        FolderFacts::Unreadable(path, error) => vec![Finding::failed(
            CHECK,
            format!("{} cannot be read: {error}", path.display()),
            format!("sudo chown -R {} {}", user_name(us), quoted(path)),
        )],
        FolderFacts::There(seen) => judge_seen(seen, us),
    }
}

/// One finding of a kind is enough: its fix is for all of them.
fn judge_seen(seen: &[Seen], us: u32) -> Vec<Finding> {
    let Some(folder) = seen.first() else {
        return vec![];
    };
    if !folder.is_folder {
        let found = format!("{} is not a folder", folder.path.display());
        let fix = format!("move it away: mv {0} {0}.old", quoted(&folder.path));
        return vec![Finding::failed(CHECK, found, fix)];
    }
    [foreign(seen, us), locked(seen, us), open(seen)]
        .into_iter()
        .flatten()
        .collect()
}

fn foreign(seen: &[Seen], us: u32) -> Option<Finding> {
    let one = seen.iter().find(|one| one.owner != us)?;
    let (owner, name) = (user_name(one.owner), user_name(us));
    let found = format!(
        "{} belongs to {owner}, and this is {name}",
        one.path.display()
    );
    let folder = &seen[0].path;
    Some(match us {
        // Root may read and write it all, and must not make files in between.
        0 => Finding::warning(
            CHECK,
            found,
            format!("run headspace as {owner}: sudo -u {owner} headspace doctor"),
        ),
        _ => Finding::failed(
            CHECK,
            found,
            format!("sudo chown -R {name} {}", quoted(folder)),
        ),
    })
}

fn locked(seen: &[Seen], us: u32) -> Option<Finding> {
    let one = seen
        .iter()
        .find(|one| one.owner == us && !one.is_writable)?;
    Some(Finding::failed(
        CHECK,
        format!(
            "{} (mode {:04o}) cannot be read and written",
            one.path.display(),
            one.mode
        ),
        format!("chmod u+rwX {}", quoted(&one.path)),
    ))
}

/// A file in a closed folder is out of reach, but not once it is copied.
fn open(seen: &[Seen]) -> Option<Finding> {
    let one = seen.iter().find(|one| one.mode & 0o077 != 0)?;
    Some(Finding::warning(
        CHECK,
        format!(
            "{} is open to other users (mode {:04o})",
            one.path.display(),
            one.mode
        ),
        format!("chmod -R go= {}", quoted(&seen[0].path)),
    ))
}

pub fn judge_room(room: Option<&Room>) -> Finding {
    let Some(room) = room else {
        return Finding::unchecked("disk", "the file system does not say how much is free");
    };
    let shown = room.path.display();
    let found = format!("{} free for {shown}", size(room.free));
    let fix = "make room on that file system, or move the state folder: --state-dir DIR";
    match room.free {
        _ if room.is_read_only => Finding::failed(
            "disk",
            format!("the file system of {shown} is read-only"),
            "remount it for writing, or name another state folder: --state-dir DIR",
        ),
        ..NO_ROOM => Finding::failed("disk", found, fix),
        NO_ROOM..LITTLE_ROOM => Finding::warning("disk", found, fix),
        _ => Finding::ok("disk", found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Severity::{self, Failed, Ok, Warning};

    fn seen(name: &str, owner: u32, mode: u32) -> Seen {
        Seen {
            path: format!("/s/{name}").into(),
            owner,
            mode,
            is_folder: name.is_empty(),
            is_writable: mode & 0o600 == 0o600,
        }
    }

    #[test]
    fn owner_and_mode_have_their_verdict() {
        // Accounts that no machine has a name for.
        const ME: u32 = 70_007;
        const OTHER: u32 = 70_008;
        for (us, folder, file, expected) in [
            (ME, (ME, 0o700), (ME, 0o600), &[][..]),
            (
                ME,
                (ME, 0o755),
                (ME, 0o600),
                &[(Warning, "chmod -R go= /s/")],
            ),
            (
                ME,
                (ME, 0o700),
                (ME, 0o644),
                &[(Warning, "chmod -R go= /s/")],
            ),
            (ME, (ME, 0o500), (ME, 0o600), &[(Failed, "chmod u+rwX /s/")]),
            (
                ME,
                (ME, 0o700),
                (ME, 0o400),
                &[(Failed, "chmod u+rwX /s/headspace.db")],
            ),
            (
                ME,
                (ME, 0o700),
                (OTHER, 0o600),
                &[(Failed, "sudo chown -R 70007 /s/")],
            ),
            (
                0,
                (ME, 0o700),
                (ME, 0o600),
                &[(Warning, "sudo -u 70007 headspace doctor")],
            ),
        ] {
            let seen = [
                seen("", folder.0, folder.1),
                seen("headspace.db", file.0, file.1),
            ];
            let found = judge_seen(&seen, us);
            assert_eq!(
                found.len(),
                expected.len(),
                "{folder:?} {file:?}: {found:?}"
            );
            for (finding, (state, fix)) in found.iter().zip(expected) {
                assert_eq!(finding.state, *state, "{finding:?}");
                assert!(finding.fix.as_ref().unwrap().contains(fix), "{finding:?}");
            }
        }
    }

    #[test]
    fn room_on_the_disk_has_two_bounds() {
        let state = |free, is_read_only| -> Severity {
            judge_room(Some(&Room {
                path: "/s".into(),
                free,
                is_read_only,
            }))
            .state
        };
        assert_eq!(state(NO_ROOM - 1, false), Failed);
        assert_eq!(state(NO_ROOM, false), Warning);
        assert_eq!(state(LITTLE_ROOM, false), Ok);
        assert_eq!(state(LITTLE_ROOM, true), Failed);
        assert!(room(Path::new("/no/such/folder")).is_some(), "the root's");
    }
}
