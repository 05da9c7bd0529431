//! The shell supervisor, `packaging/run-watcher.sh`, as its pid file shows it.

use std::{fs, path::Path};

use jiff::Timestamp;
use rustix::{
    io::Errno,
    process::{Pid, test_kill_process},
};

/// A supervisor that lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShellSupervisor {
    pub pid: i64,
    /// The watcher it started last.
    pub watcher: i64,
    pub restarts: i64,
    /// When it started that.
    pub since: Option<Timestamp>,
}

/// Reads `<run>/watcher.pid`: its pid, the watcher's, restarts, last start.
pub fn supervisor(run: &Path) -> Option<ShellSupervisor> {
    let line = fs::read_to_string(run.join("watcher.pid")).ok()?;
    let mut numbers = line.split_whitespace().map(|word| word.parse().ok());
    let mut number = || numbers.next().flatten();
    let (pid, watcher, restarts) = (number()?, number()?, number()?);
    let since = number().and_then(|seconds| Timestamp::from_second(seconds).ok());
    is_alive(pid).then_some(ShellSupervisor {
        pid,
        watcher,
        restarts,
        since,
    })
}

/// Being forbidden to signal a process proves that there is one.
fn is_alive(pid: i64) -> bool {
    let pid = i32::try_from(pid).ok().filter(|pid| *pid > 0);
    let pid = pid.and_then(Pid::from_raw);
    pid.is_some_and(|pid| matches!(test_kill_process(pid), Ok(()) | Err(Errno::PERM)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_supervisor_counts_while_it_is_alive() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(supervisor(dir.path()), None);
        let write = |text: String| fs::write(dir.path().join("watcher.pid"), text).unwrap();
        write(format!("{} 12 3 1795230000\n", std::process::id()));
        let alive = ShellSupervisor {
            pid: i64::from(std::process::id()),
            watcher: 12,
            restarts: 3,
            since: "2026-11-21T03:00:00Z".parse().ok(),
        };
        assert_eq!(supervisor(dir.path()), Some(alive));
        let mut gone = std::process::Command::new("true").spawn().unwrap();
        gone.wait().unwrap();
        write(format!("{} 12 3 1795230000\n", gone.id()));
        assert_eq!(supervisor(dir.path()), None);
        for text in ["nonsense", "1 x 3", "-5 1 1 1", "99999999999 1 1 1"] {
            write(text.into());
            assert_eq!(supervisor(dir.path()), None, "{text}");
        }
    }
}
