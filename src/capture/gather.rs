//! From a pick to a batch: what its files have that is new.
//!
//! In: a [`Pick`] of files, in the order in which they are to be read.
//! Out: a [`Batch`]: as much of them as one transaction takes.
//!
//! ```text
//! Pick ── Order ─▶ read, here or on another thread ─▶ Looks ─▶ Batch
//! ```
//!
//! While one batch of what is old is stored, the next one is read behind it.
//!
//! Promises
//! - what a batch has no room for is picked again, in the same order: a session is read
//!   before those that copied it, which are younger
//! - what was read ahead is stored next, or read again: never before what precedes it

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::{
    dialect::{Place, spool::Terms},
    store::Segment,
    tail::Found,
};

use super::{
    backlog::Pick,
    clock::Now,
    positions::{Look, Portion, Positions},
    run::Capture,
};

/// Entries that share a transaction while catching up: more take more memory, and no
/// less time.
const MAX_EVENTS: usize = 512;
/// Bytes that are read for one.
const MAX_BYTES: u64 = 2 * 1024 * 1024;

/// What is stored together.
#[derive(Default)]
pub struct Batch {
    pub segments: Vec<Segment>,
    /// What was found in the file of each.
    pub found: Vec<Found>,
    /// Files with nothing to store, and what was found in them.
    pub seen: Vec<(PathBuf, Found)>,
}

/// Files to read for a batch.
pub struct Order {
    files: Vec<(PathBuf, Place)>,
    portion: Portion,
    now: Now,
}

/// What was found in them.
pub struct Looks {
    looks: Vec<(PathBuf, io::Result<Look>)>,
    /// There was no room for these.
    rest: Vec<PathBuf>,
}

impl Capture {
    /// The next batch; nothing if no file waits. An empty one is work done too.
    pub(super) fn next_batch(&mut self, now: Now) -> Option<Batch> {
        if let Some(batch) = self.next.take() {
            return Some(batch);
        }
        let pick = self.backlog.next(now.steady)?;
        let order = self.order(pick, now);
        let discovery = &self.discovery;
        let terms = Terms {
            now: now.timestamp(),
            hooks: self.options.hooks,
            watched: discovery.watched(),
            transcript: &|named| discovery.transcript(named),
        };
        let looks = order.read(&mut self.positions, Some(terms));
        Some(self.batch(looks))
    }

    /// What can be read while a batch is stored: transcripts of the backlog, if none waits
    /// that is live.
    pub(super) fn order_ahead(&mut self, batch: &Batch, now: Now) -> Option<Order> {
        if !self.backlog.quarantine.is_empty() || !batch.may_be_read_behind() {
            return None;
        }
        for (segment, found) in batch.segments.iter().zip(&batch.found).rev() {
            if found.more {
                let path = PathBuf::from(&segment.path);
                self.backlog.queue.push_more(path);
            }
        }
        let discovery = &self.discovery;
        let is_spool = |path: &Path| discovery.place(path) == Place::Spool;
        let pick = self.backlog.next_old(is_spool)?;
        if !self.ahead.is_there() {
            self.wait_again(pick.paths);
            return None;
        }
        for segment in &batch.segments {
            self.positions.taken(segment);
        }
        Some(self.order(pick, now))
    }

    /// What was read ahead is read again, when what comes before it is stored.
    pub(super) fn give_back(&mut self) {
        self.positions.give_back();
        // None was read ahead: no file is read again.
        let Batch { segments, seen, .. } = self.next.take().unwrap_or_default();
        let segments = segments.into_iter().map(|segment| segment.path.into());
        let seen = seen.into_iter().map(|(path, _)| path);
        self.wait_again(segments.chain(seen).collect());
    }

    /// In front of all that wait, in this order.
    fn wait_again(&mut self, paths: Vec<PathBuf>) {
        for path in paths.into_iter().rev() {
            self.backlog.queue.push_more(path);
        }
    }

