//! Whether a watcher lives: its lock and its supervisor here, its row anywhere.

use std::{
    fs::{self, File},
    path::Path,
    time::SystemTime,
};

use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
    process::{Pid, test_kill_process},
};

use crate::store::read::WatcherRow;

/// What is seen on this machine.
#[derive(Debug)]
pub struct Local {
    pub host: String,
    pub state_dir: String,
    pub lock: Lock,
    pub supervisor: Option<Supervisor>,
}

/// The lock a watcher holds while it lives.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Lock {
    /// By whom, and since when as far as the file tells.
    Held {
        pid: i64,
        age_seconds: f64,
    },
    Free,
    /// The file cannot be read.
    Unknown,
}

#[derive(Debug, PartialEq)]
pub struct Supervisor {
    pub restarts: i64,
}

/// A watcher's row, as far as its life is concerned.
#[derive(Debug, Clone)]
pub struct Beat {
    pub host: String,
    pub state_dir: String,
    pub pid: i64,
    pub started_at: String,
    pub age_seconds: f64,
    pub state: String,
    pub reason: Option<String>,
    pub failed_writes: i64,
    pub bytes_behind: i64,
}

impl Local {
    pub fn owns(&self, beat: &Beat) -> bool {
        beat.host == self.host && beat.state_dir == self.state_dir
    }
}

/// Tries the lock on a descriptor of its own and gives it back at once.
pub fn watcher_lock(state: &Path) -> Lock {
    let path = state.join("watcher.lock");
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Lock::Free,
        Err(_) => return Lock::Unknown,
    };
    match flock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Lock::Free,
        Err(Errno::WOULDBLOCK) => held(&path),
        Err(_) => Lock::Unknown,
    }
}

fn held(path: &Path) -> Lock {
    let pid = fs::read_to_string(path)
        .ok()
        .and_then(|text| text.trim().parse().ok());
    let changed = fs::metadata(path).and_then(|meta| meta.modified()).ok();
    let age = changed.and_then(|at| SystemTime::now().duration_since(at).ok());
    Lock::Held {
        pid: pid.unwrap_or(0),
        age_seconds: age.unwrap_or_default().as_secs_f64(),
    }
}

/// The shell supervisor's file: its pid, the watcher's, restarts, start time.
pub fn shell_supervisor(run: &Path) -> Option<Supervisor> {
    let line = fs::read_to_string(run.join("watcher.pid")).ok()?;
    let mut words = line.split_whitespace();
    let pid: i32 = words.next()?.parse().ok()?;
    let restarts = words.nth(1)?.parse().ok()?;
    is_alive(pid).then_some(Supervisor { restarts })
}

/// Being forbidden to signal a process proves that there is one.
fn is_alive(pid: i32) -> bool {
    Pid::from_raw(pid)
        .is_some_and(|pid| matches!(test_kill_process(pid), Ok(()) | Err(Errno::PERM)))
}

pub fn beat(row: WatcherRow, now: jiff::Timestamp) -> Beat {
    let at: Option<jiff::Timestamp> = row.beat_at.parse().ok();
    let age = at.map_or(f64::MAX, |at| now.duration_since(at).as_secs_f64());
    Beat {
        host: row.host,
        state_dir: row.state_dir,
        pid: row.pid,
        started_at: row.started_at,
        age_seconds: (age.max(0.0) * 10.0).round() / 10.0,
        state: row.state,
        reason: row.reason,
        failed_writes: row.failed_writes,
        bytes_behind: row.bytes_behind,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_is_held_as_long_as_its_holder_lives() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(watcher_lock(dir.path()), Lock::Free);
        fs::write(dir.path().join("watcher.lock"), "4321\n").unwrap();
        let holder = File::open(dir.path().join("watcher.lock")).unwrap();
        flock(&holder, FlockOperation::LockExclusive).unwrap();
        let Lock::Held { pid, age_seconds } = watcher_lock(dir.path()) else {
            panic!("held")
        };
        assert!(pid == 4321 && age_seconds < 60.0);
        drop(holder);
        assert_eq!(watcher_lock(dir.path()), Lock::Free);
    }

    #[test]
    fn a_supervisor_counts_while_it_is_alive() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(shell_supervisor(dir.path()), None);
        let write = |text: String| fs::write(dir.path().join("watcher.pid"), text).unwrap();
        write(format!("{} 12 3 1795230000\n", std::process::id()));
        assert_eq!(
            shell_supervisor(dir.path()),
            Some(Supervisor { restarts: 3 })
        );
        let mut gone = std::process::Command::new("true").spawn().unwrap();
        gone.wait().unwrap();
        write(format!("{} 12 3 1795230000\n", gone.id()));
        assert_eq!(shell_supervisor(dir.path()), None);
        write("nonsense".into());
        assert_eq!(shell_supervisor(dir.path()), None);
    }
}
