//! One watcher per state folder.

use std::{
    fs::{File, TryLockError},
    io::{self, Read, Seek, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

/// Held as long as the process lives; the kernel lets it go however it ends.
pub struct Lock {
    _file: File,
}

#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error(
        "another watcher (pid {pid}) works on {}: stop it first, or give this one its own --state-dir",
        folder.display()
    )]
    Held { pid: String, folder: PathBuf },
    #[error("cannot lock {}: {error}", path.display())]
    Failed { path: PathBuf, error: io::Error },
}

impl Lock {
    /// Takes `<folder>/watcher.lock` and writes our pid into it.
    pub fn take(folder: &Path) -> Result<Lock, LockError> {
        let path = folder.join("watcher.lock");
        let failed = |error| LockError::Failed {
            path: path.clone(),
            error,
        };
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;
        match patiently(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                // An unreadable pid only makes the message poorer.
                let _ = file.read_to_string(&mut pid);
                return Err(LockError::Held {
                    pid: pid.trim().into(),
                    folder: folder.into(),
                });
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let written = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        written.map_err(failed)?;
        Ok(Lock { _file: file })
    }
}

/// `/health` probes the lock for an instant; a watcher keeps it.
fn patiently(file: &File) -> Result<(), TryLockError> {
    for _ in 0..10 {
        match file.try_lock() {
            #[allow(
                clippy::disallowed_methods,
                reason = "nothing runs yet that could wake us"
            )]
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(20)),
            done => return done,
        }
    }
    file.try_lock()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_is_first() {
        let dir = tempfile::tempdir().unwrap();
        let first = Lock::take(dir.path()).unwrap();
        let Err(LockError::Held { pid, .. }) = Lock::take(dir.path()) else {
            panic!("two watchers on one folder");
        };
        assert_eq!(pid, std::process::id().to_string());
        drop(first);
        assert!(Lock::take(dir.path()).is_ok());
    }
}
