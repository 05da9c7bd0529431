//! Files that should be there, compared with those that are.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::{
    InstallRefused,
    manifest::{Manifest, SECRET},
    plan::InstallStep,
};

/// A file that should be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedFile {
    pub path: PathBuf,
    pub content: FileContent,
    pub mode: u32,
    /// If it is another than whoever installs.
    pub owner: Option<(u32, u32)>,
    /// The services that have to be started again when it changes.
    pub of: &'static [&'static str],
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileContent {
    Text(String),
    /// Text that nobody else may see.
    Secret(String),
    /// A file with this text, unless there is one, whatever it says.
    Unless(String),
    /// This program's file, with its hash.
    Copy(PathBuf, String),
}

/// A folder that should be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedFolder {
    pub path: PathBuf,
    pub mode: u32,
    pub owner: Option<(u32, u32)>,
}

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OnDisk {
    Nothing,
    Folder,
    File { sha256: String, mode: u32 },
}

/// What is to be done about files, and what is known afterwards.
#[derive(Debug, Default)]
pub struct Changes {
    pub steps: Vec<InstallStep>,
    /// The services whose files change.
    pub of: BTreeSet<&'static str>,
    pub folders: Vec<PathBuf>,
    pub files: Vec<(PathBuf, String)>,
}

pub fn plan(
    folders: &[PlannedFolder],
    files: &[PlannedFile],
    earlier: Option<&Manifest>,
    inspect: &dyn Fn(&Path) -> OnDisk,
) -> Result<Changes, InstallRefused> {
    let mut changes = Changes::default();
    for folder in folders {
        make_folder(folder, earlier, inspect, &mut changes)?;
    }
    for file in files {
        write(file, earlier, inspect, &mut changes)?;
    }
    if let Some(earlier) = earlier {
        drop_what_is_not_wanted(earlier, files, inspect, &mut changes);
    }
    Ok(changes)
}

fn make_folder(
    folder: &PlannedFolder,
    earlier: Option<&Manifest>,
    inspect: &dyn Fn(&Path) -> OnDisk,
    changes: &mut Changes,
) -> Result<(), InstallRefused> {
    for path in ancestors(&folder.path) {
        let is_ours = earlier.is_some_and(|earlier| earlier.folders.iter().any(|at| at == path));
        match inspect(path) {
            OnDisk::File { .. } => {
                let message = format!("{}: a folder is needed, a file is there", path.display());
                return Err(InstallRefused(message));
            }
            OnDisk::Folder if !is_ours => continue,
            OnDisk::Folder => {}
            OnDisk::Nothing if changes.folders.iter().any(|at| at == path) => continue,
            OnDisk::Nothing => changes.steps.push(InstallStep::Folder(PlannedFolder {
                path: path.to_owned(),
                mode: if path == folder.path {
                    folder.mode
                } else {
                    0o755
                },
                owner: folder.owner.filter(|_| path == folder.path),
            })),
        }
        if !changes.folders.iter().any(|at| at == path) {
            changes.folders.push(path.to_owned());
        }
    }
    Ok(())
}

/// The path and what it stands in, from the top.
fn ancestors(path: &Path) -> Vec<&Path> {
    let mut all: Vec<&Path> = path
        .ancestors()
        .filter(|at| at.parent().is_some())
        .collect();
    all.reverse();
    all
}

fn write(
    file: &PlannedFile,
    earlier: Option<&Manifest>,
    inspect: &dyn Fn(&Path) -> OnDisk,
    changes: &mut Changes,
) -> Result<(), InstallRefused> {
    let is_ours = |hash: &str| earlier.is_some_and(|earlier| earlier.wrote(&file.path, hash));
    let refused = |wrong: &str| Err(InstallRefused(format!("{}: {wrong}", file.path.display())));
    match inspect(&file.path) {
        OnDisk::Folder => return refused("a file is needed, a folder is there"),
        OnDisk::Nothing => write_anew(file, changes),
        OnDisk::File { sha256, .. } if matches!(file.content, FileContent::Unless(_)) => {
            changes.steps.push(InstallStep::Kept(file.path.clone()));
            if is_ours(&sha256) {
                changes.files.push((file.path.clone(), sha256));
            }
        }
        OnDisk::File { sha256, mode } if sha256 == file.sha256() && mode == file.mode => {
            changes.steps.push(InstallStep::Same(file.path.clone()));
            // Somebody else's stays theirs, even where it is the same.
            if is_ours(&sha256) {
                changes.files.push((file.path.clone(), file.recorded()));
            }
        }
        OnDisk::File { sha256, .. } if is_ours(&sha256) => write_anew(file, changes),
        OnDisk::File { .. } => return refused(NOT_OURS),
    }
    Ok(())
}

const NOT_OURS: &str = "is there and is not what an installation wrote, so it is left alone; \
    move it away and run this again (settings of your own for a unit belong into a file \
    beside it, such as 20-local.conf)";

fn write_anew(file: &PlannedFile, changes: &mut Changes) {
    changes.steps.push(InstallStep::Write(file.clone()));
    changes.of.extend(file.of);
    changes.files.push((file.path.clone(), file.recorded()));
}

fn drop_what_is_not_wanted(
    earlier: &Manifest,
    files: &[PlannedFile],
    inspect: &dyn Fn(&Path) -> OnDisk,
    changes: &mut Changes,
) {
    for path in earlier.paths() {
        if files.iter().any(|file| file.path == path) {
            continue;
        }
        let OnDisk::File { sha256, .. } = inspect(path) else {
            continue;
        };
        changes.steps.push(if earlier.wrote(path, &sha256) {
            changes.of.extend(super::systemd::SERVICES);
            InstallStep::Remove(path.to_owned())
        } else {
            InstallStep::Changed(path.to_owned())
        });
    }
}

impl PlannedFile {
    pub fn sha256(&self) -> String {
        match &self.content {
            FileContent::Text(text) | FileContent::Secret(text) | FileContent::Unless(text) => {
                sha256(text.as_bytes())
            }
            FileContent::Copy(_, sha256) => sha256.clone(),
        }
    }

    fn recorded(&self) -> String {
        match &self.content {
            FileContent::Secret(_) => SECRET.to_owned(),
            _ => self.sha256(),
        }
    }
}

pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
