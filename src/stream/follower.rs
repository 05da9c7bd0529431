//! The one reading loop of the process: store → ring.

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, time::sleep};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{
    Frame,
    hub::{Progress, Shared},
    ring::Ring,
};
use crate::store::{
    Filter, Stored,
    read::{PAGE_EVENTS, ReadError, Rest},
    wake::SLOW_POLL,
};

/// What the ring begins with, so that readers that come back after a restart
/// find there what they missed and need not each ask the database.
const TAIL_EVENTS: usize = 256;
/// How soon to look again at a hole, which causes no wake-up when it closes.
const HOLE_PAUSE: Duration = Duration::from_millis(10);
const FIRST_PAUSE: Duration = Duration::from_millis(100);

struct Follower {
    shared: Arc<Shared>,
    at: Option<Position>,
    failures: u32,
}

/// The last event that was delivered, and what it is known by.
struct Position {
    cursor: i64,
    mark: Option<String>,
}

pub async fn follow(shared: Arc<Shared>, stop: CancellationToken) {
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
    async fn look(&mut self) -> Result<Rest, ReadError> {
        if self.at.is_none() {
            self.begin().await?;
        }
        loop {
            match self.step().await? {
                Rest::More => {}
                rest => return Ok(rest),
            }
        }
    }

    async fn begin(&mut self) -> Result<(), ReadError> {
        let reader = &self.shared.reader;
        let head = reader.settled().await?;
        let everything = Filter::default();
        let tail = reader
            .page(&everything, head.checked_add(1), None, TAIL_EVENTS)
            .await?;
        let mark = reader.mark(head).await?;
        let log = self.shared.progress.borrow().log;
        let from = tail.events.last().map_or(head, |oldest| oldest.id - 1);
        let mut ring = Ring::new(log, from);
        tail.events
            .into_iter()
            .rev()
            .for_each(|event| ring.push(Frame::new(event)));
        *self.shared.ring() = ring;
        self.at = Some(Position { cursor: head, mark });
        self.publish(head);
        Ok(())
    }

    async fn step(&mut self) -> Result<Rest, ReadError> {
        let Some(at) = &self.at else {
            return Ok(Rest::More);
        };
        let settled = self.shared.reader.after(at.cursor, PAGE_EVENTS).await?;
        if !self.is_same_log(at).await? {
            self.start_over().await?;
            return Ok(Rest::More);
        }
        if let Some(last) = settled.events.last() {
            let mark = self.shared.reader.mark(last.id).await?;
            self.deliver(settled.events, mark);
        }
        Ok(settled.rest)
    }

    fn deliver(&mut self, events: Vec<Stored>, mark: Option<String>) {
        let mut ring = self.shared.ring();
        let mut cursor = 0;
        for event in events {
            cursor = event.id;
            ring.push(Frame::new(event));
        }
        drop(ring);
        self.at = Some(Position { cursor, mark });
        self.publish(cursor);
    }

    /// Asked after reading: what was read before a “yes” is of this log.
    async fn is_same_log(&self, at: &Position) -> Result<bool, ReadError> {
        match &at.mark {
            Some(mark) => self.shared.reader.knows(at.cursor, mark).await,
            None => Ok(true),
        }
    }

    /// The log is another one, or an older state of itself.
    async fn start_over(&mut self) -> Result<(), ReadError> {
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
        self.begin().await
    }

    fn publish(&self, head: i64) {
        self.shared
            .progress
            .send_modify(|progress| progress.head = Some(head));
    }

    /// How long to wait at most; says once when reading fails and once when it
    /// works again.
    fn pause(&mut self, looked: Result<Rest, ReadError>) -> Duration {
        match looked {
            Ok(rest) => {
                if self.failures > 0 {
                    info!("reading the log again");
                }
                self.failures = 0;
                if rest == Rest::Hole {
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
