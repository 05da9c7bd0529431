//! Waiting for commits.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::{config::Settings, store::wake};

/// A wake-up may be lost, if only with the process that sends it: then this is when a
/// reader looks all the same.
const LOST: Duration = Duration::from_secs(30);
/// Commits come in bursts; a reader looks so often at most.
const BURST: Duration = Duration::from_millis(50);

/// The news for one reader. Begun before its first look it misses nothing.
pub struct News {
    bells: wake::Receiver,
    looked: Instant,
    /// It is time to look.
    rung: bool,
}

impl News {
    /// Within the runtime.
    pub fn begin(settings: &Settings) -> News {
        News {
            bells: super::wake_source(settings).receiver(),
            looked: Instant::now(),
            rung: false,
        }
    }

    /// Returns when there may be something new. May be dropped at any point.
    pub async fn wait(&mut self) {
        let again = match self.bells.is_deaf() {
            true => wake::SLOW_POLL,
            false => LOST,
        };
        if !self.rung {
            tokio::select! {
                () = self.bells.recv() => {}
                () = sleep_until(self.looked + again) => {}
            }
            self.rung = true;
        }
        sleep_until(self.looked + BURST).await;
        self.rung = false;
        self.looked = Instant::now();
    }
}
