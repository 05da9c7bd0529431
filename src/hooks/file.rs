//! A settings file on disk: read, judged, replaced.

use std::{
    fs::{self, File, Metadata, Permissions},
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown},
    path::{Path, PathBuf},
};

use rustix::fs::{Access, access};

/// What a file of settings never has.
const MAX_BYTES: u64 = 16 * 1024 * 1024;
const BACKUP: &str = "headspace-backup";

/// The settings of one of the CLI's folders.
#[derive(Debug)]
pub struct SettingsFile {
    /// As the CLI finds it.
    pub named: PathBuf,
    /// The file itself, behind whatever links.
    pub path: PathBuf,
    found: Option<(Vec<u8>, Metadata)>,
}

#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("{}: {error}", path.display())]
    Io { path: PathBuf, error: io::Error },
    #[error("{}: is not UTF-8 text: line {line}, column {column}", path.display())]
    NoText {
        path: PathBuf,
        line: usize,
        column: usize,
    },
    #[error("{}: was changed meanwhile; run this again", .0.display())]
    Changed(PathBuf),
}

impl SettingsFile {
    /// The one of this folder. It may be missing, and the folder too.
    pub fn of(root: &Path) -> Result<SettingsFile, FileError> {
        let named = root.join("settings.json");
        let path = match fs::symlink_metadata(&named) {
            Ok(_) => fs::canonicalize(&named).map_err(io_error(&named))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => named.clone(),
            Err(error) => return Err(io_error(&named)(error)),
        };
        let found = read(&path).map_err(io_error(&path))?;
        Ok(SettingsFile { named, path, found })
    }

    /// What it holds; nothing if it is not there.
    pub fn text(&self) -> Result<Option<&str>, FileError> {
        let Some((bytes, _)) = &self.found else {
            return Ok(None);
        };
        let text = str::from_utf8(bytes).map_err(|error| {
            let before = &bytes[..error.valid_up_to()];
            let line_start = before.iter().rposition(|byte| *byte == b'\n');
            let line_start = line_start.map_or(0, |at| at + 1);
            FileError::NoText {
                path: self.path.clone(),
                line: before.iter().filter(|byte| **byte == b'\n').count() + 1,
                column: String::from_utf8_lossy(&before[line_start..])
                    .chars()
                    .count()
                    + 1,
            }
        })?;
        Ok(Some(text))
    }

    /// Why it is not ours to change; nothing if it is.
    pub fn obstacle(&self) -> Option<&'static str> {
        let cannot = "cannot be written by you";
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        let Some((_, metadata)) = &self.found else {
            let existing = folder.ancestors().find(|folder| folder.exists());
            let is_free = existing.is_some_and(is_writable);
            return (!is_free).then_some(cannot);
        };
        match () {
            () if self.path.starts_with("/nix/store") => Some("is managed by Nix"),
            () if metadata.mode() & 0o222 == 0 => Some("is read-only"),
            () if !is_writable(&self.path) || !is_writable(folder) => Some(cannot),
            () if metadata.nlink() > 1 => Some("is one file under several names"),
            () => None,
        }
    }

    /// What was there before the first of our hooks, as far as it was kept.
    pub fn backup(&self) -> Option<String> {
        fs::read_to_string(self.backup_path()).ok()
    }

    pub fn backup_path(&self) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(format!(".{BACKUP}"));
        name.into()
    }

    /// Keeps what is there, in place of an earlier backup.
    pub fn back_up(&self) -> Result<(), FileError> {
        let path = self.backup_path();
        match &self.found {
            Some((bytes, metadata)) => replace(&path, bytes, Some(metadata), || Ok(())),
            None => self.forget_backup(),
        }
    }

    pub fn forget_backup(&self) -> Result<(), FileError> {
        let path = self.backup_path();
        unless_missing(fs::remove_file(&path)).map_err(io_error(&path))
    }

    /// Puts the text in its place, in one step, if nothing was changed meanwhile.
    pub fn write(&self, text: &str) -> Result<(), FileError> {
        if let (None, Some(folder)) = (&self.found, self.path.parent()) {
            fs::create_dir_all(folder).map_err(io_error(folder))?;
        }
        let metadata = self.found.as_ref().map(|(_, metadata)| metadata);
        let still = || self.still_as_read();
        replace(&self.path, text.as_bytes(), metadata, still)
    }

    /// Removes it, if nothing was changed meanwhile.
    pub fn remove(&self) -> Result<(), FileError> {
        self.still_as_read()?;
        fs::remove_file(&self.path).map_err(io_error(&self.path))
    }

    /// The CLI writes its settings, too.
    fn still_as_read(&self) -> Result<(), FileError> {
        let now = read(&self.path).map_err(io_error(&self.path))?;
        let bytes =
            |found: &Option<(Vec<u8>, Metadata)>| found.as_ref().map(|(bytes, _)| bytes.clone());
        match bytes(&now) == bytes(&self.found) {
            true => Ok(()),
            false => Err(FileError::Changed(self.path.clone())),
        }
    }
}

