//! What was installed, so that it can be removed, and nothing else.
//!
//! It stands beside the settings. For a system service only root may write
//! there, because root removes what it names.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};

use super::{InstallRefused, account, files::OnDisk, steps::InstallStep, target::Target};

pub const NAME: &str = "installed.json";

/// Of a system service, on every system.
pub const SYSTEM_FOLDER: &str = "/etc/headspace";

/// Far more than one that we wrote.
const MAX_BYTES: u64 = 1 << 20;

/// In place of the hash of a secret file.
pub const SECRET: &str = "secret";

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Manifest {
    /// The program that wrote it.
    pub version: String,
    pub user: String,
    /// Where the data is; it is removed only on request.
    pub state: PathBuf,
    pub run: PathBuf,
    pub database: String,
    /// What the drop-ins set, chosen at one of the installations.
    pub environment: BTreeMap<String, String>,
    /// The folders that were made, parents first.
    pub folders: Vec<PathBuf>,
    /// What was written, with its SHA-256. While an installation is on its way,
    /// a path may stand here with both its old and its new hash.
    pub files: Vec<(PathBuf, String)>,
}

impl Manifest {
    pub fn path(config_folder: &Path) -> PathBuf {
        config_folder.join(NAME)
    }

    pub fn read(config_folder: &Path) -> Result<Option<Manifest>, InstallRefused> {
        let path = Manifest::path(config_folder);
        let refused = |wrong: String| InstallRefused(format!("{}: {wrong}", path.display()));
        match read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(|error| refused(format!("is not what an installation wrote: {error}"))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(refused(error.to_string())),
        }
    }

    pub fn text(&self) -> String {
        serde_json::to_string_pretty(self).expect("a manifest is plain JSON") + "\n"
    }

    /// Names what both name.
    pub fn with(&self, earlier: &Manifest) -> Manifest {
        let mut both = self.clone();
        let files = earlier
            .files
            .iter()
            .filter(|entry| !self.files.contains(entry));
        both.files.extend(files.cloned());
        let folders = earlier.folders.iter();
        let folders = folders.filter(|folder| !self.folders.contains(folder));
        both.folders.extend(folders.cloned());
        both
    }

    pub fn wrote(&self, path: &Path, sha256: &str) -> bool {
        let mut files = self.files.iter();
        files.any(|(written, hash)| written == path && (hash == sha256 || hash == SECRET))
    }

    /// Removes a file that was written and not changed since.
    pub fn removal(&self, path: &Path, inspect: &dyn Fn(&Path) -> OnDisk) -> Option<InstallStep> {
        match inspect(path) {
            OnDisk::Nothing => None,
            OnDisk::File { sha256, .. } if self.wrote(path, &sha256) => {
                Some(InstallStep::Remove(path.to_owned()))
            }
            _ => {
                let text = format!("{}: it was changed since it was installed", path.display());
                Some(InstallStep::note("leave", text))
            }
        }
    }

    /// The paths, each once, in the order they were written.
    pub fn paths(&self) -> Vec<&Path> {
        let mut paths: Vec<&Path> = Vec::new();
        for (path, _) in &self.files {
            if !paths.contains(&path.as_path()) {
                paths.push(path);
            }
        }
        paths
    }
}

/// As root this may read a file that a user put there: a device has no end, and
/// a pipe may never have a writer.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let wrong = |what| Err(io::Error::new(io::ErrorKind::InvalidData, what));
    let file = fs::File::options()
        .read(true)
        .custom_flags(OFlags::NONBLOCK.bits() as i32)
        .open(path)?;
    let meta = file.metadata()?;
    if !meta.is_file() {
        return wrong("is not a regular file");
    }
    if meta.len() > MAX_BYTES {
        return wrong("is too large");
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The manifest that an installation of the other scope made for the same user.
pub fn other(target: &Target) -> Option<PathBuf> {
    let home = &target.account.home;
    let folder = match target.is_system() {
        false => PathBuf::from(SYSTEM_FOLDER),
        true if !target.is_systemd() => home.join("Library/Application Support/headspace"),
        true => home.join(".config/headspace"),
    };
    let manifest = Manifest::read(&folder).ok().flatten()?;
    (manifest.user == target.account.name).then(|| Manifest::path(&folder))
}

/// Where the service that was installed for this user keeps its data; the machine's
/// service, if there are both.
pub fn state_of_service() -> Option<PathBuf> {
    let home = std::env::var_os("HOME")
        .map(PathBuf::from)
        .unwrap_or_default();
    let own = match cfg!(target_os = "macos") {
        true => home.join("Library/Application Support/headspace"),
        false => home.join(".config/headspace"),
    };
    let folders = [PathBuf::from(SYSTEM_FOLDER), own];
    let mut written = folders
        .iter()
        .filter_map(|folder| Manifest::read(folder).ok().flatten());
    let first = written.next()?;
    let us = account::this_user().ok()?.name;
    let found = [first].into_iter().chain(written);
    let mut found = found.filter(|manifest| manifest.user == us);
    found.next().map(|manifest| manifest.state)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_manifest_is_refused_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let refused = || Manifest::read(dir.path()).unwrap_err().to_string();
        assert_eq!(Manifest::read(dir.path()), Ok(None));
        let path = Manifest::path(dir.path());
        std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
        assert!(refused().contains("is not a regular file"), "{}", refused());
        fs::remove_file(&path).unwrap();
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, mode).unwrap();
        assert!(refused().contains("is not a regular file"), "{}", refused());
        fs::remove_file(&path).unwrap();
        fs::write(&path, "[]").unwrap();
        let message = refused();
        assert!(
            message.contains("is not what an installation wrote"),
            "{message}"
        );
        let manifest = Manifest::default();
        fs::write(&path, manifest.text()).unwrap();
        assert_eq!(Manifest::read(dir.path()), Ok(Some(manifest)));
    }
}
