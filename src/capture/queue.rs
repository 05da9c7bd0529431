//! Which file is looked at next: what is live before what is old.

use std::{
    collections::{HashMap, VecDeque},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// A last line without its newline is taken as it is after this long.
pub const TAIL_PATIENCE: Duration = Duration::from_secs(2);

#[derive(Default)]
pub struct Queue {
    live: VecDeque<PathBuf>,
    backlog: VecDeque<(PathBuf, u64)>,
    /// Where each waiting file stands. One that became live while it stood in
    /// the backlog is passed over there.
    queued: HashMap<PathBuf, Lane>,
    /// Files that end with a whole record without newline, and when to take it.
    tails: HashMap<PathBuf, Instant>,
    /// Files to leave alone, and until when.
    held: HashMap<PathBuf, Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lane {
    Live,
    Backlog,
}

impl Queue {
    /// A file that has just changed.
    pub fn push_live(&mut self, path: PathBuf) {
        if self.enters_live(&path) {
            self.live.push_back(path);
        }
    }

    /// A file that is not done yet goes on where it was.
    pub fn push_front(&mut self, path: PathBuf) {
        if self.enters_live(&path) {
            self.live.push_front(path);
        }
    }

    /// A file with more to read yields to the live ones.
    pub fn push_more(&mut self, path: PathBuf) {
        if self.enters_backlog(&path) {
            self.backlog.push_front((path, 0));
        }
    }

    /// A file of which about so many bytes are to be read.
    pub fn push_backlog(&mut self, path: PathBuf, bytes: u64) {
        if self.enters_backlog(&path) {
            self.backlog.push_back((path, bytes));
        }
    }

    /// Leaves a file alone until then; it waits in no lane meanwhile.
    pub fn hold(&mut self, path: PathBuf, until: Instant) {
        self.queued.remove(&path);
        self.held.insert(path, until);
    }

    /// A file that was left alone for long enough.
    pub fn pop_held(&mut self, now: Instant) -> Option<PathBuf> {
        let path = self
            .held
            .iter()
            .find(|(_, until)| **until <= now)?
            .0
            .clone();
        self.held.remove(&path);
        Some(path)
    }

    pub fn next_held(&self) -> Option<Instant> {
        self.held.values().min().copied()
    }

    fn enters_live(&mut self, path: &Path) -> bool {
        !self.held.contains_key(path)
            && self.queued.insert(path.to_owned(), Lane::Live) != Some(Lane::Live)
    }

    fn enters_backlog(&mut self, path: &Path) -> bool {
        if self.held.contains_key(path) || self.queued.contains_key(path) {
            return false;
        }
        self.queued.insert(path.to_owned(), Lane::Backlog);
        true
    }

    /// A live file, if there is one.
    pub fn pop_live(&mut self) -> Option<PathBuf> {
        loop {
            let path = self.live.pop_front()?;
            if self.queued.get(&path) == Some(&Lane::Live) {
                self.queued.remove(&path);
                return Some(path);
            }
        }
    }

    pub fn has_live(&self) -> bool {
        !self.live.is_empty()
    }

    pub fn pop_backlog(&mut self) -> Option<PathBuf> {
        loop {
            let (path, _) = self.backlog.pop_front()?;
            if self.queued.get(&path) == Some(&Lane::Backlog) {
                self.queued.remove(&path);
                return Some(path);
            }
        }
    }

    /// Bytes of the backlog that no look has counted yet.
    pub fn bytes(&self) -> u64 {
        self.backlog.iter().map(|(_, bytes)| bytes).sum()
    }

    /// The file's unfinished line was seen to be whole, or no longer.
    pub fn note_tail(&mut self, path: &Path, is_whole: bool, now: Instant) {
        if is_whole {
            self.tails.insert(path.to_owned(), now + TAIL_PATIENCE);
        } else {
            self.tails.remove(path);
        }
    }

    /// A file with a whole last line that has waited long enough for its newline.
    pub fn pop_tail(&mut self, now: Instant) -> Option<PathBuf> {
        let path = self.tails.iter().find(|(_, due)| **due <= now)?.0.clone();
        self.tails.remove(&path);
        Some(path)
    }

    pub fn next_tail(&self) -> Option<Instant> {
        self.tails.values().min().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn live_files_come_first_and_each_stands_once() {
        let mut queue = Queue::default();
        queue.push_backlog("old".into(), 10);
        queue.push_live("new".into());
        queue.push_live("new".into());
        assert_eq!(queue.pop_live(), Some("new".into()));
        assert_eq!(queue.pop_live(), None);
        assert_eq!(queue.bytes(), 10);
        queue.push_live("old".into());
        assert_eq!(queue.pop_live(), Some("old".into()));
        assert_eq!((queue.pop_live(), queue.pop_backlog()), (None, None));
    }

    #[test]
    fn a_file_of_the_backlog_that_changes_overtakes_the_rest_of_it() {
        let mut queue = Queue::default();
        for name in ["a", "b", "c"] {
            queue.push_backlog(name.into(), 1);
        }
        queue.push_live("c".into());
        queue.push_more("c".into());
        let order = [queue.pop_live(), queue.pop_backlog(), queue.pop_backlog()];
        assert_eq!(
            order,
            [Some("c".into()), Some("a".into()), Some("b".into())]
        );
        queue.push_backlog("c".into(), 1);
        assert_eq!(queue.pop_backlog(), Some("c".into()));
        assert_eq!(queue.pop_backlog(), None);
    }

    #[test]
    fn a_held_file_waits_alone_and_holds_up_no_other() {
        let now = Instant::now();
        let until = now + Duration::from_secs(1);
        let mut queue = Queue::default();
        queue.push_live("a".into());
        queue.push_live("b".into());
        queue.hold("a".into(), until);
        queue.push_front("a".into());
        queue.push_more("a".into());
        assert_eq!(queue.pop_live(), Some("b".into()));
        assert_eq!((queue.pop_live(), queue.pop_backlog()), (None, None));
        assert_eq!(
            (queue.pop_held(now), queue.next_held()),
            (None, Some(until))
        );
        assert_eq!(queue.pop_held(until), Some("a".into()));
        queue.push_live("a".into());
        assert_eq!(queue.pop_live(), Some("a".into()));
        assert_eq!((queue.pop_live(), queue.next_held()), (None, None));
    }

    #[test]
    fn a_tail_waits_and_is_forgotten_when_it_changes() {
        let now = Instant::now();
        let mut queue = Queue::default();
        queue.note_tail(Path::new("a"), true, now);
        assert_eq!(queue.pop_tail(now), None);
        queue.note_tail(Path::new("b"), true, now);
        queue.note_tail(Path::new("b"), false, now);
        assert_eq!(queue.pop_tail(now + TAIL_PATIENCE), Some("a".into()));
        assert_eq!(queue.next_tail(), None);
    }
}
