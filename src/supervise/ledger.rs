//! The restart ledger: at most so many restarts in any minute.
//!
//! systemd counts in windows that begin anew, launchd does not count at all, so
//! the watcher counts for itself. It writes down that it runs; a start that
//! still finds that written follows a crash.

use std::{
    fs, io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// How long a restart counts, in seconds.
pub const WINDOW: u64 = 60;

/// Kept while the process runs; [`Ledger::close`] at an orderly exit.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    restarts: Vec<u64>,
}

/// More restarts than are allowed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "crash limit reached: {restarts} restarts in {WINDOW} s are used up; find the cause in the \
     log above, then start it again"
)]
pub struct CrashLimit {
    pub restarts: u32,
}

impl Ledger {
    /// Notes a start at `now`, in seconds since 1970. Reaching the limit empties
    /// the ledger: no manager restarts the process after that, a person does.
    pub fn open(folder: &Path, now: u64, limit: u32) -> Result<Ledger, CrashLimit> {
        let path = folder.join("restarts");
        let before = fs::read_to_string(&path).unwrap_or_default();
        let Some(restarts) = restarts_after(&before, now, limit) else {
            write(&path, &[], false);
            return Err(CrashLimit { restarts: limit });
        };
        write(&path, &restarts, true);
        Ok(Ledger { path, restarts })
    }

    /// Notes that this exit is no crash.
    pub fn close(self) {
        write(&self.path, &self.restarts, false);
    }

    /// How many restarts count at the moment of this start.
    pub fn restarts(&self) -> usize {
        self.restarts.len()
    }
}

/// How many restarts count now; changes nothing.
pub fn restarts_lately(folder: &Path, now: u64) -> usize {
    let text = fs::read_to_string(folder.join("restarts")).unwrap_or_default();
    counting(&text, now).len()
}

/// The restarts that count with this start; nothing if it is one too many. The
/// text holds a time a line, and `running` where no orderly exit was noted.
/// A time in the future means that the clock was set back: it counts as now.
fn restarts_after(text: &str, now: u64, limit: u32) -> Option<Vec<u64>> {
    let mut restarts = counting(text, now);
    if text.lines().any(|line| line == "running") {
        if restarts.len() >= limit as usize {
            return None;
        }
        restarts.push(now);
    }
    Some(restarts)
}

fn counting(text: &str, now: u64) -> Vec<u64> {
    text.lines()
        .filter_map(|line| line.parse().ok())
        .map(|at: u64| at.min(now))
        // Whole seconds, rounded down: only more than the window is surely a whole one.
        .filter(|at| now - at <= WINDOW)
        .collect()
}

/// The ledger must not keep the watcher from its work, so a failure is only logged.
fn write(path: &Path, restarts: &[u64], running: bool) {
    if let Err(error) = replace(path, restarts, running) {
        let path = path.display();
        tracing::warn!(%path, %error, "cannot note the restarts in {path}: {error}");
    }
}

/// Renamed into place: a crash in between must not forget the crashes before.
fn replace(path: &Path, restarts: &[u64], running: bool) -> io::Result<()> {
    let mut text: String = restarts.iter().map(|at| format!("{at}\n")).collect();
    if running {
        text.push_str("running\n");
    }
    let new = path.with_extension("new");
    let mut file = fs::File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)?;
    io::Write::write_all(&mut file, text.as_bytes())?;
    fs::rename(&new, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What five restarts a minute make of crashes at these times.
    fn crashes(times: &[u64]) -> Vec<bool> {
        let dir = tempfile::tempdir().unwrap();
        Ledger::open(dir.path(), times[0], 5).unwrap();
        let starts = times[1..].iter();
        starts
            .map(|&now| Ledger::open(dir.path(), now, 5).is_ok())
            .collect()
    }

    #[test]
    fn the_sixth_crash_within_a_minute_is_the_last() {
        assert_eq!(
            crashes(&[0, 1, 2, 3, 4, 5, 6]),
            [true, true, true, true, true, false]
        );
        assert!(!crashes(&[0, 1, 20, 30, 40, 59, 60])[5]);
    }

    #[test]
    fn the_minute_slides() {
        // A window from 0 to 60 and one from 60 on would each hold only four.
        assert_eq!(crashes(&[0, 40, 45, 50, 55, 61, 62]).last(), Some(&false));
        // The first has left the minute when the sixth comes.
        assert_eq!(crashes(&[0, 1, 20, 30, 40, 50, 62]).last(), Some(&true));
        assert_eq!(crashes(&[0, 1, 20, 30, 40, 50, 61]).last(), Some(&false));
        let slow: Vec<u64> = (0..100).map(|n| n * 13).collect();
        assert!(crashes(&slow).into_iter().all(|ok| ok));
    }

    #[test]
    fn orderly_ends_do_not_count_and_a_start_after_the_limit_does_not_either() {
        let dir = tempfile::tempdir().unwrap();
        for now in 0..20 {
            Ledger::open(dir.path(), now, 5).unwrap().close();
        }
        for now in 20..26 {
            Ledger::open(dir.path(), now, 5).unwrap();
        }
        let limit = Ledger::open(dir.path(), 26, 5).unwrap_err();
        assert_eq!(limit, CrashLimit { restarts: 5 });
        assert_eq!(Ledger::open(dir.path(), 27, 5).unwrap().restarts(), 0);
    }

    #[test]
    fn a_clock_set_back_and_garbage_do_no_harm() {
        assert_eq!(
            restarts_after("90\n95\nrunning\n", 10, 5),
            Some(vec![10; 3])
        );
        assert_eq!(restarts_after("x\n-1\n\u{0}", 10, 5), Some(vec![]));
        assert_eq!(restarts_after("running\n", 10, 0), None);
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("restarts")).unwrap();
        assert!(Ledger::open(dir.path(), 1, 5).is_ok());
    }

    #[test]
    fn counting_restarts_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(restarts_lately(dir.path(), 1000), 0);
        let path = dir.path().join("restarts");
        fs::write(&path, "900\n950\n1000\nrunning\n").unwrap();
        assert_eq!(restarts_lately(dir.path(), 1000), 2);
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            "900\n950\n1000\nrunning\n"
        );
    }
}
