//! The time, read by the loop and handed to everything that decides.

use std::time::{Instant, SystemTime};

use crate::event::Timestamp;

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
