//! Files as they should be, compared with the files on disk.

use std::{
    collections::BTreeSet,
    fs, io,
    io::Write,
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::{
    InstallRefused,
    manifest::{Manifest, SECRET},
    steps::InstallStep,
    systemd,
};

/// A file that should exist.
#[derive(Clone)]
pub struct PlannedFile {
    pub path: PathBuf,
    pub contents: Vec<u8>,
    pub kind: FileKind,
    /// The services that are restarted when it changes.
    pub services: &'static [&'static str],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    Plain,
    /// A copy of this program.
    Program,
    /// For root or its user only; not even its hash is recorded.
    Secret,
    /// Settings for the user to edit: a file that exists stays as it is. A
    /// password may be put there, so only this group reads it.
    Example {
        group: u32,
    },
}

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OnDisk {
    Nothing,
    Folder,
    File { sha256: String, mode: u32 },
}

pub fn inspect(path: &Path) -> OnDisk {
    match fs::metadata(path) {
        Ok(meta) if meta.is_dir() => OnDisk::Folder,
        Ok(meta) => OnDisk::File {
            // What cannot be read was not written by an installation.
            sha256: fs::read(path).map_or_else(|_| String::new(), |bytes| sha256(&bytes)),
            mode: meta.mode() & 0o7777,
        },
        Err(_) => OnDisk::Nothing,
    }
}

/// What an installation changes on disk.
#[derive(Default)]
pub struct Changes {
    pub steps: Vec<InstallStep>,
    /// The services to restart, since their files change.
    pub services: BTreeSet<&'static str>,
    /// For the manifest.
    pub folders: Vec<PathBuf>,
    pub files: Vec<(PathBuf, String)>,
}

pub fn compare(
    files: &[PlannedFile],
    earlier: &Manifest,
    inspect: &dyn Fn(&Path) -> OnDisk,
) -> Result<Changes, InstallRefused> {
    let mut changes = Changes::default();
    for file in files {
        changes.add(file, earlier, inspect(&file.path))?;
    }
    for path in earlier.paths() {
        let is_wanted = files.iter().any(|file| file.path == path);
        if let (false, Some(step)) = (is_wanted, earlier.removal(path, inspect)) {
            if step.acts() {
                changes.services.extend(systemd::SERVICES);
            }
            changes.steps.push(step);
        }
    }
    Ok(changes)
}

impl Changes {
    fn add(
        &mut self,
        file: &PlannedFile,
        earlier: &Manifest,
        found: OnDisk,
    ) -> Result<(), InstallRefused> {
        let wanted = sha256(&file.contents);
        let is_ours = |hash: &str| earlier.wrote(&file.path, hash);
        let (step, recorded) = match found {
            OnDisk::Folder => return refuse(&file.path, "a file is needed, but this is a folder"),
            OnDisk::Nothing => (InstallStep::Write(file.clone()), Some(wanted)),
            // A file that an installation did not write is not recorded, even
            // where it is the same.
            OnDisk::File { sha256, mode } => match file.kind {
                FileKind::Example { .. } => {
                    (keep(&file.path), Some(sha256).filter(|hash| is_ours(hash)))
                }
                kind if sha256 == wanted && mode == kind.mode() => {
                    let step = InstallStep::note("already", file.path.display());
                    (step, Some(sha256).filter(|hash| is_ours(hash)))
                }
                _ if is_ours(&sha256) => (InstallStep::Write(file.clone()), Some(wanted)),
                _ => return refuse(&file.path, NOT_OURS),
            },
        };
        if step.acts() {
            self.services.extend(file.services);
        }
        let secret = (file.kind == FileKind::Secret).then(|| SECRET.to_owned());
        let recorded = recorded.map(|hash| secret.unwrap_or(hash));
        self.files
            .extend(recorded.map(|hash| (file.path.clone(), hash)));
        self.steps.push(step);
        Ok(())
    }
}

/// What is the user's own.
pub fn keep(path: &Path) -> InstallStep {
    InstallStep::note("keep", format!("{} as it is", path.display()))
}

const NOT_OURS: &str = "exists and is not what an installation wrote, so it is left alone; move \
    it away and run this again (settings of your own for a unit belong in a file beside it, such \
    as 20-local.conf)";

fn refuse<T>(path: &Path, problem: &str) -> Result<T, InstallRefused> {
    Err(InstallRefused(format!("{}: {problem}", path.display())))
}

/// The folders of these files that an installation makes or made, parents first.
pub fn made_folders<'a>(
    paths: impl Iterator<Item = &'a Path>,
    earlier: &Manifest,
    inspect: &dyn Fn(&Path) -> OnDisk,
) -> Result<Vec<PathBuf>, InstallRefused> {
    let mut made: Vec<PathBuf> = Vec::new();
    for path in paths {
        let mut folders: Vec<&Path> = path.ancestors().skip(1).collect();
        folders.reverse();
        for folder in &folders[1..] {
            let is_ours = earlier.folders.iter().any(|ours| ours == folder);
            match inspect(folder) {
                OnDisk::File { .. } => {
                    return refuse(folder, "a folder is needed, but this is a file");
                }
                OnDisk::Folder if !is_ours => {}
                _ if made.iter().any(|path| path == folder) => {}
                _ => made.push(folder.to_path_buf()),
            }
        }
    }
    Ok(made)
}

impl FileKind {
    pub fn mode(self) -> u32 {
        match self {
            FileKind::Plain => 0o644,
            FileKind::Program => 0o755,
            FileKind::Secret => 0o600,
            FileKind::Example { .. } => 0o640,
        }
    }
}

impl PlannedFile {
    pub fn plain(path: &Path, text: &str, services: &'static [&'static str]) -> PlannedFile {
        PlannedFile {
            path: path.to_owned(),
            contents: text.into(),
            kind: FileKind::Plain,
            services,
        }
    }

    /// Writes the whole file or none of it, and never readable for others on the
    /// way. The file of a running program can be replaced so, too.
    pub fn write(&self) -> io::Result<()> {
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        make_folders(folder)?;
        let name = self.path.file_name().unwrap_or_default();
        let new = folder.join(format!(".{}.new", name.to_string_lossy()));
        unless_missing(fs::remove_file(&new))?;
        let mut options = fs::File::options();
        let file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&new)?;
        let done = self
            .fill(file, &new)
            .and_then(|()| fs::rename(&new, &self.path));
        if done.is_err() {
            unless_missing(fs::remove_file(&new))?;
        }
        done
    }

    fn fill(&self, mut file: fs::File, path: &Path) -> io::Result<()> {
        file.write_all(&self.contents)?;
        if let FileKind::Example { group } = self.kind {
            chown(path, None, Some(group))?;
        }
        fs::set_permissions(path, fs::Permissions::from_mode(self.kind.mode()))?;
        file.sync_all()
    }
}

/// Readable for all, unlike what the umask leaves.
fn make_folders(folder: &Path) -> io::Result<()> {
    let mut missing: Vec<&Path> = folder
        .ancestors()
        .take_while(|path| !path.exists())
        .collect();
    while let Some(path) = missing.pop() {
        fs::create_dir(path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

/// A file that does not exist need not be removed.
pub fn unless_missing(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

pub fn sha256(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
