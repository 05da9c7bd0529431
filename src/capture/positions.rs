//! Where every file stands, and what was read behind that.
//!
//! In: files to read; which of it the store has.
//! Out: a [`Look`] at a time: what a file has that is new, as a segment.
//!
//! Promises
//! - a position moves when the store has the segment, or names another position
//! - behind a new connection nothing is believed before it was loaded

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use crate::{
    archive::{Keep, Packer, Piece},
    dialect::{
        Place,
        claude::{Batch, Context, Limits},
        spool::{Crossings, Intake, Terms},
    },
    event::{Entry, What},
    store::{CheckpointRow, Segment},
    tail::{self, Found, Position, Stretch, Tail},
};

use super::clock::Now;

#[derive(Default)]
pub struct Positions {
    tail: Tail,
    /// What the records said so far.
    context: Context,
    /// What hooks said so far of processes that go from session to session.
    crossings: Crossings,
    packer: Packer,
    /// Files whose rows come from an older version of reading.
    outdated: Vec<CheckpointRow>,
    /// The connection over which the checkpoints were loaded.
    loaded: Option<u64>,
}

/// What one file has that is new.
pub struct Look {
    pub found: Found,
    /// Nothing if there is nothing to store.
    pub segment: Option<Segment>,
}

/// How much one look may take.
#[derive(Debug, Clone, Copy)]
pub struct Portion {
    pub max_events: usize,
    pub max_line_bytes: u64,
    /// No other file waits.
    pub alone: bool,
    pub take_tail: bool,
    /// The bytes of transcripts are kept.
    pub archive: bool,
    /// Lines say what they show beside events.
    pub evidence: bool,
}

impl Positions {
    /// Whether they are those behind this connection.
    pub fn are_of(&self, connection: u64) -> bool {
        self.loaded == Some(connection)
    }

    pub fn are_loaded(&self) -> bool {
        self.loaded.is_some()
    }

    pub fn load(&mut self, rows: Vec<CheckpointRow>, connection: u64) {
        let outdated = rows.iter().filter(|row| row.is_outdated);
        self.outdated = outdated.cloned().collect();
        let positions = rows.into_iter().map(|row| (row.path.into(), row.position));
        self.tail.load(positions);
        self.context.forget_stored();
        self.loaded = Some(connection);
    }

    /// The store has this session.
    pub fn note_stored(&mut self, session: &str) {
        self.context.note_stored(session);
    }

    /// What lines of the spool register is stored before the lines of transcripts that are
    /// read after them.
    fn note_sessions(&mut self, entries: &[Entry]) {
        for entry in entries {
            if let What::Seen(seen) = &entry.what {
                self.context.note_stored(&seen.session_uuid);
            }
        }
    }

    /// Some of the files that are to be read once more.
    pub fn take_outdated(&mut self, most: usize) -> Vec<CheckpointRow> {
        let rest = self.outdated.len().saturating_sub(most);
        self.outdated.split_off(rest)
    }

    /// They are taken another time.
    pub fn put_back(&mut self, rows: impl IntoIterator<Item = CheckpointRow>) {
        self.outdated.extend(rows);
    }

    /// A file that is gone is read in this copy, from its checkpoint on.
    pub fn read_in(&mut self, path: &Path, copy: File) {
        self.tail.read_in(path, copy);
    }

    /// They must be loaded again.
    pub fn distrust(&mut self) {
        self.loaded = None;
    }

    /// Reads what is new in a file, as much as the portion allows.
    pub fn look(
        &mut self,
        path: &Path,
        place: Place,
        portion: Portion,
        now: Now,
        terms: Option<Terms<'_>>,
    ) -> io::Result<Look> {
        let limits = Limits {
            max_events: portion.max_events,
            max_line_bytes: portion.max_line_bytes,
            alone: portion.alone,
            evidence: portion.evidence,
            now: now.timestamp(),
        };
        let reading = tail::ReadLimits {
            max_line_bytes: portion.max_line_bytes,
            take_tail: portion.take_tail,
        };
        let terms = terms.filter(|_| place == Place::Spool);
        let (mut found, entries, pieces) = if let Some(terms) = terms {
            let mut intake = Intake::new(limits, terms, &mut self.crossings);
            let found = self.tail.read(path, &mut intake, reading, now.wall)?;
            let entries = intake.finish();
            self.note_sessions(&entries);
            (found, entries, Vec::new())
        } else {
            let batch = Batch::new(path, place, &mut self.context, limits);
            let mut keep = Keep::new(batch, portion.archive.then_some(&mut self.packer));
            let found = self.tail.read(path, &mut keep, reading, now.wall)?;
            let (batch, pieces) = keep.finish(found.stretch.as_ref())?;
            (found, batch.finish(), pieces)
        };
        let read = found.stretch.take();
        let segment = read.map(|read| segment(read, entries, pieces));
        Ok(Look { found, segment })
    }

    /// Gives back the memory that only reading needs.
    pub fn shrink(&mut self) {
        self.packer.shrink();
    }

    /// A segment is stored next: meanwhile what follows it can be read.
    pub fn taken(&mut self, segment: &Segment) {
        self.tail.taken(&stretch(segment));
    }

    /// What was taken and is not stored is read again.
    pub fn give_back(&mut self) {
        self.tail.give_back();
    }

    /// The store has a segment.
    pub fn committed(&mut self, segment: &Segment) {
        self.tail.committed(&stretch(segment));
    }

    /// The store has another position: read on from there.
    pub fn moved(&mut self, path: &Path, position: Position) {
        self.tail.moved(path, position);
    }

    pub fn tail(&self) -> &Tail {
        &self.tail
    }

    /// Repositories are described anew from here on.
    pub fn forget_repositories(&mut self) {
        self.context.forget_repositories();
    }

    /// Logs which records had types that are not known.
    pub fn log_unknown_types(&self) {
        let unknown = self.context.unknown();
        if !unknown.is_empty() {
            let (types, records) = (unknown.len(), unknown.values().sum::<u64>());
            tracing::info!(types, records, "records of unknown types were skipped");
            tracing::debug!(types = ?unknown, "unknown types");
        }
    }
}

/// What was read of a file, to be stored.
fn segment(read: Stretch, entries: Vec<Entry>, pieces: Vec<Piece>) -> Segment {
    let text = |path: PathBuf| path.to_string_lossy().into_owned();
    Segment {
        path: text(read.path),
        moved_from: read.moved_from.map(text),
        before: read.before,
        after: read.after,
        rewritten: read.rewritten,
        entries,
        pieces,
    }
}

/// The part of the file that a segment holds.
fn stretch(segment: &Segment) -> Stretch {
    Stretch {
        path: PathBuf::from(&segment.path),
        moved_from: segment.moved_from.as_ref().map(PathBuf::from),
        before: segment.before.clone(),
        after: segment.after.clone(),
        rewritten: segment.rewritten,
    }
}
