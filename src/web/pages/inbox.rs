//! What every page begins with: the sessions of now, and how headspace is doing.

use std::collections::{HashMap, HashSet};

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

pub struct Inbox {
    pub now: Zoned,
    pub health: Health,
    /// Nothing was ever recorded: there is no database yet.
    pub is_blank: bool,
    agents: Vec<AgentRow>,
    work: HashMap<i64, WorkRow>,
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
        let mut inbox = Inbox {
            now,
            health,
            is_blank,
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
