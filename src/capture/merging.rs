//! Which files' small pieces are merged, and when: pure.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use crate::store::Segment;

#[derive(Default)]
pub struct Merging {
    /// Files that grew piece by piece, and when they last did.
    grown: HashMap<PathBuf, Instant>,
    /// What an earlier watcher left was looked for.
    is_looked_for: bool,
}

impl Merging {
    /// A segment was stored. What a file begins with has no neighbour yet.
    pub fn stored(&mut self, segment: &Segment, now: Instant) {
        if !segment.pieces.is_empty() && segment.before.offset > 0 {
            self.grown.insert(PathBuf::from(&segment.path), now);
        }
    }

    /// Whether it is time to look for what an earlier watcher left: once.
    pub fn looks_for_more(&mut self) -> bool {
        !std::mem::replace(&mut self.is_looked_for, true)
    }

    pub fn found(&mut self, paths: impl IntoIterator<Item = String>, now: Instant) {
        for path in paths {
            self.grown.entry(path.into()).or_insert(now);
        }
    }

    /// A file that did not grow for so long.
    pub fn due(&self, now: Instant, quiet: Duration) -> Option<&Path> {
        let due = |at: &Instant| now.duration_since(*at) >= quiet;
        let (path, _) = self.grown.iter().find(|(_, at)| due(at))?;
        Some(path)
    }

    pub fn next_due(&self, quiet: Duration) -> Option<Instant> {
        self.grown.values().min().map(|at| *at + quiet)
    }

    /// Nothing of a file is left to merge.
    pub fn done(&mut self, path: &Path) {
        self.grown.remove(path);
    }

    /// It cannot be done now; what grows from here on is tried again.
    pub fn give_up(&mut self) {
        self.grown.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{archive::Piece, tail::Position};

    fn segment(path: &str, from: u64, pieces: usize) -> Segment {
        let at = |offset| Position {
            offset,
            identity: String::new(),
        };
        let piece = Piece {
            offset: from,
            length: 1,
            content: Vec::new(),
        };
        Segment {
            path: path.into(),
            moved_from: None,
            before: at(from),
            after: at(from + 1),
            rewritten: false,
            entries: Vec::new(),
            pieces: vec![piece; pieces],
        }
    }

    #[test]
    fn a_file_is_due_when_it_was_quiet_for_long_enough() {
        let (start, quiet) = (Instant::now(), Duration::from_secs(60));
        let later = start + quiet;
        let mut merging = Merging::default();
        merging.stored(&segment("new", 0, 1), start);
        merging.stored(&segment("nothing kept", 9, 0), start);
        assert_eq!(merging.next_due(quiet), None);
        merging.stored(&segment("a", 9, 1), start);
        assert_eq!(merging.next_due(quiet), Some(later));
        assert_eq!(merging.due(later, quiet), Some(Path::new("a")));
        merging.stored(&segment("a", 10, 1), later);
        assert_eq!(merging.due(later, quiet), None);
        merging.found(["a".to_owned(), "b".to_owned()], start);
        assert_eq!(merging.due(later, quiet), Some(Path::new("b")));
        merging.done(Path::new("b"));
        assert_eq!(merging.next_due(quiet), Some(later + quiet));
    }

    #[test]
    fn what_an_earlier_watcher_left_is_looked_for_once() {
        let mut merging = Merging::default();
        assert!(merging.looks_for_more());
        assert!(!merging.looks_for_more());
    }
}
