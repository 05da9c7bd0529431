//! The loop: looks at the rows when there is news, and does what the plan says.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::{Timestamp, Zoned};
use tokio::{
    sync::mpsc,
    time::{sleep, sleep_until},
};

use super::{
    News, Options,
    message::{How, Message},
    timing::{Now, Plan, Telling, Timing},
    ways::{self, Fault, Order, Receipt, Way},
};
use crate::{
    event,
    show::{self, Wait},
    store::{
        AlertKey, Failure, NewAlert, Writer,
        read::{AlertRow, ReadError, Reader},
    },
};

/// Looks are at least so far apart, however much is committed.
const APART: Duration = Duration::from_secs(1);
/// Before another look at a database that is away.
const AWAY: Duration = Duration::from_secs(5);
/// Receipts that wait to be kept.
const RECEIPTS: usize = 64;

pub struct Teller {
    host: String,
    finished: bool,
    reader: Reader,
    writer: Writer,
    news: Arc<News>,
    lanes: Vec<Lane>,
    receipts: mpsc::Receiver<Receipt>,
}

/// One way, with its plan and its worker.
struct Lane {
    way: &'static str,
    timing: Timing,
    orders: mpsc::Sender<Order>,
    /// A message may still have to be withdrawn.
    has_open: bool,
}

/// Why the rows could not be read or written; capture says so for all.
#[derive(Debug, thiserror::Error)]
enum Away {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Write(#[from] Failure),
}

impl Teller {
    pub fn new(
        options: &Options,
        ways: Vec<Way>,
        reader: Reader,
        writer: Writer,
        news: Arc<News>,
    ) -> Teller {
        let (sender, receipts) = mpsc::channel(RECEIPTS);
        let lane = |way: Way| Lane {
            way: way.name(),
            timing: Timing::default(),
            orders: way.start(sender.clone()),
            has_open: true,
        };
        Teller {
            host: options.host.clone(),
            finished: options.finished,
            reader,
            writer,
            news,
            lanes: ways.into_iter().map(lane).collect(),
            receipts,
        }
    }

    pub async fn run(mut self) {
        loop {
            let next = match self.look().await {
                Ok(next) => next,
                Err(error) => {
                    tracing::debug!(%error, "alerts wait for the database: {error}");
                    Some(Instant::now() + AWAY)
                }
            };
            // Two looks are at least so far apart, however fast commits come.
            sleep(APART).await;
            self.wait(next).await;
        }
    }

    /// Until there is news, or it is time.
    async fn wait(&mut self, next: Option<Instant>) {
        let due = async {
            match next {
                Some(next) => sleep_until(next.into()).await,
                None => std::future::pending().await,
            }
        };
        let mut due = std::pin::pin!(due);
        loop {
            tokio::select! {
                () = self.news.heard() => return,
                () = &mut due => return,
                Some((message, receipt)) = self.receipts.recv() => {
                    // Without it the notice stays until it is clicked.
                    if let Err(error) = self.writer.keep_receipt(&message, &receipt).await {
                        tracing::debug!(%error, "the receipt of an alert is not kept: {error}");
                    }
                }
            }
        }
    }

    /// Does what is due, and says when to look again.
    async fn look(&mut self) -> Result<Option<Instant>, Away> {
        let is_caught_up = self.news.is_caught_up();
        let rows = self.reader.waiting(Some(&self.host)).await?;
        let waits = show::waits(&rows, self.finished, &Zoned::now());
        let mut next = None;
        for place in 0..self.lanes.len() {
            let lane = &self.lanes[place];
            // Most of the time nothing waits, and nothing is to be asked.
            let told = match waits.is_empty() && !lane.has_open {
                true => Vec::new(),
                false => self.reader.alerts(lane.way, &self.host).await?,
            };
            let now = Now {
                steady: Instant::now(),
                wall: Timestamp::now(),
            };
            let plan = self.lanes[place]
                .timing
                .plan(&waits, &told, now, is_caught_up);
            let Plan {
                tell,
                withdraw,
                look_at,
            } = plan;
            let is_open = |row: &AlertRow| row.withdrawn_at.is_none();
            self.lanes[place].has_open = !tell.is_empty() || told.iter().any(is_open);
            for telling in &tell {
                self.tell(place, telling, &waits).await?;
            }
            for message in withdraw {
                self.withdraw(place, message, &told).await?;
            }
            next = [next, look_at].into_iter().flatten().min();
        }
        Ok(next)
    }

    /// Notes it, and then sends what was noted.
    async fn tell(&mut self, place: usize, telling: &Telling, waits: &[Wait]) -> Result<(), Away> {
        let (id, at) = (new_id(), event::Timestamp::now().to_string());
        let new: Vec<NewAlert> = telling
            .waits
            .iter()
            .map(|told| NewAlert {
                agent_id: waits[told.wait].agent_id,
                kind: waits[told.wait].kind.clone(),
                opened_at: waits[told.wait].opened_at.clone(),
                way: self.lanes[place].way,
                repeat: told.is_repeat,
                message: id.clone(),
                sent_at: at.clone(),
            })
            .collect();
        let noted = self.writer.tell(&new).await?;
        // Another watcher of this host may have told the others, or this one, before they
        // were put off for a while.
        let is_noted = |new: &NewAlert| {
            let key: AlertKey = (new.agent_id, new.kind.clone(), new.repeat);
            noted.contains(&key)
        };
        let all = telling.waits.iter().zip(&new);
        let (ours, known): (Vec<_>, Vec<_>) = all.partition(|(_, new)| is_noted(new));
        for (told, _) in known {
            self.lanes[place].timing.known(&waits[told.wait]);
        }
        let ours: Vec<_> = ours.into_iter().map(|(told, _)| told).collect();
        if ours.is_empty() {
            return Ok(());
        }
        self.lanes[place].timing.sent(Instant::now());
        let how = How {
            repeat: ours.iter().all(|told| told.is_repeat),
            late: telling.is_late,
        };
        let waits: Vec<&Wait> = ours.iter().map(|told| &waits[told.wait]).collect();
        let message = Message::alert(id, at, &self.host, &waits, how);
        tracing::debug!(
            way = self.lanes[place].way,
            alert = message.id,
            late = telling.is_late,
            "an alert for {} goes out",
            waits.len()
        );
        self.order(place, message, None);
        Ok(())
    }

    async fn withdraw(&mut self, place: usize, id: String, told: &[AlertRow]) -> Result<(), Away> {
        let now = event::Timestamp::now();
        if !self.writer.withdraw(&id, now).await? {
            return Ok(());
        }
        let rows: Vec<&AlertRow> = told.iter().filter(|row| row.message == id).collect();
        let receipt = rows.iter().find_map(|row| row.receipt.clone());
        let message = Message::withdrawn(id, now.to_string(), &self.host, &rows);
        self.order(place, message, receipt);
        Ok(())
    }

    fn order(&self, place: usize, message: Message, receipt: Option<String>) {
        let lane = &self.lanes[place];
        if let Err(error) = lane.orders.try_send(Order { message, receipt }) {
            let order = error.into_inner();
            let fault = Fault("too many wait for it already".to_owned());
            ways::warn(lane.way, &order.message, &fault);
        }
    }
}

fn new_id() -> String {
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes).expect("the system has randomness");
    event::hex(&bytes)
}
