//! Waits for a time with one wake-up.
//!
//! The runtime's own timers stand in a wheel of wheels: one that is 13 s away
//! wakes the thread three times, as it comes from wheel to wheel. Of all that an
//! idle watcher did, half was that.

use std::time::Instant;

#[cfg(target_os = "linux")]
mod timer {
    use std::{
        io,
        os::fd::OwnedFd,
        time::{Duration, Instant},
    };

    use rustix::{
        io::read,
        time::{
            Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
            timerfd_settime,
        },
    };
    use tokio::io::{Interest, unix::AsyncFd};

    pub struct Timer(AsyncFd<OwnedFd>);

    impl Timer {
        pub fn new() -> io::Result<Timer> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
            // SAFETY: the `OwnedFd` owns its descriptor and stays the same one.
            let timer = unsafe { AsyncFd::register_with_interest(timer, Interest::READABLE)? };
            Ok(Timer(timer))
        }

        pub async fn wait(&self, until: Instant, now: Instant) -> io::Result<()> {
            // No time at all would be no alarm at all.
            let time = (until - now).max(Duration::from_nanos(1));
            let once = Itimerspec {
                it_interval: Timespec {
                    tv_sec: 0,
                    tv_nsec: 0,
                },
                it_value: time.try_into().map_err(io::Error::other)?,
            };
            timerfd_settime(self.0.get_ref(), TimerfdTimerFlags::empty(), &once)?;
            loop {
                let mut ready = self.0.readable().await?;
                // What was ready may have been set anew since.
                if let Ok(read) = ready.try_io(|timer| Ok(read(timer, &mut [0u8; 8])?)) {
                    return read.map(drop);
                }
            }
        }
    }
}

/// Made and used within the runtime.
pub struct Alarm {
    #[cfg(target_os = "linux")]
    timer: Option<timer::Timer>,
}

impl Alarm {
    pub fn new() -> Alarm {
        Alarm {
            #[cfg(target_os = "linux")]
            timer: timer::Timer::new().ok(),
        }
    }

    pub async fn wait(&self, until: Instant, now: Instant) {
        #[cfg(target_os = "linux")]
        if let Some(timer) = &self.timer
            && timer.wait(until, now).await.is_ok()
        {
            return;
        }
        let pause = until.saturating_duration_since(now);
        tokio::time::sleep(pause).await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn it_is_never_early_and_can_be_set_again() {
        let alarm = Alarm::new();
        for millis in [0, 1, 30] {
            let now = Instant::now();
            let until = now + Duration::from_millis(millis);
            alarm.wait(until, now).await;
            assert!(Instant::now() >= until);
        }
        let now = Instant::now();
        alarm.wait(now, now + Duration::from_secs(9)).await;
        // Given up, ready, and set anew: the new time counts.
        let soon = Duration::from_millis(10);
        let first = alarm.wait(now + soon, now);
        assert!(tokio::time::timeout(Duration::ZERO, first).await.is_err());
        tokio::time::sleep(soon * 4).await;
        let now = Instant::now();
        let until = now + Duration::from_millis(30);
        alarm.wait(until, now).await;
        assert!(Instant::now() >= until);
    }
}
