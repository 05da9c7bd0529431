//! From a batch to the store, and what follows from its answer.

use std::{path::Path, time::Duration};

use crate::{
    dialect::Place,
    event::What,
    store::{Appended, Failure, Segment},
    tail::Found,
};

use super::{
    aside,
    beat::jitter,
    clock::Now,
    gather::{Batch, Order},
    retry::Work,
    run::Capture,
};

impl Capture {
    /// Stores what was read, in one transaction.
    pub(super) async fn deliver(&mut self, batch: Batch, now: Now) {
        for (path, found) in &batch.seen {
            self.looked(path, found, now);
        }
        if batch.segments.is_empty() {
            return;
        }
        let appended = match self.order_ahead(&batch, now) {
            Some(ahead) => self.append_and_read(&batch.segments, ahead).await,
            None => self.writer.append(&batch.segments).await,
        };
        let Batch {
            segments, found, ..
        } = batch;
        match appended {
            Ok(appended) => self.stored(&segments, &found, &appended, Now::read()),
            Err(failure) => {
                self.give_back();
                self.not_stored(&segments, failure).await;
            }
        }
    }

    /// Reads the next batch meanwhile.
    async fn append_and_read(
        &mut self,
        segments: &[Segment],
        ahead: Order,
    ) -> Result<Appended, Failure> {
        let positions = std::mem::take(&mut self.positions);
        let reading = self.ahead.read(ahead, positions);
        let appended = self.writer.append(segments).await;
        let (positions, looks) = reading.await.expect("a read does not panic");
        self.positions = positions;
        self.next = Some(self.batch(looks));
        appended
    }

    /// What follows from a look once its segment, if it has one, is stored.
    pub(super) fn looked(&mut self, path: &Path, found: &Found, now: Now) {
        if found.lost_bytes > 0 {
            let (transcript, bytes) = (path.display(), found.lost_bytes);
            tracing::warn!(
                %transcript, bytes,
                "a transcript vanished before its last {bytes} bytes could be read: {transcript}"
            );
        }
        let queue = &mut self.backlog.queue;
        if found.more {
            queue.push_more(path.to_owned());
        } else {
            self.tally.at_end_of(path);
            if self.discovery.place(path) == Place::Spool {
                let tail = self.positions.tail();
                self.discovery.end_of_segment(path, tail, queue, now.steady);
            }
        }
        queue.note_tail(path, found.whole_tail, now.steady);
    }

    fn stored(&mut self, segments: &[Segment], found: &[Found], appended: &Appended, now: Now) {
        self.succeeded(Work::Write);
        (self.options.wake)();
        self.tally.stored(appended, now.timestamp());
        for session in &appended.registered {
            tracing::debug!(event_type = "session_registered", session, "event stored");
        }
        for (segment, found) in segments.iter().zip(found) {
            self.note_sessions(segment, found.idle.unwrap_or_default(), now);
        }
        for (session, since) in &appended.quiet {
            self.quiet.noted(session, Some(*since), now.steady);
        }
        for (session, reason) in &appended.ended {
            self.activity.ended(session);
            let reason = reason.as_str();
            tracing::info!(
                event_type = "session_ended",
                session,
                reason,
                "session {session} ended: {reason}"
            );
        }
        for (segment, found) in segments.iter().zip(found) {
            let path = Path::new(&segment.path);
            self.positions.committed(segment);
            self.backlog.quarantine.stored(path, segment.after.offset);
            self.merging.stored(segment, now.steady);
            log_entries(segment, appended.rejected > 0);
            self.looked(path, found, now);
            // There may be more than the look saw: look until it is quiet.
            self.backlog.queue.push_more(path.to_owned());
        }
    }

    fn note_sessions(&mut self, segment: &Segment, idle: Duration, now: Now) {
        for entry in &segment.entries {
            if let What::Seen(seen) = &entry.what {
                self.activity.seen(&seen.session_uuid, idle, now.steady);
                if seen.registered {
                    self.discovery.registered(&seen.session_uuid, now.steady);
                }
            }
        }
    }

