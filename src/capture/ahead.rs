//! Reads the next batch on a thread of its own, while one is stored: the database works
//! elsewhere, and this thread plans for it.
//!
//! In: an [`Order`] of files, with the positions they are read from.
//! Out: the positions, and what was found.

use std::{io, sync::mpsc, thread};

use tokio::sync::oneshot;

use super::{
    gather::{Looks, Order},
    positions::Positions,
};

type Read = (Positions, Looks);

struct Job {
    order: Order,
    positions: Positions,
    reply: oneshot::Sender<Read>,
}

/// The thread, once it is needed. It ends with its owner.
#[derive(Default)]
pub struct Ahead(Option<mpsc::SyncSender<Job>>);

impl Ahead {
    /// Whether it can read: without a thread nothing is read ahead.
    pub fn is_there(&mut self) -> bool {
        if self.0.is_none() {
            // Where the system gives no thread, batches are read one after the other.
            self.0 = start().ok();
        }
        self.0.is_some()
    }

    /// Begins to read, if it is there; what was found comes through the channel.
    pub fn read(&mut self, order: Order, positions: Positions) -> oneshot::Receiver<Read> {
        let (reply, read) = oneshot::channel();
        let job = Job {
            order,
            positions,
            reply,
        };
        let jobs = self.0.as_ref().expect("it is there");
        jobs.send(job).expect("the thread waits for jobs");
        read
    }
}

fn start() -> io::Result<mpsc::SyncSender<Job>> {
    // There is one job at a time: the positions go along.
    let (jobs, todo) = mpsc::sync_channel::<Job>(1);
    let work = move || {
        for mut job in todo {
            let looks = job.order.read(&mut job.positions, None);
            // Its owner may be gone.
            let _ = job.reply.send((job.positions, looks));
        }
    };
    let thread = thread::Builder::new().name("read ahead".into());
    thread.spawn(work)?;
    Ok(jobs)
}
