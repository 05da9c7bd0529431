//! How the watcher is doing: its row, its status, the database's absences.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    time::Instant,
};

use crate::store::{Beat, Failure};

use super::{
    retry::Work,
    run::{BEAT, Capture, Status},
};

impl Capture {
    /// Shows that the loop runs; in the watcher's row when there is something
    /// new in it, and every few times without.
    pub(super) async fn tick(&mut self) {
        let now = Instant::now();
        self.next_tick = now + self.options.tick;
        if self.writer.let_go_of_lost_file() {
            tracing::warn!(
                "the database file was removed or replaced; reading everything again into what is there now"
            );
            self.loaded = None;
        }
        self.refreshed_status();
        let changed = self.status != self.row;
        if changed || now >= self.next_beat {
            self.beat("running").await;
            self.summarise();
        }
    }

    pub(super) async fn beat(&mut self, state: &'static str) {
        let now = Instant::now();
        if let Some(until) = self.retry.until(now) {
            (self.next_tick, self.next_beat) = (until, until);
            self.refreshed_status();
            return;
        }
        self.next_beat = now + BEAT;
        let status = self.refreshed_status().clone();
        let beat = Beat {
            state_dir: self.options.state_dir.clone(),
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION"),
            started_at: self.started_at,
            last_write_at: status.last_write_at,
            events_written: status.events_written,
            duplicates: status.duplicates,
            failed_writes: status.failed_writes,
            retries: status.retries,
            rejected: status.rejected,
            bytes_behind: status.bytes_behind,
            sessions: status.sessions,
            state: match state {
                "running" if status.reason.is_some() => "degraded",
                "running" if !self.caught_up => "catching_up",
                state => state,
            },
            reason: status.reason.clone(),
        };
        match self.writer.beat(&beat).await {
            Ok(()) => {
                self.row = status;
                self.succeeded(Work::Beat);
            }
            Err(failure) => {
                self.failed(Work::Beat, &failure, "write the watcher's row");
            }
        }
    }

    /// Says at info how much was stored since the last time, if anything was.
    pub(super) fn summarise(&mut self) {
        let count = self.status.events_written - self.summarised_events;
        self.summarised_events = self.status.events_written;
        if count > 0 {
            let bytes_behind = self.status.bytes_behind;
            tracing::info!(count, bytes_behind, "{count} events stored");
        }
    }

    pub(super) fn refreshed_status(&mut self) -> &Status {
        self.status.sessions = self.activity.open();
        self.status.bytes_behind = self.tail.bytes_behind() + self.queue.bytes();
        self.status.reason = if self.retry.is_degraded(&self.options.schedule) {
            self.retry.reason().map(str::to_owned)
        } else {
            self.hints.blind().map(|why| {
                format!("not all folders can be watched, so all are looked at every second: {why}")
            })
        };
        &self.status
    }

    pub(super) fn succeeded(&mut self, work: Work) {
        if let Some(failures) = self.retry.succeeded(work) {
            tracing::info!(failures, "the database is back, after {failures} failures");
            // The row may still say otherwise.
            self.beat_at_once();
        }
    }

    pub(super) fn beat_at_once(&mut self) {
        self.next_tick = Instant::now();
        self.next_beat = self.next_tick;
    }

    /// Notes that the database could not be used; false, as nothing was done.
    pub(super) fn failed(&mut self, work: Work, failure: &Failure, what: &str) -> bool {
        // A row that could not be updated loses no event.
        if work == Work::Write {
            self.status.failed_writes += 1;
        }
        if self.retry.failures() > 0 {
            self.status.retries += 1;
        }
        let last = self.retry.failed(
            work,
            &self.options.schedule,
            failure.to_string(),
            Instant::now(),
            jitter(),
        );
        if last {
            tracing::error!(%failure, "failed to {what}: {failure}; degraded: positions are kept, the files are the queue, trying again");
        } else if self.retry.is_degraded(&self.options.schedule) {
            tracing::debug!(%failure, failures = self.retry.failures(), "failed to {what}");
        } else {
            tracing::warn!(%failure, "failed to {what}: {failure}; trying again");
        }
        false
    }
}

/// From 0 to 1, different every time: many watchers must not return at once.
pub(super) fn jitter() -> f64 {
    let random = RandomState::new().build_hasher().finish();
    f64::from(u32::try_from(random >> 32).unwrap_or(0)) / f64::from(u32::MAX)
}