    async fn not_stored(&mut self, segments: &[Segment], failure: Failure) {
        for segment in segments {
            let path = segment.path.clone().into();
            self.backlog.queue.push_front(path);
        }
        match failure {
            // The next try finds what the other writer stored.
            Failure::Raced if self.retry.raced(&self.options.schedule) => {
                tracing::debug!("another writer stored the same at this moment; retrying at once");
            }
            Failure::Raced => {
                self.failed(Work::Write, &Failure::Raced, "store events");
            }
            Failure::Moved { path } => self.read_on_elsewhere(&path).await,
            Failure::Refused(reason) => self.refused(segments, reason).await,
            failure @ (Failure::Away(_) | Failure::Schema(_)) => {
                self.describe(segments, &failure);
                self.failed(Work::Write, &failure, "store events");
            }
        }
    }

    /// The checkpoint is not where it was believed to be.
    async fn read_on_elsewhere(&mut self, path: &str) {
        match self.writer.checkpoint(path).await {
            Ok(position) => {
                tracing::debug!(transcript = %path, offset = position.offset, "reading again from the checkpoint");
                self.positions.moved(Path::new(path), position);
            }
            Err(failure) => {
                self.failed(Work::Write, &failure, "read a checkpoint");
            }
        }
    }

    /// One event is refused for ever. Its neighbours are stored one by one
    /// until it stands alone; then it is tried again, and at last set aside.
    async fn refused(&mut self, segments: &[Segment], reason: String) {
        self.tally.status.counters.failed_writes += 1;
        let quarantine = &mut self.backlog.quarantine;
        for segment in segments {
            quarantine.refused(Path::new(&segment.path), segment.after.offset);
        }
        let [segment] = segments else { return };
        if !aside::is_one_line(segment) {
            return;
        }
        let path = Path::new(&segment.path);
        let tries = quarantine.refused_alone(path);
        self.describe(segments, &Failure::Refused(reason.clone()));
        if tries < self.options.schedule.attempts {
            self.tally.status.counters.retries += 1;
            // The next try comes later; no other file waits for it.
            let pause = self.options.schedule.pause(tries, jitter());
            let now = Now::read().steady;
            self.backlog.retry_later(path, now, pause);
            return;
        }
        self.set_aside(segment, &reason).await;
    }

    /// The event stays if it is what its line shows beside it that is refused.
    async fn set_aside(&mut self, segment: &Segment, reason: &str) {
        let mut aside = [aside::without_evidence(segment)];
        let mut appended = self.writer.append(&aside).await;
        if let Err(Failure::Refused(_)) = appended {
            aside = [aside::set_aside(segment, reason)];
            appended = self.writer.append(&aside).await;
        }
        match appended {
            Ok(appended) => {
                let found = Found {
                    more: true,
                    ..Found::default()
                };
                self.stored(&aside, &[found], &appended, Now::read());
            }
            Err(failure) => {
                self.failed(Work::Write, &failure, "set an event aside");
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

/// Each event at debug, each rejection that is new as a warning.
fn log_entries(segment: &Segment, new_rejections: bool) {
    for entry in &segment.entries {
        match &entry.what {
            What::Event(event) => tracing::debug!(
                event_type = event.payload.event_type().as_str(),
                session = event.payload.session(),
                key = %event.keys[0], transcript = %segment.path, offset = entry.offset,
                "event stored"
            ),
            What::Rejected(rejection) if new_rejections => {
                let (transcript, offset, reason) = (&segment.path, entry.offset, &rejection.reason);
                tracing::warn!(
                    %transcript, offset, length = rejection.length, %reason,
                    "line rejected, at byte {offset} of {transcript}: {reason}"
                );
            }
            What::Seen(_)
            | What::Ended(_)
            | What::Followed(_)
            | What::Evidence(_)
            | What::Rejected(_) => {}
        }
    }
}