/// Each file once, by whatever names it was reached.
pub fn distinct(files: Vec<SettingsFile>) -> Vec<SettingsFile> {
    let mut kept: Vec<SettingsFile> = Vec::new();
    for file in files {
        if kept.iter().all(|other| !is_same(other, &file)) {
            kept.push(file);
        }
    }
    kept
}

fn is_same(one: &SettingsFile, other: &SettingsFile) -> bool {
    let identity = |file: &SettingsFile| {
        let (_, metadata) = file.found.as_ref()?;
        Some((metadata.dev(), metadata.ino()))
    };
    one.path == other.path || identity(one).is_some_and(|id| identity(other) == Some(id))
}

fn read(path: &Path) -> io::Result<Option<(Vec<u8>, Metadata)>> {
    let metadata = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        metadata => metadata?,
    };
    // A pipe would wait for ever.
    if !metadata.is_file() {
        return Err(io::Error::other("is no file"));
    }
    if metadata.len() > MAX_BYTES {
        return Err(io::Error::other("is too large"));
    }
    Ok(Some((fs::read(path)?, metadata)))
}

/// Writes a new file beside the old one and gives it the old one's place.
fn replace(
    path: &Path,
    bytes: &[u8],
    like: Option<&Metadata>,
    still: impl FnOnce() -> Result<(), FileError>,
) -> Result<(), FileError> {
    let mut new = path.as_os_str().to_owned();
    new.push(format!(".{}.new", std::process::id()));
    let new = PathBuf::from(new);
    let done = fill(&new, bytes, like)
        .map_err(io_error(&new))
        .and_then(|()| still())
        .and_then(|()| fs::rename(&new, path).map_err(io_error(path)));
    if done.is_err() {
        unless_missing(fs::remove_file(&new)).map_err(io_error(&new))?;
        return done;
    }
    let folder = path.parent().unwrap_or(Path::new("/"));
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(io_error(folder))
}

fn fill(path: &Path, bytes: &[u8], like: Option<&Metadata>) -> io::Result<()> {
    let mut file = File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    if let Some(like) = like {
        let own = file.metadata()?;
        if (own.uid(), own.gid()) != (like.uid(), like.gid()) {
            fchown(&file, Some(like.uid()), Some(like.gid()))?;
        }
        file.set_permissions(Permissions::from_mode(like.mode() & 0o7777))?;
    }
    file.sync_all()
}

fn is_writable(path: &Path) -> bool {
    access(path, Access::WRITE_OK).is_ok()
}

fn unless_missing(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

fn io_error(path: &Path) -> impl Fn(io::Error) -> FileError {
    let path = path.to_owned();
    move |error| FileError::Io {
        path: path.clone(),
        error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_changed_or_made_meanwhile_is_not_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("settings.json");
        let of = || SettingsFile::of(dir.path()).unwrap();
        let missing = of();
        fs::write(&path, "{}").unwrap();
        assert!(matches!(missing.write("ours"), Err(FileError::Changed(_))));
        let file = of();
        fs::write(&path, "{ }").unwrap();
        assert!(matches!(file.write("ours"), Err(FileError::Changed(_))));
        assert!(matches!(file.remove(), Err(FileError::Changed(_))));
        assert_eq!(fs::read_to_string(&path).unwrap(), "{ }");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        of().write("ours").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "ours");
    }
}
