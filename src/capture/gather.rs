//! From a pick to a batch: what its files have that is new.
//!
//! In: a [`Pick`] of files, in the order in which they are to be read.
//! Out: a [`Batch`]: as much of them as one transaction takes.
//!
//! Promises
//! - what a batch has no room for is picked again, in the same order: a session is read
//!   before those that copied it, which are younger

use std::path::Path;

use crate::{
    dialect::{Place, spool::Terms},
    store::Segment,
    tail::Found,
};

use super::{
    backlog::Pick,
    clock::Now,
    positions::{Look, Portion},
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
}

impl Capture {
    /// The batch of the next pick; nothing if no file waits. An empty one is work done too.
    pub(super) fn next_batch(&mut self, now: Now) -> Option<Batch> {
        let pick = self.backlog.next(now.steady)?;
        Some(self.gather(&pick, now))
    }

    /// What the files of a pick have that is new, as much as one transaction
    /// takes; the others wait.
    fn gather(&mut self, pick: &Pick, now: Now) -> Batch {
        let mut batch = Batch::default();
        let (mut events, mut bytes) = (0, 0);
        let mut paths = pick.paths.iter();
        for path in paths.by_ref() {
            let Some(look) = self.look(path, pick, MAX_EVENTS - events, now) else {
                continue;
            };
            let Some(segment) = look.segment else {
                self.looked(path, &look.found, now);
                continue;
            };
            // A file seen under two names while it is moved has one checkpoint:
            // the second name waits for what the first one stores.
            let mut others = batch.segments.iter();
            if others.any(|other| other.checkpoint_path() == segment.checkpoint_path()) {
                self.backlog.queue.push_more(path.clone());
                continue;
            }
            events += segment.events();
            bytes += segment.bytes();
            batch.segments.push(segment);
            batch.found.push(look.found);
            if events >= MAX_EVENTS || bytes >= MAX_BYTES {
                break;
            }
        }
        // Each goes to the front of those that wait.
        for path in paths.rev() {
            self.backlog.queue.push_more(path.clone());
        }
        batch
    }

    fn look(&mut self, path: &Path, pick: &Pick, max_events: usize, now: Now) -> Option<Look> {
        let place = self.discovery.place(path);
        if place == Place::Nothing {
            return None;
        }
        let one_by_one = self.backlog.quarantine.holds(path);
        let portion = Portion {
            max_events: if one_by_one { 1 } else { max_events },
            max_line_bytes: self.options.max_line_bytes,
            alone: pick.paths.len() == 1,
            take_tail: pick.take_tail || self.options.once,
            archive: self.options.archive,
            evidence: self.options.evidence,
        };
        let discovery = &self.discovery;
        let terms = Terms {
            now: now.timestamp(),
            hooks: self.options.hooks,
            watched: discovery.watched(),
            transcript: &|named| discovery.transcript(named),
        };
        let read = self.positions.look(path, place, portion, now, terms);
        self.discovery.note_read(path, read)
    }
}
