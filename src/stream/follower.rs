//! The one reading loop of the process: store → ring.

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, time::sleep};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{
    Frame,
    hub::{Feed, Progress},
    ring::Ring,
};
use crate::store::{
    Filter, Stored,
    read::{AfterPage, Bookmark, PAGE_EVENTS, ReadError},
    wake::SLOW_POLL,
};

/// What the ring begins with, so that readers that come back after a restart
/// find there what they missed and need not each ask the database.
const TAIL_EVENTS: usize = 256;
/// How soon to look again at a hole, which causes no wake-up when it closes.
const HOLE_PAUSE: Duration = Duration::from_millis(10);
const FIRST_PAUSE: Duration = Duration::from_millis(100);

struct Follower {
    shared: Arc<Feed>,
    at: Option<Bookmark>,
    failures: u32,
}

pub async fn follow(shared: Arc<Feed>, stop: CancellationToken) {
    let mut subscribers = shared.subscribers.subscribe();
    let mut follower = Follower {
        shared,
        at: None,
        failures: 0,
    };
    while !stop.is_cancelled() {
        tokio::select! {
            _ = stop.cancelled() => return,
            _ = subscribers.wait_for(|&count| count > 0) => {}
        }
        follower.attend(&mut subscribers, &stop).await;
        follower.park();
    }
}

impl Follower {
    /// Looks whenever there may be something new, while there is a subscriber.
    async fn attend(&mut self, subscribers: &mut watch::Receiver<usize>, stop: &CancellationToken) {
        let mut wake_ups = self.shared.source.receiver();
        loop {
            let looked = self.look().await;
            let failed = looked.is_err();
            let pause = self.pause(looked);
            tokio::select! {
                _ = stop.cancelled() => return,
                _ = subscribers.wait_for(|&count| count == 0) => return,
                _ = wake_ups.recv(), if !failed => {}
                _ = sleep(pause) => {}
            }
        }
    }

    /// What is not followed any more is not known any more.
    fn park(&mut self) {
        self.at = None;
        self.shared
            .progress
            .send_modify(|progress| progress.head = None);
    }

    /// Reads what is new, until there is no more.
    async fn look(&mut self) -> Result<AfterPage, ReadError> {
        loop {
            match self.step().await? {
                AfterPage::More => {}
                AfterPage::Replaced => self.start_over(),
                rest => return Ok(rest),
            }
        }
    }

    /// One question, once there is a place to ask from.
    async fn step(&mut self) -> Result<AfterPage, ReadError> {
        let Some(at) = &self.at else {
            self.begin().await?;
            return Ok(AfterPage::More);
        };
        let settled = self.shared.reader.after(at, PAGE_EVENTS).await?;
        if !settled.events.is_empty() {
            self.deliver(settled.events);
        }
        self.at = Some(settled.bookmark);
        Ok(settled.rest)
    }

    /// The place to ask from, and what came last before it.
    async fn begin(&mut self) -> Result<(), ReadError> {
        let reader = &self.shared.reader;
        let head = reader.settled().await?;
        let Some(bookmark) = reader.bookmark(head).await? else {
            // Removed, or the log was replaced, since: the next step begins again.
            return Ok(());
        };
        let everything = Filter::default();
        let tail = reader
            .page(&everything, head.checked_add(1), None, TAIL_EVENTS)
            .await?;
        let log = self.shared.progress.borrow().log;
        let from = tail.events.last().map_or(head, |oldest| oldest.id - 1);
        let mut ring = Ring::new(log, from);
        tail.events
            .into_iter()
            .rev()
            .for_each(|event| ring.push(Frame::new(event)));
        *self.shared.ring() = ring;
        self.at = Some(bookmark);
        self.publish(head);
        Ok(())
    }

    fn deliver(&mut self, events: Vec<Stored>) {
        let mut ring = self.shared.ring();
        let mut head = 0;
        for event in events {
            head = event.id;
            ring.push(Frame::new(event));
        }
        drop(ring);
        self.publish(head);
    }

    /// The log is another one, or an older state of itself.
    fn start_over(&mut self) {
        warn!("the log was replaced or restored; readers start over");
        self.shared.reader.forget();
        *self.shared.pruned.lock().expect("no panic while held") = None;
        self.at = None;
        self.shared.progress.send_modify(|progress| {
            *progress = Progress {
                log: progress.log + 1,
                head: None,
            }
        });
    }

    fn publish(&self, head: i64) {
        self.shared
            .progress
            .send_modify(|progress| progress.head = Some(head));
    }

    /// How long to wait at most; says once when reading fails and once when it
    /// works again.
    fn pause(&mut self, looked: Result<AfterPage, ReadError>) -> Duration {
        match looked {
            Ok(rest) => {
                if self.failures > 0 {
                    info!("reading the log again");
                }
                self.failures = 0;
                if rest == AfterPage::Hole {
                    HOLE_PAUSE
                } else {
                    SLOW_POLL
                }
            }
            Err(error) => {
                if self.failures == 0 {
                    warn!(%error, cause = ?std::error::Error::source(&error), "cannot follow the log: {error}; trying again");
                }
                self.failures += 1;
                backoff(self.failures)
            }
        }
    }
}

pub(super) fn backoff(failures: u32) -> Duration {
    (FIRST_PAUSE * 2u32.pow(failures.min(6) - 1)).min(SLOW_POLL)
}
