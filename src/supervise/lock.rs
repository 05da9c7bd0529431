//! One watcher per state folder.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Read, Seek, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

/// Held as long as the process lives; the kernel releases it however it exits.
pub struct Lock {
    _file: File,
}

/// The process that holds the lock.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Holder {
    /// A living process, and for how long, by the time in the file.
    Process {
        pid: i64,
        age_seconds: f64,
    },
    Free,
    /// The file cannot be read.
    Unknown,
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
        match lock_with_retries(&file) {
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

impl Holder {
    /// Tries the lock on a descriptor of its own and gives it back at once.
    pub fn of(folder: &Path) -> Holder {
        let path = folder.join("watcher.lock");
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Holder::Free,
            Err(_) => return Holder::Unknown,
        };
        match file.try_lock_shared() {
            Ok(()) => Holder::Free,
            Err(TryLockError::WouldBlock) => Holder::named_in(&path),
            Err(TryLockError::Error(_)) => Holder::Unknown,
        }
    }

    fn named_in(path: &Path) -> Holder {
        let text = fs::read_to_string(path).unwrap_or_default();
        let changed = fs::metadata(path).and_then(|meta| meta.modified()).ok();
        let age = changed.and_then(|at| SystemTime::now().duration_since(at).ok());
        Holder::Process {
            // It has the lock and did not write its number yet.
            pid: text.trim().parse().unwrap_or(0),
            age_seconds: age.unwrap_or_default().as_secs_f64(),
        }
    }

    /// The holder's pid, if it is known.
    pub fn pid(self) -> Option<i64> {
        match self {
            Holder::Process { pid, .. } if pid > 0 => Some(pid),
            _ => None,
        }
    }
}

/// `/health` probes the lock for an instant; a watcher keeps it.
fn lock_with_retries(file: &File) -> Result<(), TryLockError> {
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
    fn the_second_watcher_is_refused_with_the_pid_of_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let first = Lock::take(dir.path()).unwrap();
        let Err(LockError::Held { pid, .. }) = Lock::take(dir.path()) else {
            panic!("two watchers on one folder");
        };
        assert_eq!(pid, std::process::id().to_string());
        drop(first);
        assert!(Lock::take(dir.path()).is_ok());
    }

    #[test]
    fn the_lock_has_a_holder_as_long_as_that_lives() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Holder::of(dir.path()), Holder::Free);
        let lock = Lock::take(dir.path()).unwrap();
        let Holder::Process { pid, age_seconds } = Holder::of(dir.path()) else {
            panic!("it is held");
        };
        assert!(pid == i64::from(std::process::id()) && age_seconds < 60.0);
        drop(lock);
        assert_eq!(Holder::of(dir.path()), Holder::Free);
        let elsewhere = dir.path().join("watcher.lock/x");
        assert_eq!(Holder::of(&elsewhere), Holder::Unknown);
    }
}
