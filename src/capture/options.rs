//! What the loop is asked to do.

use std::{path::PathBuf, time::Duration};

use crate::spool::Spool;

use super::{
    retry::Schedule,
    row::{BEAT, TICK},
};

pub struct Options {
    pub roots: Vec<PathBuf>,
    pub spool: Spool,
    pub max_line_bytes: u64,
    pub inactivity_timeout: Duration,
    pub reconcile_interval: Duration,
    pub schedule: Schedule,
    /// Keep the bytes of transcripts.
    pub archive: bool,
    /// Take in what states, calls and costs are derived from.
    pub evidence: bool,
    /// Take what is there, also a last line without newline, then stop.
    pub once: bool,
    /// Only sessions that a program registered are watched.
    pub registered_only: bool,
    /// Hooks are taken in.
    pub hooks: bool,
    /// Names the watcher's row, with the host.
    pub state_dir: String,
    /// Called after every commit: there is something to read.
    pub wake: Box<dyn Fn() + Send>,
    pub rhythm: Rhythm,
}

/// How often the loop shows that it runs.
#[derive(Debug, Clone, Copy)]
pub struct Rhythm {
    /// While it works, or has news for the watcher's row.
    pub busy: Duration,
    /// While nothing happens.
    pub quiet: Duration,
}

impl Rhythm {
    /// At least twice in the time a service manager gives us, if one does.
    pub fn within(watchdog: Option<Duration>) -> Rhythm {
        let most = watchdog.map_or(BEAT, |time| time * 9 / 20);
        Rhythm {
            busy: TICK.min(most),
            quiet: BEAT.min(most),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_watchdog_makes_the_signs_more_frequent() {
        let of = |seconds| Rhythm::within(Some(Duration::from_secs(seconds)));
        assert_eq!((of(2).busy, of(2).quiet), (of(2).quiet, of(2).busy));
        assert_eq!((of(30).busy, of(30).quiet), (TICK, BEAT));
        assert_eq!(of(10).quiet, Duration::from_millis(4500));
        assert_eq!(Rhythm::within(None).quiet, BEAT);
    }
}
