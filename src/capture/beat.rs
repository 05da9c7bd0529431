//! The watcher's row and status, and what happens while the database is away.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    time::Instant,
};

use crate::store::Failure;

use super::{ahead::Ahead, clock::Now, rest, retry::Work, run::Capture, status::Status};

impl Capture {
    /// Shows that the loop runs; in the watcher's row when there is something
    /// new in it, and every few times without.
    pub(super) async fn tick(&mut self) {
        let now = Now::read().steady;
        self.row.looked(now, self.options.rhythm.quiet);
        self.notice_lost_file();
        self.refresh_status();
        if self.row.is_due(&self.tally.status, now) {
            self.beat("running", now).await;
            self.tally.summarise();
        }
        if self.rest.tick() {
            self.writer.shrink().await;
            self.positions.shrink();
            self.ahead = Ahead::default();
            rest::give_back();
        }
    }

    pub(super) async fn beat(&mut self, state: &'static str, now: Instant) {
        let status = self.refresh_status().clone();
        if let Some(until) = self.retry.until(now) {
            self.row.postpone(until);
            return;
        }
        self.row.tried(now);
        let state = match state {
            "running" if status.reason.is_some() => "degraded",
            "running" if !self.caught_up => "catching_up",
            state => state,
        };
        let beat = self.row.beat(&self.options.state_dir, &status, state);
        match self.writer.beat(&beat).await {
            Ok(()) => {
                self.row.written(status);
                self.succeeded(Work::Beat);
            }
            Err(failure) => {
                self.failed(Work::Beat, &failure, "write the watcher's row");
            }
        }
    }

    pub(super) fn refresh_status(&mut self) -> &Status {
        let status = &mut self.tally.status;
        status.counters.sessions = self.activity.open();
        status.counters.bytes_behind =
            self.positions.tail().bytes_behind() + self.backlog.queue.bytes();
        status.caught_up = self.caught_up;
        status.reason = if self.retry.is_degraded(&self.options.schedule) {
            self.retry.reason().map(str::to_owned)
        } else {
            self.discovery.blind().map(|why| {
                format!("not all folders can be watched, so all are looked at every second: {why}")
            })
        };
        status
    }

    pub(super) fn succeeded(&mut self, work: Work) {
        if let Some(failures) = self.retry.succeeded(work) {
            tracing::info!(failures, "the database is back, after {failures} failures");
            let now = Now::read().steady;
            // The row may still say otherwise.
            self.row.write_at_once(now);
            self.hold_verdicts(now);
        }
    }

    /// Notes that the database could not be used; false, as nothing was done.
    pub(super) fn failed(&mut self, work: Work, failure: &Failure, what: &str) -> bool {
        // A row that could not be updated loses no event.
        match work {
            Work::Write => self.tally.status.counters.failed_writes += 1,
            Work::Beat => self.tally.status.counters.failed_beats += 1,
            Work::Load => {}
        }
        if self.retry.failures() > 0 {
            self.tally.status.counters.retries += 1;
        }
        let (reason, now) = (failure.to_string(), Now::read().steady);
        let schedule = &self.options.schedule;
        let last = self.retry.failed(work, schedule, reason, now, jitter());
        if last {
            tracing::error!(%failure, "failed to {what}: {failure}; degraded: positions are kept, the files are the queue, trying again");
        } else if self.retry.is_degraded(schedule) {
            tracing::debug!(%failure, failures = self.retry.failures(), "failed to {what}");
        } else {
            tracing::warn!(%failure, "failed to {what}: {failure}; trying again");
        }
        self.row.has_news(now, self.options.rhythm.busy);
        false
    }
}

/// From 0 to 1, different every time: many watchers must not return at once.
pub(super) fn jitter() -> f64 {
    let random = RandomState::new().build_hasher().finish();
    f64::from(u32::try_from(random >> 32).unwrap_or(0)) / f64::from(u32::MAX)
}
