//! A sign to threads that they shall end.

use std::sync::atomic::{AtomicBool, Ordering};

/// Gives it when it is dropped: also when the test fails, which else would wait for them.
pub struct Over<'a>(pub &'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
