//! What the watcher's loop says to the one that tells.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// “Look again”, and whether all input was read.
#[derive(Default)]
pub struct News {
    wake: Notify,
    is_caught_up: AtomicBool,
}

impl News {
    /// Something was committed.
    pub fn committed(&self) {
        self.wake.notify_one();
    }

    pub fn caught_up(&self, is_caught_up: bool) {
        if self.is_caught_up.swap(is_caught_up, Ordering::Relaxed) != is_caught_up {
            self.wake.notify_one();
        }
    }

    pub fn is_caught_up(&self) -> bool {
        self.is_caught_up.load(Ordering::Relaxed)
    }

    pub async fn heard(&self) {
        self.wake.notified().await;
    }
}
