//! What is read next: pure.
//!
//! In: files that changed, have more or were refused.
//! Out: one [`Pick`] at a time.
//!
//! Promises
//! - what was live before what is old; every file once
//! - a file of which something was refused is picked alone, and holds up no other
//!
//! Not here: finding the files (`discover`), reading them (`positions`).

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::{quarantine::Quarantine, queue::Queue};

/// Files that share a transaction while catching up.
const MAX_FILES: usize = 64;

#[derive(Default)]
pub struct Backlog {
    pub queue: Queue,
    pub quarantine: Quarantine,
}

/// Files to read now, for one transaction.
#[derive(Debug, PartialEq, Eq)]
pub struct Pick {
    pub paths: Vec<PathBuf>,
    /// No other file waits.
    pub alone: bool,
    /// A last line that lacks only its newline has waited for it long enough.
    pub take_tail: bool,
}

impl Backlog {
    /// Files that changed while the last transaction ran wait together, and go
    /// together: alone, each would wait for the flush of all before it.
    pub fn next(&mut self, now: Instant) -> Option<Pick> {
        let held = self.queue.pop_held(now).map(|path| vec![path]);
        let lanes = || {
            let live = self.gather(Queue::pop_live);
            live.or_else(|| self.gather(Queue::pop_backlog))
        };
        if let Some(paths) = held.or_else(lanes) {
            return Some(Pick {
                alone: paths.len() == 1,
                paths,
                take_tail: false,
            });
        }
        self.queue.pop_tail(now).map(|path| Pick {
            paths: vec![path],
            alone: true,
            take_tail: true,
        })
    }

    /// Files that are old, up to one of these, if none is live. They are read while others
    /// are stored.
    pub fn next_old(&mut self, is_end: impl Fn(&Path) -> bool) -> Option<Pick> {
        if self.queue.has_live() {
            return None;
        }
        let mut paths = Vec::new();
        while paths.len() < MAX_FILES
            && let Some(path) = self.queue.pop_backlog()
        {
            if is_end(&path) {
                self.queue.push_more(path);
                break;
            }
            paths.push(path);
        }
        (!paths.is_empty()).then_some(Pick {
            paths,
            alone: false,
            take_tail: false,
        })
    }

    /// When a file that waits will have waited long enough.
    pub fn next_due(&self) -> Option<Instant> {
        let due = [self.queue.next_tail(), self.queue.next_held()];
        due.into_iter().flatten().min()
    }

    /// The one event of a file was refused: it is tried again after `pause`.
    pub fn retry_later(&mut self, path: &Path, now: Instant, pause: Duration) {
        self.queue.hold(path.to_owned(), now + pause);
    }

    /// One of which something was refused goes alone: it must not take others
    /// with it.
    fn gather(&mut self, pop: fn(&mut Queue) -> Option<PathBuf>) -> Option<Vec<PathBuf>> {
        let mut paths = Vec::new();
        while paths.len() < MAX_FILES
            && let Some(path) = pop(&mut self.queue)
        {
            if self.quarantine.holds(&path) {
                if paths.is_empty() {
                    return Some(vec![path]);
                }
                self.queue.push_front(path);
                break;
            }
            paths.push(path);
        }
        (!paths.is_empty()).then_some(paths)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pick(paths: &[&str]) -> Option<Pick> {
        Some(Pick {
            paths: paths.iter().map(PathBuf::from).collect(),
            alone: paths.len() == 1,
            take_tail: false,
        })
    }

    #[test]
    fn a_refused_file_goes_alone_and_the_others_go_together() {
        let now = Instant::now();
        let mut backlog = Backlog::default();
        backlog.quarantine.refused(Path::new("bad"), 10);
        for name in ["a", "b", "bad", "c"] {
            backlog.queue.push_live(name.into());
        }
        backlog.queue.push_backlog("old".into(), 5);
        assert_eq!(backlog.next(now), pick(&["a", "b"]));
        assert_eq!(backlog.next(now), pick(&["bad"]));
        let pause = Duration::from_secs(1);
        backlog.retry_later(Path::new("bad"), now, pause);
        assert_eq!(backlog.next_due(), Some(now + pause));
        assert_eq!(backlog.next(now), pick(&["c"]));
        assert_eq!(backlog.next(now + pause), pick(&["bad"]));
        assert_eq!(backlog.next(now), pick(&["old"]));
        assert_eq!(backlog.next(now + pause), None);
    }

    #[test]
    fn what_is_live_is_not_read_ahead_and_holds_up_what_would_be() {
        let old = |paths: &[&str]| {
            pick(paths).map(|pick| Pick {
                alone: false,
                ..pick
            })
        };
        let is_end = |path: &Path| path == Path::new("spool");
        let mut backlog = Backlog::default();
        for name in ["a", "b", "spool", "c"] {
            backlog.queue.push_backlog(name.into(), 5);
        }
        backlog.queue.push_live("new".into());
        assert_eq!(backlog.next_old(is_end), None);
        assert_eq!(backlog.next(Instant::now()), pick(&["new"]));
        assert_eq!(backlog.next_old(is_end), old(&["a", "b"]));
        assert_eq!(backlog.next_old(is_end), None);
        assert_eq!(backlog.next(Instant::now()), pick(&["spool", "c"]));
    }

    #[test]
    fn a_whole_last_line_is_taken_when_nothing_else_waits() {
        let now = Instant::now();
        let mut backlog = Backlog::default();
        backlog.queue.note_tail(Path::new("a"), true, now);
        backlog.queue.push_live("b".into());
        let later = now + super::super::queue::TAIL_PATIENCE;
        assert_eq!(backlog.next(later), pick(&["b"]));
        let tail = Pick {
            paths: vec!["a".into()],
            alone: true,
            take_tail: true,
        };
        assert_eq!(backlog.next(later), Some(tail));
    }
}
