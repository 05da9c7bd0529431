//! What was installed, so that it can be undone, and nothing else.
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

use super::{InstallRefused, Scope};

pub const NAME: &str = "installed.json";

/// Of a system service, on every system.
pub const SYSTEM_FOLDER: &str = "/etc/headspace";

/// Far more than one that we wrote.
const MAX_BYTES: u64 = 1 << 20;

/// In a hash's place, for what holds a secret: not even its hash is told.
pub const SECRET: &str = "secret";

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Manifest {
    /// The program that wrote it.
    pub version: String,
    pub user: String,
    /// Where the data is; it outlives the service unless it is asked to go.
    pub state: PathBuf,
    pub run: PathBuf,
    pub database: String,
    /// What the services are told, chosen at one of the installations.
    pub environment: BTreeMap<String, String>,
    /// The folders that were made, parents first.
    pub folders: Vec<PathBuf>,
    /// What was written, with its SHA-256. While an installation is on its way,
    /// a path may stand here with what it had and what it is going to have.
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
            Ok(bytes) => match serde_json::from_slice(&bytes) {
                Ok(manifest) => Ok(Some(manifest)),
                Err(error) => Err(refused(format!(
                    "is not what an installation wrote: {error}"
                ))),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(refused(error.to_string())),
        }
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut text = serde_json::to_string_pretty(self).expect("a manifest is plain JSON");
        text.push('\n');
        text.into_bytes()
    }

    pub fn has(&self, path: &Path) -> bool {
        self.files.iter().any(|(written, _)| written == path)
    }

    pub fn wrote(&self, path: &Path, sha256: &str) -> bool {
        self.files
            .iter()
            .any(|(written, hash)| written == path && (hash == sha256 || hash == SECRET))
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

/// As root this reads what a user may have put there: a device has no end, and
/// nobody may ever write into a pipe.
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

/// The manifest that the other kind of installation made for the same user.
pub fn other(scope: Scope, user: &str, home: &Path) -> Option<PathBuf> {
    let folder = match scope {
        Scope::User => PathBuf::from(SYSTEM_FOLDER),
        Scope::System if cfg!(target_os = "macos") => {
            home.join("Library/Application Support/headspace")
        }
        Scope::System => home.join(".config/headspace"),
    };
    let manifest = Manifest::read(&folder).ok().flatten()?;
    (manifest.user == user).then(|| Manifest::path(&folder))
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
        assert!(
            refused().contains("is not what an installation wrote"),
            "{}",
            refused()
        );
        let manifest = Manifest::default();
        fs::write(&path, manifest.bytes()).unwrap();
        assert_eq!(Manifest::read(dir.path()), Ok(Some(manifest)));
    }
}
