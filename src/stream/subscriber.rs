//! One reader of the stream, at its own cursor.

use std::{collections::VecDeque, sync::Arc};

use tokio::{sync::watch, time::sleep};

use super::{
    Frame, Reason, Start,
    cursor::{may_miss_pruned, resume},
    follower::backoff,
    hub::{Feed, Progress},
};
use crate::store::{Filter, read::ReadError};

/// How much a subscriber takes from the ring, and from the store, at a time.
const BATCH: usize = 64;
const REPLAY_BYTES: usize = 64 * 1024;

/// What a subscriber gets.
#[derive(Debug, Clone)]
pub enum Item {
    /// First of all: where to begin is known, and whatever is committed from
    /// now on will arrive.
    Joined,
    Event(Arc<Frame>),
    Reset(Reset),
}

/// The sequence ended here; another one begins after `from`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reset {
    pub reason: Reason,
    pub from: i64,
}

pub struct Subscription {
    shared: Arc<Feed>,
    progress: watch::Receiver<Progress>,
    filter: Filter,
    /// Where to begin; `None` once begun.
    start: Option<Start>,
    log: u64,
    cursor: i64,
    ready: VecDeque<Item>,
    failures: u32,
}

impl Subscription {
    pub(super) fn new(shared: Arc<Feed>, filter: Filter, start: Start) -> Subscription {
        let progress = shared.progress.subscribe();
        shared.subscribers.send_modify(|count| *count += 1);
        Subscription {
            shared,
            progress,
            filter,
            start: Some(start),
            log: 0,
            cursor: 0,
            ready: VecDeque::new(),
            failures: 0,
        }
    }

    /// The next event, or the news that the sequence starts over. Waits while
    /// there is none, and while the database is away.
    pub async fn next(&mut self) -> Item {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return item;
            }
            match self.advance().await {
                Ok(()) => self.failures = 0,
                Err(_) => {
                    // The follower fails at the same database and says so.
                    self.failures += 1;
                    sleep(backoff(self.failures)).await;
                }
            }
        }
    }

    /// One step: begin, start over, pull, or wait.
    async fn advance(&mut self) -> Result<(), ReadError> {
        let progress = *self.progress.borrow_and_update();
        let Some(head) = progress.head else {
            return self.wait().await;
        };
        if self.start.is_some() {
            return self.begin(progress.log, head).await;
        }
        if progress.log != self.log {
            self.log = progress.log;
            self.reset(Reason::Replaced, head);
            return Ok(());
        }
        if self.cursor >= head {
            return self.wait().await;
        }
        self.pull(head).await
    }

    async fn wait(&mut self) -> Result<(), ReadError> {
        // The sender lives in `shared`, so it cannot be gone.
        let _ = self.progress.changed().await;
        Ok(())
    }

    async fn begin(&mut self, log: u64, head: i64) -> Result<(), ReadError> {
        let resumed = match self.start {
            Some(Start::After(cursor)) => self.resume(log, cursor).await?,
            Some(Start::Garbage) => Err(Reason::Garbage),
            Some(Start::Live) | None => Ok(head),
        };
        self.start = None;
        self.log = log;
        self.ready.push_back(Item::Joined);
        match resumed {
            Ok(cursor) => self.cursor = cursor,
            Err(reason) => self.reset(reason, head),
        }
        Ok(())
    }

    /// A cursor that the ring reaches back to, up to its end, needs no look at
    /// the database.
    async fn resume(&self, log: u64, cursor: i64) -> Result<Result<i64, Reason>, ReadError> {
        if self
            .shared
            .ring()
            .after(log, cursor, 1)
            .is_some_and(|next| !next.is_empty())
        {
            return Ok(Ok(cursor));
        }
        let head = self.shared.reader.head().await?;
        let pruned = if may_miss_pruned(cursor, &head) {
            self.pruned_below(head.oldest.unwrap_or(head.last_given + 1))
                .await?
        } else {
            0
        };
        Ok(resume(cursor, &head, pruned))
    }

    async fn pruned_below(&self, oldest: i64) -> Result<i64, ReadError> {
        let known = *self.shared.pruned.lock().expect("no panic while held");
        if let Some((of, pruned)) = known
            && of == oldest
        {
            return Ok(pruned);
        }
        let pruned = self.shared.reader.pruned_below(oldest).await?;
        *self.shared.pruned.lock().expect("no panic while held") = Some((oldest, pruned));
        Ok(pruned)
    }

    fn reset(&mut self, reason: Reason, from: i64) {
        self.cursor = from;
        self.ready.push_back(Item::Reset(Reset { reason, from }));
    }

    async fn pull(&mut self, head: i64) -> Result<(), ReadError> {
        let near = self.shared.ring().after(self.log, self.cursor, BATCH);
        match near {
            Some(frames) => self.take_frames(frames, head),
            None => self.replay(head).await?,
        }
        Ok(())
    }

    fn take_frames(&mut self, frames: Vec<Arc<Frame>>, head: i64) {
        self.cursor = frames.last().map_or(head, |last| last.event.id);
        let wanted = frames
            .into_iter()
            .filter(|frame| self.filter.accepts(&frame.event));
        self.ready.extend(wanted.map(Item::Event));
    }

    async fn replay(&mut self, head: i64) -> Result<(), ReadError> {
        let reader = &self.shared.reader;
        let page = reader
            .replay(&self.filter, self.cursor, head, BATCH, REPLAY_BYTES)
            .await?;
        if self.progress.borrow().log != self.log {
            return Ok(());
        }
        self.cursor = match page.events.last() {
            Some(last) if page.more => last.id,
            _ => head,
        };
        self.ready.extend(
            page.events
                .into_iter()
                .map(|event| Item::Event(Frame::new(event))),
        );
        Ok(())
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.shared.subscribers.send_modify(|count| *count -= 1);
    }
}
