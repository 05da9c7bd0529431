//! How many requests were answered, and how.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::StatusCode;

/// By the first digit of the status.
#[derive(Debug, Default)]
pub struct Requests([AtomicU64; 5]);

impl Requests {
    pub fn count(&self, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).clamp(1, 5);
        self.0[class - 1].fetch_add(1, Ordering::Relaxed);
    }

    /// Each class with its count, from 1 on.
    pub fn counts(&self) -> impl Iterator<Item = (usize, u64)> {
        let counts = self.0.iter().map(|count| count.load(Ordering::Relaxed));
        counts.enumerate().map(|(at, count)| (at + 1, count))
    }
}
