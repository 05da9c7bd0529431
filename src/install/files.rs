//! Files that should be there, compared with those that are.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::{
    Refused,
    manifest::{Manifest, SECRET},
    plan::Step,
};

/// A file that should be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    pub path: PathBuf,
    pub content: Content,
    pub mode: u32,
    /// If it is another than whoever installs.
    pub owner: Option<(u32, u32)>,
    /// The services that have to be started again when it changes.
    pub of: &'static [&'static str],
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
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
pub struct Folder {
    pub path: PathBuf,
    pub mode: u32,
    pub owner: Option<(u32, u32)>,
}

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    Nothing,
    Folder,
    File { sha256: String, mode: u32 },
}

/// What is to be done about files, and what is known afterwards.
#[derive(Debug, Default)]
pub struct Changes {
    pub steps: Vec<Step>,
    /// The services whose files change.
    pub of: BTreeSet<&'static str>,
    pub folders: Vec<PathBuf>,
    pub files: Vec<(PathBuf, String)>,
}

pub fn plan(
    folders: &[Folder],
    files: &[File],
    earlier: Option<&Manifest>,
    look: &dyn Fn(&Path) -> Found,
) -> Result<Changes, Refused> {
    let mut changes = Changes::default();
    for folder in folders {
        make_folder(folder, earlier, look, &mut changes)?;
    }
    for file in files {
        write(file, earlier, look, &mut changes)?;
    }
    if let Some(earlier) = earlier {
        drop_what_is_not_wanted(earlier, files, look, &mut changes);
    }
    Ok(changes)
}

fn make_folder(
    folder: &Folder,
    earlier: Option<&Manifest>,
    look: &dyn Fn(&Path) -> Found,
    changes: &mut Changes,
) -> Result<(), Refused> {
    for path in ancestors(&folder.path) {
        let is_ours = earlier.is_some_and(|earlier| earlier.folders.iter().any(|at| at == path));
        match look(path) {
            Found::File { .. } => {
                let told = format!("{}: a folder is needed, a file is there", path.display());
                return Err(Refused(told));
            }
            Found::Folder if !is_ours => continue,
            Found::Folder => {}
            Found::Nothing if changes.folders.iter().any(|at| at == path) => continue,
            Found::Nothing => changes.steps.push(Step::Folder(Folder {
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
    file: &File,
    earlier: Option<&Manifest>,
    look: &dyn Fn(&Path) -> Found,
    changes: &mut Changes,
) -> Result<(), Refused> {
    let is_ours = |hash: &str| earlier.is_some_and(|earlier| earlier.wrote(&file.path, hash));
    let told = |wrong: &str| Err(Refused(format!("{}: {wrong}", file.path.display())));
    match look(&file.path) {
        Found::Folder => return told("a file is needed, a folder is there"),
        Found::Nothing => write_anew(file, changes),
        Found::File { sha256, .. } if matches!(file.content, Content::Unless(_)) => {
            changes.steps.push(Step::Kept(file.path.clone()));
            if is_ours(&sha256) {
                changes.files.push((file.path.clone(), sha256));
            }
        }
        Found::File { sha256, mode } if sha256 == file.sha256() && mode == file.mode => {
            changes.steps.push(Step::Same(file.path.clone()));
            // Somebody else's stays theirs, even where it is the same.
            if is_ours(&sha256) {
                changes.files.push((file.path.clone(), file.recorded()));
            }
        }
        Found::File { sha256, .. } if is_ours(&sha256) => write_anew(file, changes),
        Found::File { .. } => return told(NOT_OURS),
    }
    Ok(())
}

const NOT_OURS: &str = "is there and is not what an installation wrote, so it is left alone; \
    move it away and run this again (settings of your own for a unit belong into a file \
    beside it, such as 20-local.conf)";

fn write_anew(file: &File, changes: &mut Changes) {
    changes.steps.push(Step::Write(file.clone()));
    changes.of.extend(file.of);
    changes.files.push((file.path.clone(), file.recorded()));
}

fn drop_what_is_not_wanted(
    earlier: &Manifest,
    files: &[File],
    look: &dyn Fn(&Path) -> Found,
    changes: &mut Changes,
) {
    for path in earlier.paths() {
        if files.iter().any(|file| file.path == path) {
            continue;
        }
        let Found::File { sha256, .. } = look(path) else {
            continue;
        };
        changes.steps.push(if earlier.wrote(path, &sha256) {
            changes.of.extend(super::systemd::SERVICES);
            Step::Remove(path.to_owned())
        } else {
            Step::Changed(path.to_owned())
        });
    }
}

impl File {
    pub fn sha256(&self) -> String {
        match &self.content {
            Content::Text(text) | Content::Secret(text) | Content::Unless(text) => {
                sha256(text.as_bytes())
            }
            Content::Copy(_, sha256) => sha256.clone(),
        }
    }

    fn recorded(&self) -> String {
        match &self.content {
            Content::Secret(_) => SECRET.to_owned(),
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
