//! When to try again: pure, with the time handed in.

use std::time::{Duration, Instant};

/// No pause is longer: once the database is back, nothing waits long for us.
const LONGEST: Duration = Duration::from_secs(2);

/// How often and how patiently a write is tried.
#[derive(Debug, Clone, Copy)]
pub struct Schedule {
    pub attempts: u32,
    pub delay: Duration,
}

/// What the database was asked for. Only the same, done, or a write shows that
/// it is back: a file that is locked can be read, and a role may have rights on
/// one table and not on another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    Beat,
    Load,
    Write,
}

/// The failures since the last success.
#[derive(Debug, Default)]
pub struct Retry {
    failures: u32,
    /// The kinds of work that failed and were not done since.
    failed: Vec<Work>,
    until: Option<Instant>,
    reason: Option<String>,
    /// Races lost in a row.
    races: u32,
}

impl Schedule {
    /// The pause after the `failures`th failure: twice as long each time, and
    /// up to a quarter more by `jitter` (0 to 1).
    pub fn pause(&self, failures: u32, jitter: f64) -> Duration {
        let doubled = self
            .delay
            .saturating_mul(1 << failures.saturating_sub(1).min(16));
        doubled
            .min(LONGEST)
            .mul_f64(1.0 + jitter.clamp(0.0, 1.0) / 4.0)
    }
}

impl Retry {
    /// Notes a failure; says whether it was the one that used up the attempts.
    pub fn failed(
        &mut self,
        work: Work,
        schedule: &Schedule,
        reason: String,
        now: Instant,
        jitter: f64,
    ) -> bool {
        self.failures = self.failures.saturating_add(1);
        if !self.failed.contains(&work) {
            self.failed.push(work);
        }
        self.until = Some(now + schedule.pause(self.failures, jitter));
        self.reason = Some(reason);
        self.failures == schedule.attempts
    }

    /// Notes a race that was lost to another writer; true if the same may be tried
    /// again at once. So many in a row are no race, but a failure.
    pub fn raced(&mut self, schedule: &Schedule) -> bool {
        self.races += 1;
        self.races <= schedule.attempts
    }

    /// Notes a success; says whether it ended a time of failures, and how many.
    pub fn succeeded(&mut self, work: Work) -> Option<u32> {
        if work == Work::Write {
            self.races = 0;
        }
        self.failed
            .retain(|failed| work != Work::Write && *failed != work);
        if self.failures == 0 || !self.failed.is_empty() {
            return None;
        }
        Some(std::mem::take(self).failures)
    }

    /// Nothing waits to be read or written any more: from here on a beat shows
    /// that the database is back. True if one is needed for that.
    pub fn nothing_to_write(&mut self) -> bool {
        let other = self.failed.iter().any(|work| *work != Work::Beat);
        if other {
            self.failed = vec![Work::Beat];
        }
        other
    }

    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Whether all attempts were used up: from here on it is only probed.
    pub fn is_degraded(&self, schedule: &Schedule) -> bool {
        self.failures >= schedule.attempts
    }

    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// Until when to leave the database alone.
    pub fn until(&self, now: Instant) -> Option<Instant> {
        self.until.filter(|until| *until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEDULE: Schedule = Schedule {
        attempts: 3,
        delay: Duration::from_millis(100),
    };

    #[test]
    fn pauses_double_up_to_a_limit() {
        let pauses: Vec<u128> = (1..=8)
            .map(|n| SCHEDULE.pause(n, 0.0).as_millis())
            .collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 2000, 2000, 2000]);
        assert_eq!(SCHEDULE.pause(1, 1.0).as_millis(), 125);
        assert_eq!(SCHEDULE.pause(u32::MAX, 0.0), LONGEST);
    }

    #[test]
    fn the_last_attempt_degrades_and_a_success_forgives() {
        let now = Instant::now();
        let mut retry = Retry::default();
        let failed: Vec<bool> = (0..4)
            .map(|_| retry.failed(Work::Write, &SCHEDULE, "away".into(), now, 0.0))
            .collect();
        assert_eq!(failed, [false, false, true, false]);
        assert!(retry.is_degraded(&SCHEDULE));
        assert_eq!(retry.until(now), Some(now + Duration::from_millis(800)));
        assert_eq!(retry.succeeded(Work::Write), Some(4));
        assert_eq!(
            (retry.succeeded(Work::Write), retry.until(now)),
            (None, None)
        );
    }

    /// A locked SQLite file can be read all the time.
    #[test]
    fn what_can_be_read_forgives_no_failed_beat() {
        let mut retry = Retry::default();
        for n in 1..=3 {
            let last = retry.failed(Work::Beat, &SCHEDULE, "locked".into(), Instant::now(), 0.0);
            assert_eq!(last, n == 3);
            assert_eq!(retry.succeeded(Work::Load), None);
        }
        assert!(retry.is_degraded(&SCHEDULE));
        assert_eq!(retry.succeeded(Work::Beat), Some(3));
    }

    #[test]
    fn a_lesser_success_forgives_no_failed_write() {
        let mut retry = Retry::default();
        for work in [Work::Load, Work::Write, Work::Beat] {
            retry.failed(work, &SCHEDULE, "away".into(), Instant::now(), 0.0);
        }
        assert_eq!(retry.succeeded(Work::Beat), None);
        assert_eq!(retry.succeeded(Work::Load), None);
        assert!(retry.nothing_to_write());
        assert!(!retry.nothing_to_write());
        assert_eq!(retry.succeeded(Work::Beat), Some(3));
        assert!(!retry.nothing_to_write());
    }
}
