//! “Look again.”
//!
//! In: one ring per commit, from the writer.
//! Out: something was heard; not what, not how much.
//!
//! Promises
//! - a wake-up carries no data and may be lost: who hears nothing looks every
//!   [`SLOW_POLL`] all the same
//! - ringing never waits and never fails
//!
//! SQLite has nobody to tell its readers, so the writer rings doorbells: each
//! reader binds a datagram socket in the run folder. PostgreSQL tells them
//! itself, by `NOTIFY` in the writer's transaction.

mod doorbell;
mod listen;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

pub use doorbell::Bell;

/// How often somebody who hears nothing looks.
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
pub struct Ear {
    inner: Inner,
}

enum Inner {
    Doorbell(doorbell::Ear),
    Postgres(listen::Ear),
    /// Listening is impossible here; the slow poll has to do.
    Deaf,
}

impl Source {
    pub fn doorbell(run: &Path) -> Source {
        Source::Doorbell(run.to_owned())
    }

    /// Must be called within the runtime.
    pub fn ear(&self) -> Ear {
        let inner = match self {
            Source::Doorbell(run) => doorbell::Ear::bind(run).map(Inner::Doorbell),
            Source::Postgres(url) => listen::Ear::start(url).map(Inner::Postgres),
        };
        Ear {
            inner: inner.unwrap_or(Inner::Deaf),
        }
    }
}

impl Ear {
    /// Returns when something was heard since the last call. May be dropped at
    /// any point without losing a wake-up.
    pub async fn heard(&mut self) {
        match &mut self.inner {
            Inner::Doorbell(ear) => ear.heard().await,
            Inner::Postgres(ear) => ear.heard().await,
            Inner::Deaf => std::future::pending().await,
        }
    }

    pub fn is_deaf(&self) -> bool {
        matches!(self.inner, Inner::Deaf)
    }
}
