//! The time, read by the loop and handed to everything that decides.

use std::time::{Duration, Instant, SystemTime};

use rustix::time::{ClockId, clock_gettime};

use crate::event::Timestamp;

/// Two clocks that are read one after the other differ by less.
const NAP: Duration = Duration::from_secs(1);

/// One moment on both clocks.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// Never jumps: what waits is measured by it.
    pub steady: Instant,
    /// What files and people go by.
    pub wall: SystemTime,
}

impl Now {
    pub fn read() -> Now {
        Now {
            steady: Instant::now(),
            wall: SystemTime::now(),
        }
    }

    pub fn timestamp(self) -> Timestamp {
        Timestamp::from_system(self.wall).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

/// How much the machine slept while this ran: the steady clock stands still then.
pub struct Slept {
    began: Instant,
    /// What a clock that goes on in a sleep said at the beginning.
    counted: Duration,
    known: Duration,
}

impl Slept {
    pub fn new() -> Slept {
        Slept {
            began: Instant::now(),
            counted: counting(),
            known: Duration::ZERO,
        }
    }

    /// How long it slept since the last time, if it did.
    pub fn woke(&mut self) -> Option<Duration> {
        self.woke_at(Instant::now(), counting())
    }

    fn woke_at(&mut self, steady: Instant, counting: Duration) -> Option<Duration> {
        let all = counting.saturating_sub(self.counted);
        let slept = all.saturating_sub(steady - self.began);
        let news = slept.saturating_sub(self.known);
        (news > NAP).then(|| {
            self.known = slept;
            news
        })
    }
}

#[cfg(target_os = "linux")]
fn counting() -> Duration {
    since(ClockId::Boottime)
}

#[cfg(not(target_os = "linux"))]
fn counting() -> Duration {
    since(ClockId::Monotonic)
}

fn since(clock: ClockId) -> Duration {
    Duration::try_from(clock_gettime(clock)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_is_noticed_once_and_time_awake_is_none() {
        let mut slept = Slept::new();
        assert_eq!(slept.woke(), None);
        let (began, counted) = (slept.began, slept.counted);
        let seconds = Duration::from_secs;
        let mut at = |awake, all| slept.woke_at(began + seconds(awake), counted + seconds(all));
        assert_eq!(at(100, 100), None);
        assert_eq!(at(110, 3710), Some(seconds(3600)));
        assert_eq!(at(120, 3720), None);
        assert_eq!(at(130, 3790), Some(seconds(60)));
    }
}