    fn order(&self, pick: Pick, now: Now) -> Order {
        let one_by_one = pick
            .paths
            .iter()
            .any(|path| self.backlog.quarantine.holds(path));
        let portion = Portion {
            max_events: if one_by_one { 1 } else { MAX_EVENTS },
            max_line_bytes: self.options.max_line_bytes,
            alone: pick.alone,
            take_tail: pick.take_tail || self.options.once,
            archive: self.options.archive,
            evidence: self.options.evidence,
        };
        let files = pick.paths.into_iter().map(|path| {
            let place = self.discovery.place(&path);
            (path, place)
        });
        Order {
            files: files
                .filter(|(_, place)| *place != Place::Nothing)
                .collect(),
            portion,
            now,
        }
    }

    pub(super) fn batch(&mut self, looks: Looks) -> Batch {
        let mut batch = Batch::default();
        for (path, look) in looks.looks {
            let Some(look) = self.discovery.note_read(&path, look) else {
                continue;
            };
            match look.segment {
                Some(segment) => {
                    batch.segments.push(segment);
                    batch.found.push(look.found);
                }
                None => batch.seen.push((path, look.found)),
            }
        }
        self.wait_again(looks.rest);
        batch
    }
}

impl Batch {
    /// Whether the next batch may be read before this one is stored. Not where the store may
    /// find that a file stands elsewhere; nor beside a line that is larger than a batch, for
    /// there is no room for two of them.
    fn may_be_read_behind(&self) -> bool {
        self.segments.iter().all(|segment| {
            let is_plain = segment.moved_from.is_none() && !segment.rewritten;
            is_plain && segment.bytes() <= 2 * MAX_BYTES
        })
    }
}

impl Order {
    /// What the files have that is new, as much as one transaction takes. Terms are for
    /// files of the spool.
    pub fn read(self, positions: &mut Positions, terms: Option<Terms<'_>>) -> Looks {
        let (mut events, mut bytes) = (0, 0);
        let mut read = Looks {
            looks: Vec::new(),
            rest: Vec::new(),
        };
        let mut files = self.files.into_iter();
        for (path, place) in files.by_ref() {
            let portion = Portion {
                max_events: self.portion.max_events.min(MAX_EVENTS - events),
                ..self.portion
            };
            let look = positions.look(&path, place, portion, self.now, terms);
            if let Some(segment) = segment_of(&look) {
                // A file seen under two names while it is moved has one checkpoint:
                // the second name waits for what the first one stores.
                let mut others = read.looks.iter().filter_map(|(_, look)| segment_of(look));
                if others.any(|other| other.checkpoint_path() == segment.checkpoint_path()) {
                    read.rest.push(path);
                    continue;
                }
                events += segment.events();
                bytes += segment.bytes();
            }
            read.looks.push((path, look));
            if events >= MAX_EVENTS || bytes >= MAX_BYTES {
                break;
            }
        }
        read.rest.extend(files.map(|(path, _)| path));
        read
    }
}

fn segment_of(look: &io::Result<Look>) -> Option<&Segment> {
    look.as_ref().ok()?.segment.as_ref()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tail::Position;

    fn segment(bytes: u64) -> Segment {
        let at = |offset| Position {
            offset,
            identity: String::new(),
        };
        Segment {
            path: "a".into(),
            moved_from: None,
            before: at(7),
            after: at(7 + bytes),
            rewritten: false,
            entries: Vec::new(),
            pieces: Vec::new(),
        }
    }

    #[test]
    fn nothing_is_read_behind_a_huge_line_or_a_file_that_may_stand_elsewhere() {
        let may = |segment: Segment| {
            let segments = vec![self::segment(1), segment];
            let batch = Batch {
                segments,
                ..Batch::default()
            };
            batch.may_be_read_behind()
        };
        assert!(may(segment(2 * MAX_BYTES)));
        assert!(!may(segment(2 * MAX_BYTES + 1)));
        let moved_from = Some("b".into());
        assert!(!may(Segment {
            moved_from,
            ..segment(1)
        }));
        assert!(!may(Segment {
            rewritten: true,
            ..segment(1)
        }));
    }
}
