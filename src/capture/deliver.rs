//! From looks to the store, and what follows from its answer.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime},
};

use crate::{
    dialect::{
        claude::{Batch, Limits, Place},
        reject,
    },
    event::{Entry, Rejection, Timestamp, What},
    store::{Appended, Duplicates, Failure, Segment},
    tail::{self, Found, Stretch},
};

use super::{
    pulse::jitter,
    retry::Work,
    run::{Capture, Quarantine},
};

/// Events that share a transaction while catching up. The keys of a larger one
/// share more pages of their index.
const MAX_EVENTS: usize = 2048;
/// Bytes that are read for one.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

impl Capture {
    /// Reads files and stores what they have, in one transaction.
    pub(super) async fn read(&mut self, paths: &[PathBuf], take_tail: bool) {
        let mut segments = Vec::new();
        let mut looks = Vec::new();
        let (mut events, mut bytes) = (0, 0);
        for path in paths {
            if events >= MAX_EVENTS || bytes >= MAX_BYTES {
                self.queue.push_more(path.clone());
                continue;
            }
            let alone = paths.len() == 1;
            let Some((look, segment)) = self.look(path, alone, take_tail, MAX_EVENTS - events)
            else {
                continue;
            };
            if let Some(segment) = segment {
                // A file seen under two names while it is moved has one checkpoint:
                // the second name waits for what the first one stores.
                if segments
                    .iter()
                    .any(|other| checkpoint(other) == checkpoint(&segment))
                {
                    self.queue.push_more(path.clone());
                    continue;
                }
                events += segment.entries.len();
                bytes += segment.bytes();
                segments.push(segment);
                looks.push((path.clone(), look));
            } else {
                self.looked(path, &look);
            }
        }
        if segments.is_empty() {
            return;
        }
        match self.writer.append(&segments).await {
            Ok(appended) => self.stored(&segments, &looks, appended),
            Err(failure) => self.not_stored(segments, failure).await,
        }
    }

    fn look(
        &mut self,
        path: &Path,
        alone: bool,
        take_tail: bool,
        max_events: usize,
    ) -> Option<(Found, Option<Segment>)> {
        let place = self.roots.place(path);
        if place == Place::Nothing {
            return None;
        }
        let limits = Limits {
            max_events: if self.quarantined.contains_key(path) {
                1
            } else {
                max_events
            },
            max_line_bytes: self.options.max_line_bytes,
            alone,
            now: Timestamp::now(),
        };
        let reading = tail::Limits {
            max_line_bytes: self.options.max_line_bytes,
            take_tail,
        };
        let mut batch = Batch::new(path, place, &mut self.memory, limits);
        match self.tail.read(path, &mut batch, reading, SystemTime::now()) {
            Ok(mut found) => {
                let entries = batch.finish();
                self.roots.can_read(path);
                let segment = found.stretch.take().map(|read| segment(read, entries));
                Some((found, segment))
            }
            Err(error) => {
                self.roots.cannot_read(path, &error);
                None
            }
        }
    }

    /// What follows from a look whose segment, if it had one, is stored.
    fn looked(&mut self, path: &Path, look: &Found) {
        if look.lost_bytes > 0 {
            let (transcript, bytes) = (path.display(), look.lost_bytes);
            tracing::warn!(
                %transcript, bytes,
                "a transcript vanished before its last {bytes} bytes could be read: {transcript}"
            );
        }
        if look.more {
            self.queue.push_more(path.to_owned());
        } else if let Some(duplicates) = self.duplicates.remove(&*path.to_string_lossy()) {
            let (transcript, count) = (path.display(), duplicates.count);
            tracing::warn!(
                %transcript, count, key = %duplicates.key,
                "{count} duplicates in {transcript}: facts that are stored already; each is kept once"
            );
        }
        self.queue.note_tail(path, look.whole_tail, Instant::now());
    }

    fn stored(&mut self, segments: &[Segment], looks: &[(PathBuf, Found)], appended: Appended) {
        self.succeeded(Work::Write);
        (self.options.wake)();
        self.status.events_written += appended.stored;
        self.status.rejected += appended.rejected;
        if appended.stored > 0 {
            self.status.last_write_at = Some(Timestamp::now());
        }
        for found in appended.duplicates {
            self.status.duplicates += found.count;
            let known = self
                .duplicates
                .entry(found.path.clone())
                .or_insert(Duplicates {
                    count: 0,
                    ..found.clone()
                });
            known.count += found.count;
        }
        for session in &appended.registered {
            tracing::debug!(event_type = "session_registered", session, "event stored");
        }
        for (segment, (path, look)) in segments.iter().zip(looks) {
            self.tail.committed(&stretch(segment));
            self.release(path, segment.after.offset);
            self.note_entries(
                segment,
                look.idle.unwrap_or_default(),
                appended.rejected > 0,
            );
            self.looked(path, look);
            // There may be more than the look saw: look until it is quiet.
            self.queue.push_more(path.clone());
        }
    }

    fn note_entries(&mut self, segment: &Segment, idle: Duration, new_rejections: bool) {
        let now = Instant::now();
        for entry in &segment.entries {
            match &entry.what {
                What::Seen(seen) => self.activity.seen(&seen.session_uuid, idle, now),
                What::Event(event) => tracing::debug!(
                    event_type = event.payload.event_type().as_str(),
                    session = event.payload.session(),
                    key = %event.keys[0], transcript = %segment.path, offset = entry.offset,
                    "event stored"
                ),
                What::Rejected(rejection) if new_rejections => {
                    let (transcript, offset, reason) =
                        (&segment.path, entry.offset, &rejection.reason);
                    tracing::warn!(
                        %transcript, offset, length = rejection.length, %reason,
                        "line rejected, at byte {offset} of {transcript}: {reason}"
                    );
                }
                What::Rejected(_) => {}
            }
        }
    }

