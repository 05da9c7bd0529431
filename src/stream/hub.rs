//! What the follower and all subscribers share.

use std::sync::{
    Arc, Mutex, MutexGuard,
    atomic::{AtomicU64, Ordering},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_util::sync::CancellationToken;

use super::{Settings, Start, Subscription, follower, ring::Ring, wire::Wire};
use crate::store::{Filter, read::Reader, wake};

/// Cheap to clone.
#[derive(Clone)]
pub struct Hub {
    pub(super) shared: Arc<Feed>,
}

pub(super) struct Feed {
    pub reader: Reader,
    pub source: wake::Source,
    pub settings: Settings,
    pub ring: Mutex<Ring>,
    pub progress: watch::Sender<Progress>,
    pub subscribers: watch::Sender<usize>,
    /// The highest pruned id below an oldest one: (oldest, pruned).
    pub pruned: Mutex<Option<(i64, i64)>>,
    places: Arc<Semaphore>,
    dropped_slow: AtomicU64,
    stop: CancellationToken,
}

/// How far the log has come. `log` changes when it becomes another log; `head`
/// is unknown until the follower has looked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Progress {
    pub log: u64,
    pub head: Option<i64>,
}

impl Hub {
    /// Starts following, which waits for the first subscriber. Ends with `stop`.
    pub fn start(
        reader: Reader,
        source: wake::Source,
        settings: Settings,
        stop: CancellationToken,
    ) -> Hub {
        let shared = Arc::new(Feed {
            places: Arc::new(Semaphore::new(settings.max_connections)),
            reader,
            source,
            settings,
            ring: Mutex::default(),
            progress: watch::Sender::default(),
            subscribers: watch::Sender::default(),
            pruned: Mutex::default(),
            dropped_slow: AtomicU64::new(0),
            stop: stop.clone(),
        });
        tokio::spawn(follower::follow(shared.clone(), stop));
        Hub { shared }
    }

    /// Without a place and without a wire: for readers within the process.
    pub fn subscribe(&self, filter: Filter, start: Start) -> Subscription {
        Subscription::new(self.shared.clone(), filter, start)
    }

    /// A stream for the wire, if there is a place for it.
    pub fn connect(&self, filter: Filter, start: Start) -> Option<Wire> {
        let place = self.place()?;
        let subscription = self.subscribe(filter, start);
        let (settings, stop) = (&self.shared.settings, self.shared.stop.clone());
        Some(Wire::new(subscription, place, settings, stop))
    }

    fn place(&self) -> Option<OwnedSemaphorePermit> {
        self.shared.places.clone().try_acquire_owned().ok()
    }

    pub fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    pub fn active_connections(&self) -> usize {
        self.shared.settings.max_connections - self.shared.places.available_permits()
    }

    pub fn dropped_slow(&self) -> u64 {
        self.shared.dropped_slow.load(Ordering::Relaxed)
    }

    /// A reader was disconnected because it did not take what it was sent.
    pub fn count_dropped_slow(&self) {
        self.shared.dropped_slow.fetch_add(1, Ordering::Relaxed);
    }
}

impl Feed {
    pub fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().expect("the ring's functions do not panic")
    }
}
