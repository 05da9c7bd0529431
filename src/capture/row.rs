//! The watcher's row: when it is written, and what it says. Pure.

use std::time::{Duration, Instant};

use crate::{event::Timestamp, store::WatcherBeat};

use super::status::Status;

/// The row is written this often, also without news.
pub const BEAT: Duration = Duration::from_millis(13_500);
/// How soon news is in the row.
pub const TICK: Duration = Duration::from_millis(4500);

pub struct Row {
    started_at: Timestamp,
    /// What it says.
    written: Status,
    /// When it is compared with the status.
    next_look: Instant,
    next_beat: Instant,
}

impl Row {
    pub fn new(started_at: Timestamp, now: Instant) -> Row {
        Row {
            started_at,
            written: Status::default(),
            next_look: now,
            next_beat: now,
        }
    }

    pub fn next_look(&self) -> Instant {
        self.next_look
    }

    /// It was compared; the next time is after `pause`, at most a beat, or sooner.
    pub fn looked(&mut self, now: Instant, pause: Duration) {
        self.next_look = now + pause;
        if self.next_beat > now {
            self.next_look = self.next_look.min(self.next_beat);
        }
    }

    /// Something may have changed that it does not say.
    pub fn has_news(&mut self, now: Instant, tick: Duration) {
        self.next_look = self.next_look.min(now + tick);
    }

    /// Whether it is to be written: it is not true any more, or old.
    pub fn is_due(&self, status: &Status, now: Instant) -> bool {
        now >= self.next_beat || self.written != *status
    }

    /// It cannot wait.
    pub fn write_at_once(&mut self, now: Instant) {
        self.postpone(now);
    }

    /// The database is left alone until then.
    pub fn postpone(&mut self, until: Instant) {
        (self.next_look, self.next_beat) = (until, until);
    }

    /// It is being written.
    pub fn tried(&mut self, now: Instant) {
        self.next_beat = now + BEAT;
    }

    pub fn written(&mut self, status: Status) {
        self.written = status;
    }

    /// The row as it is written.
    pub fn beat(&self, state_dir: &str, status: &Status, state: &'static str) -> WatcherBeat {
        WatcherBeat {
            state_dir: state_dir.to_owned(),
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION"),
            started_at: self.started_at,
            last_write_at: status.last_write_at,
            counters: status.counters.clone(),
            state,
            reason: status.reason.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quiet_watcher_writes_its_row_once_a_beat_and_looks_no_more_often_than_asked() {
        let start = Instant::now();
        let quiet = Status::default();
        for pause in [TICK, BEAT] {
            let mut row = Row::new(Timestamp::UNIX_EPOCH, start);
            let (mut looks, mut beats) = (0, Vec::new());
            let hour = start + Duration::from_secs(3600);
            while row.next_look() < hour {
                // A timer is never early, and a little late.
                let now = row.next_look() + Duration::from_millis(1);
                looks += 1;
                row.looked(now, pause);
                if row.is_due(&quiet, now) {
                    row.tried(now);
                    beats.push(now);
                }
            }
            let longest = beats.windows(2).map(|two| two[1] - two[0]).max();
            assert!(longest < Some(BEAT + TICK / 10), "{pause:?}: {longest:?}");
            let per_beat = looks / beats.len();
            assert!(
                per_beat <= if pause == TICK { 4 } else { 1 },
                "{pause:?}: {looks}"
            );
        }
    }

    #[test]
    fn news_are_in_the_row_within_a_tick() {
        let start = Instant::now();
        let mut row = Row::new(Timestamp::UNIX_EPOCH, start);
        row.tried(start);
        row.looked(start, BEAT);
        let news = start + Duration::from_secs(2);
        row.has_news(news, TICK);
        row.has_news(news + TICK / 2, TICK);
        assert_eq!(row.next_look(), news + TICK);
        let mut status = Status::default();
        status.counters.events_written = 1;
        assert!(row.is_due(&status, news + TICK));
        row.written(status.clone());
        assert!(!row.is_due(&status, news + TICK));
    }
}
