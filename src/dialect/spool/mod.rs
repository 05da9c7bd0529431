//! The intake spool's lines.
//!
//! ```text
//! Line → spool::Line → hook_received, and the session it was seen in
//! ```

mod again;
mod crossing;
mod meaning;

use std::{collections::HashSet, io, ops::ControlFlow};

use crate::{
    dialect::{Watched, claude::Limits, reject},
    event::{Entry, Timestamp, What},
    spool::SELF_TEST,
    tail::{Body as Bytes, Consumer, Line, Measured},
};
pub use again::line_of;
pub use crossing::Crossings;
use meaning::{mean, not_a_line, read};

/// A hook of 1 MiB, with what is written around it.
const MAX_LINE: u64 = 4 * 1024 * 1024;
/// One look at a segment holds about this much at most.
const READ_BYTES: u64 = 1024 * 1024;

/// What a line's meaning depends on beside the line.
#[derive(Clone, Copy)]
pub struct Terms<'a> {
    pub now: Timestamp,
    /// Hooks are taken in.
    pub hooks: bool,
    pub watched: &'a Watched,
    /// The transcript at a path that a hook names, if there is one that is read.
    pub transcript: &'a dyn Fn(&str) -> Option<String>,
}

/// Takes in the lines of a segment, as far as the limits allow.
pub struct Intake<'a> {
    limits: Limits,
    terms: Terms<'a>,
    crossings: &'a mut Crossings,
    /// Sessions that its lines registered.
    registered: HashSet<String>,
    entries: Vec<Entry>,
    lines: usize,
    read_bytes: u64,
}

impl<'a> Intake<'a> {
    pub fn new(limits: Limits, terms: Terms<'a>, crossings: &'a mut Crossings) -> Intake<'a> {
        Intake {
            limits,
            terms,
            crossings,
            registered: HashSet::new(),
            entries: Vec::new(),
            lines: 0,
            read_bytes: 0,
        }
    }

    pub fn finish(self) -> Vec<Entry> {
        self.entries
    }

    fn reject_long(&mut self, offset: u64, measured: &Measured, length: u64, reason: String) {
        let rejection = reject::long(measured, length, reason);
        self.push(offset, What::Rejected(rejection));
    }

    /// What is said of a session that is not watched is passed over.
    fn take(&mut self, offset: u64, mut whats: Vec<What>) {
        let events = whats.iter().filter_map(|what| match what {
            What::Event(event) => Some(event),
            _ => None,
        });
        let followed: Vec<_> = events
            .filter_map(|hook| self.crossings.heard(hook))
            .collect();
        whats.extend(followed.into_iter().map(What::Followed));
        for what in whats {
            if let What::Seen(seen) = &what
                && seen.registered
            {
                self.registered.insert(seen.session_uuid.clone());
            }
            let session = match &what {
                What::Seen(seen) => Some(&*seen.session_uuid),
                What::Event(event) => event.payload.session(),
                What::Ended(ending) => Some(&*ending.session_uuid),
                What::Followed(followed) => Some(&*followed.session_uuid),
                What::Evidence(_) | What::Rejected(_) => None,
            };
            let is_watched = |session: &str| {
                self.terms.watched.includes(session)
                    || self.registered.contains(session)
                    || session == SELF_TEST
            };
            if session.is_none_or(is_watched) {
                self.push(offset, what);
            }
        }
    }

    fn push(&mut self, offset: u64, what: What) {
        self.entries.push(Entry { offset, what });
    }
}

impl Consumer for Intake<'_> {
    fn start(&mut self, _pending: u64) {}

    fn line(&mut self, line: Line<'_>) -> io::Result<ControlFlow<()>> {
        let (offset, length) = (line.offset, line.length);
        self.lines += 1;
        self.read_bytes += length;
        match &line.body {
            Bytes::Here(bytes) => match read(bytes, &self.terms) {
                Ok(whats) => self.take(offset, whats),
                Err(reason) => self.push(offset, What::Rejected(reject::line(bytes, reason))),
            },
            Bytes::InFile(measured) if length <= MAX_LINE => {
                let read = serde_json::from_reader(line.reader()).map_err(not_a_line);
                match read.and_then(|line| mean(line, &self.terms)) {
                    Ok(whats) => self.take(offset, whats),
                    Err(reason) => self.reject_long(offset, measured, length, reason),
                }
            }
            Bytes::InFile(measured) | Bytes::TooLong(measured) => {
                let reason = format!("a line of {length} bytes is longer than any sender writes");
                self.reject_long(offset, measured, length, reason);
            }
        }
        Ok(match self.is_full() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        })
    }

    fn is_full(&self) -> bool {
        self.lines >= self.limits.max_events || self.read_bytes >= READ_BYTES
    }

    /// Every line is written with its newline: without it, it is torn.
    fn is_whole(&self, _bytes: &[u8]) -> bool {
        false
    }

    fn needs_more(&self) -> bool {
        false
    }
}
