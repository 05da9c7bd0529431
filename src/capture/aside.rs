//! A line with an event that the database always refuses becomes a rejection.

use std::path::Path;

use crate::{
    dialect::reject,
    event::{Entry, Rejection, What},
    store::Segment,
};

/// Whether the segment has the events of one line at most: no smaller piece
/// of it can be stored.
pub fn is_one_line(segment: &Segment) -> bool {
    let mut events = segment.entries.iter().filter(|entry| is_event(entry));
    let first = events.next().map(|entry| entry.offset);
    events.all(|entry| Some(entry.offset) == first)
}

/// The same stretch of the file without what its lines show beside events.
pub fn without_evidence(segment: &Segment) -> Segment {
    let mut plain = segment.clone();
    plain.entries.retain(|entry| !is_evidence(entry));
    plain
}

/// The same stretch of the file, with a rejection in place of the line that
/// was refused. That its session was active stays.
pub fn set_aside(segment: &Segment, reason: &str) -> Segment {
    let refused = segment.entries.iter().find(|entry| is_event(entry));
    let mut aside = without_evidence(segment);
    aside.entries.retain(|entry| !is_event(entry));
    match refused {
        Some(entry) => aside.entries.push(Entry {
            offset: entry.offset,
            what: What::Rejected(rejection_of(segment, entry, reason)),
        }),
        // Then it is the change of a session that cannot be stored.
        None => aside.entries.clear(),
    }
    aside
}

fn is_event(entry: &Entry) -> bool {
    matches!(entry.what, What::Event(_))
}

fn is_evidence(entry: &Entry) -> bool {
    matches!(entry.what, What::Evidence(_))
}

/// Keeps the line's bytes, or what was read from it if they are gone.
fn rejection_of(segment: &Segment, entry: &Entry, reason: &str) -> Rejection {
    let reason = format!("refused by the database: {reason}");
    reject::at(Path::new(&segment.path), entry.offset, &reason).unwrap_or_else(|_| {
        let read = match &entry.what {
            What::Event(event) => event.payload.to_json(),
            _ => String::new(),
        };
        reject::line(read.as_bytes(), reason)
    })
}
