//! “Look again.”
//!
//! In: one ring per commit, from the writer.
//! Out: something was committed; not what, not how much.
//!
//! Promises
//! - a wake-up carries no data and may be lost: a reader without one looks every
//!   [`SLOW_POLL`] all the same
//! - ringing never waits and never fails
//!
//! SQLite does not notify its readers, so the writer rings doorbells: each
//! reader binds a datagram socket in the run folder. PostgreSQL does so
//! itself, by `NOTIFY` in the writer's transaction.

mod doorbell;
mod listen;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

pub use doorbell::Doorbell;

/// How often a reader looks without a wake-up.
pub const SLOW_POLL: Duration = Duration::from_secs(2);
/// The channel of `NOTIFY`; its payload is empty.
pub const CHANNEL: &str = "headspace_events";

/// Where wake-ups come from.
#[derive(Debug, Clone)]
pub enum Source {
    /// Doorbells in this run folder.
    Doorbell(PathBuf),
    /// `NOTIFY` on the database of this URL.
    Postgres(String),
}

/// The listening side. Dropping it stops the listening.
pub struct Receiver {
    inner: Inner,
}

enum Inner {
    Doorbell(doorbell::DoorbellReceiver),
    Postgres(listen::NotifyReceiver),
    /// Listening is impossible here; the slow poll has to do.
    PollOnly,
}

impl Source {
    pub fn doorbell(run: &Path) -> Source {
        Source::Doorbell(run.to_owned())
    }

    /// Must be called within the runtime.
    pub fn receiver(&self) -> Receiver {
        let inner = match self {
            Source::Doorbell(run) => doorbell::DoorbellReceiver::bind(run).map(Inner::Doorbell),
            Source::Postgres(url) => listen::NotifyReceiver::start(url).map(Inner::Postgres),
        };
        Receiver {
            inner: inner.unwrap_or(Inner::PollOnly),
        }
    }
}

impl Receiver {
    /// No wake-up will come: only looking shows what is new.
    pub fn is_deaf(&self) -> bool {
        matches!(self.inner, Inner::PollOnly)
    }

    /// Returns when a wake-up came since the last call. May be dropped at
    /// any point without losing a wake-up.
    pub async fn recv(&mut self) {
        match &mut self.inner {
            Inner::Doorbell(receiver) => receiver.recv().await,
            Inner::Postgres(receiver) => receiver.recv().await,
            Inner::PollOnly => std::future::pending().await,
        }
    }
}
