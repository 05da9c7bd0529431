//! What every page begins with: the sessions of now, and how headspace is doing.

use std::{
    collections::{HashMap, HashSet},
    sync::atomic::{AtomicU64, Ordering},
};

use jiff::{SignedDuration, Zoned};

use crate::{
    event::Timestamp,
    show::{self, Mark, Session},
    store::read::{AgentRow, ReadError, WorkRow},
    web::{
        Shared,
        error::Problem,
        routes::health::{self, Health},
    },
};

/// An idle session is open for this long after it was seen last.
const IDLE_HOURS: i64 = 12;
/// What ended in the midst of something is shown for this long.
const LEFT_HOURS: i64 = 24;

/// Below this many bytes a watcher is just at work.
pub const MUCH_BEHIND: u64 = 1 << 20;

pub struct Inbox {
    pub now: Zoned,
    pub health: Health,
    /// Nothing was ever recorded: there is no database yet.
    pub is_blank: bool,
    /// The most bytes that were still to be read since this reading of history began.
    pub most_behind: u64,
    agents: Vec<AgentRow>,
    work: HashMap<i64, WorkRow>,
}

/// How much there was to be read when the reading of history began.
#[derive(Debug, Default)]
pub struct History(AtomicU64);

impl History {
    /// When little is left, the next one begins anew.
    fn most(&self, behind: u64) -> u64 {
        if behind < MUCH_BEHIND {
            self.0.store(0, Ordering::Relaxed);
        }
        self.0.fetch_max(behind, Ordering::Relaxed).max(behind)
    }
}

impl Inbox {
    pub async fn read(app: &Shared) -> Result<Inbox, Problem> {
        let now = Zoned::now();
        let before = |hours| {
            let at = now.timestamp() - SignedDuration::from_hours(hours);
            Timestamp::from_micros(at.as_microsecond())
        };
        let (rows, health) = tokio::join!(
            app.reader.inbox(before(IDLE_HOURS), before(LEFT_HOURS)),
            health::of(app)
        );
        let (rows, is_blank) = match rows {
            Err(ReadError::Absent | ReadError::SchemaMissing) => (Vec::new(), true),
            rows => (rows?, false),
        };
        let behind = health.bytes_behind();
        let mut inbox = Inbox {
            now,
            health,
            is_blank,
            most_behind: app.history.most(behind),
            agents: Vec::new(),
            work: HashMap::new(),
        };
        for row in rows {
            inbox.work.insert(row.agent.id, row.work);
            inbox.agents.push(row.agent);
        }
        Ok(inbox)
    }

    /// The most pressing first.
    pub fn sessions(&self) -> Vec<Session<'_>> {
        show::sessions(&self.agents)
    }

    /// What an agent is at.
    pub fn work(&self, agent: &AgentRow) -> WorkRow {
        self.work.get(&agent.id).cloned().unwrap_or_default()
    }

    /// It needs a person and was put off.
    pub fn is_snoozed(&self, session: &Session<'_>) -> bool {
        let until = session.agent.snoozed_until.as_deref();
        let until = until.and_then(|until| until.parse::<jiff::Timestamp>().ok());
        session.mark == Mark::NeedsYou && until.is_some_and(|until| until > self.now.timestamp())
    }

    /// Names of machines are shown where there are several.
    pub fn has_several_hosts(&self) -> bool {
        let hosts: HashSet<&str> = self.agents.iter().map(|agent| &*agent.host).collect();
        hosts.len() > 1
    }
}
