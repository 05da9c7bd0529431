//! The log, live, to many readers.
//!
//! In: settled events from the store, in id order.
//! Out: for each subscriber, the events its filter accepts, from its own cursor on.
//!
//! ```text
//! store ── follower ──▶ ring of frames ──▶ subscriber ──▶ wire
//!    └────────── pages, when the ring is past the cursor ──▲
//! ```
//!
//! Promises
//! - a subscriber's ids only rise: no gap, no repeat, be they from the ring or
//!   from the store, since both are read at the subscriber's own cursor
//! - a cursor that cannot be continued is answered by a reset, never by silence
//! - a slow reader delays no other; rings, pages and places have bounds
//! - without a subscriber nothing is read
//!
//! Not here: what is settled (`store::read`), sockets and their timeouts (`web`).

mod cursor;
mod follower;
mod frame;
mod hub;
mod ring;
mod subscriber;
#[cfg(test)]
mod tests;
pub mod wire;

use std::time::Duration;

pub use cursor::{Reason, Start};
pub use frame::Frame;
pub use hub::Hub;
pub use subscriber::{Item, Reset, Subscription};

#[derive(Debug, Clone)]
pub struct Settings {
    /// A comment is sent after this much silence.
    pub heartbeat_interval: Duration,
    /// How many may be connected at once.
    pub max_connections: usize,
    /// When a client that was refused or cut off may connect again.
    pub retry_after: Duration,
}