    async fn not_stored(&mut self, segments: Vec<Segment>, failure: Failure) {
        for segment in &segments {
            self.queue.push_front(PathBuf::from(&segment.path));
        }
        match failure {
            // The next try finds what the other writer stored.
            Failure::Raced if self.retry.raced(&self.options.schedule) => {
                tracing::debug!("another writer stored the same at this moment; retrying at once");
            }
            Failure::Raced => {
                self.failed(Work::Write, &Failure::Raced, "store events");
            }
            Failure::Moved { path } => match self.writer.checkpoint(&path).await {
                Ok(position) => {
                    tracing::debug!(transcript = %path, offset = position.offset, "reading again from the checkpoint");
                    self.tail.moved(Path::new(&path), position);
                }
                Err(failure) => {
                    self.failed(Work::Write, &failure, "read a checkpoint");
                }
            },
            Failure::Refused(reason) => self.refused(segments, reason).await,
            failure @ (Failure::Away(_) | Failure::Schema(_)) => {
                self.describe(&segments, &failure);
                self.failed(Work::Write, &failure, "store events");
            }
        }
    }

    /// One event is refused for ever. Its neighbours are stored one by one
    /// until it stands alone; then it is tried again, and at last set aside.
    async fn refused(&mut self, segments: Vec<Segment>, reason: String) {
        self.status.failed_writes += 1;
        let alone = segments.len() == 1 && is_one_line(&segments[0]);
        for segment in &segments {
            let path = PathBuf::from(&segment.path);
            let quarantine = self
                .quarantined
                .entry(path)
                .or_insert(Quarantine { until: 0, tries: 0 });
            quarantine.until = quarantine.until.max(segment.after.offset);
        }
        if !alone {
            return;
        }
        let segment = &segments[0];
        let path = PathBuf::from(&segment.path);
        let tries = self.quarantined.get_mut(&path).map_or(0, |quarantine| {
            quarantine.tries += 1;
            quarantine.tries
        });
        self.describe(&segments, &Failure::Refused(reason.clone()));
        if tries < self.options.schedule.attempts {
            self.status.retries += 1;
            // The next try comes later; no other file waits for it.
            let pause = self.options.schedule.pause(tries, jitter());
            self.queue.hold(path, Instant::now() + pause);
            return;
        }
        let aside = set_aside(&segments[0], &reason);
        match self.writer.append(std::slice::from_ref(&aside)).await {
            Ok(appended) => {
                let look = Found {
                    more: true,
                    ..Found::default()
                };
                self.stored(&[aside], &[(path, look)], appended);
            }
            Err(failure) => {
                self.failed(Work::Write, &failure, "set an event aside");
            }
        }
    }

    fn release(&mut self, path: &Path, offset: u64) {
        if let Some(quarantine) = self.quarantined.get_mut(path) {
            quarantine.tries = 0;
            if offset >= quarantine.until {
                self.quarantined.remove(path);
            }
        }
    }

    /// Logs which events could not be stored: never their text.
    fn describe(&self, segments: &[Segment], failure: &Failure) {
        if self.retry.is_degraded(&self.options.schedule) {
            return;
        }
        for segment in segments {
            let event = segment.entries.iter().find_map(|entry| match &entry.what {
                What::Event(event) => Some((entry.offset, event)),
                _ => None,
            });
            let Some((offset, event)) = event else {
                continue;
            };
            let transcript = &segment.path;
            tracing::warn!(
                event_type = event.payload.event_type().as_str(), key = %event.keys[0],
                %transcript, offset, entries = segment.entries.len(), %failure,
                "events could not be stored, at byte {offset} of {transcript}: {failure}"
            );
        }
    }
}

/// What was read of a file, to be stored.
fn segment(read: Stretch, entries: Vec<Entry>) -> Segment {
    let text = |path: PathBuf| path.to_string_lossy().into_owned();
    Segment {
        path: text(read.path),
        moved_from: read.moved_from.map(text),
        before: read.before,
        after: read.after,
        rewritten: read.rewritten,
        entries,
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

/// The path under which the store knows the file.
fn checkpoint(segment: &Segment) -> &str {
    segment.moved_from.as_deref().unwrap_or(&segment.path)
}

/// Whether the segment has the events of one line at most: no smaller piece
/// of it can be stored.
fn is_one_line(segment: &Segment) -> bool {
    let mut events = segment
        .entries
        .iter()
        .filter(|e| matches!(e.what, What::Event(_)));
    let first = events.next().map(|entry| entry.offset);
    events.all(|entry| Some(entry.offset) == first)
}

/// The same stretch of the file, with a rejection in place of the line that
/// was refused. That its session was active stays.
fn set_aside(segment: &Segment, reason: &str) -> Segment {
    let is_event = |entry: &&Entry| matches!(entry.what, What::Event(_));
    let refused = segment.entries.iter().find(is_event);
    let mut aside = segment.clone();
    aside
        .entries
        .retain(|entry| !matches!(entry.what, What::Event(_)));
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
