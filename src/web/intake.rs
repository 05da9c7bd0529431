//! Lines into the spool: all that this process writes.

use std::{
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
    time::timeout,
};
use tracing::{info, warn};

use super::error::Problem;
use crate::{
    event::Timestamp,
    spool::{Body, Line, Spool},
};

/// Bodies that are read or written at once: each is held in memory, and one on a
/// disk that hangs holds a thread.
const PLACES: usize = 16;
/// A place must be free by then.
const PLACE_TIMEOUT: Duration = Duration::from_secs(1);
/// The spool's lock must be free by then,
const LOCK_TIMEOUT: Duration = Duration::from_millis(400);
/// and the line on disk by then.
const DISK_TIMEOUT: Duration = Duration::from_secs(1);
const RETRY_AFTER: u64 = 1;

pub struct Intake {
    spool: Spool,
    host: String,
    places: Arc<Semaphore>,
    fails: AtomicBool,
}

impl Intake {
    pub fn new(state: &Path, host: String) -> Intake {
        Intake {
            spool: Spool::of(state),
            host,
            places: Arc::new(Semaphore::new(PLACES)),
            fails: AtomicBool::new(false),
        }
    }

    /// A place for one body.
    pub async fn place(&self) -> Result<OwnedSemaphorePermit, Problem> {
        match timeout(PLACE_TIMEOUT, self.places.clone().acquire_owned()).await {
            Ok(Ok(place)) => Ok(place),
            // The places are never closed.
            Ok(Err(_)) | Err(_) => Err(Problem::busy("too many requests write now", RETRY_AFTER)),
        }
    }

    /// Returns when the line is on disk.
    pub async fn append(&self, body: Body, place: OwnedSemaphorePermit) -> Result<(), Problem> {
        let line = Line::new(Timestamp::now().to_string(), self.host.clone(), body).to_json();
        let (spool, deadline) = (self.spool.clone(), Instant::now() + LOCK_TIMEOUT);
        let appended = spawn_blocking(move || {
            let _until_the_disk_answers = place;
            spool.append(line.as_bytes(), deadline)
        });
        let appended = match timeout(DISK_TIMEOUT, appended).await {
            Ok(ended) => ended.unwrap_or_else(|stopped| Err(io::Error::other(stopped))),
            Err(_) => Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "timed out: the disk does not answer",
            )),
        };
        self.report(appended.as_ref().err());
        appended.map_err(|_| Problem::busy("the spool cannot be written", RETRY_AFTER))
    }

    /// The first failure, and that it works again.
    fn report(&self, failure: Option<&io::Error>) {
        let failed = self.fails.swap(failure.is_some(), Ordering::Relaxed);
        let folder = self.spool.folder().display();
        match failure {
            Some(error) if !failed => {
                warn!(%folder, %error, "cannot append to the spool in {folder}: {error}; clients get 503");
            }
            None if failed => info!("the spool can be appended to again"),
            _ => {}
        }
    }
}
