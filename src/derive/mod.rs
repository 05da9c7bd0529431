//! What a batch adds to the log, decided from what the log already knows.
//!
//! In: [`Cause`]s (a line's entry, the end of a session), and the rows and
//! reserved ids that [`questions`] asks for, as [`Known`].
//! Out: a [`Plan`]: whole rows, with their ids and those of the rows they name.
//!
//! Promises
//! - a fact that is stored, or planned before in the same batch, makes no second event
//! - an end and a line take the same path; each is judged by what came before it
//! - the same values in give the same plan out
//!
//! Not here: a clock, a file, a database (`store` asks and writes), the ids of
//! events (they are what readers follow, so none may be drawn and left unused).

mod facts;
mod hooks;
mod open;
mod questions;
mod sessions;
pub mod state;
#[cfg(test)]
mod tests;
mod tools;
mod work;

use std::{collections::HashMap, vec};

use serde::{Deserialize, Deserializer, Serialize};

use crate::event::{
    EndReason, Ending, Entry, EventType, Moment, Rejection, StoredGroup, StoredKey, Timestamp, What,
};

pub use hooks::Terminal;
pub use open::OpenFacts;
pub use questions::{Questions, questions};
pub use tools::{CallEnd, Interruption, MessageUsage, ToolUse};
pub use work::{Mark, Newest, Work};

/// Why something may be added to the log.
#[derive(Debug, Clone, Copy)]
pub enum Cause<'a> {
    /// A line of the input with this checkpoint.
    Line(i64, &'a Entry),
    Ended(&'a Ending),
}

/// What the database said about the facts and sessions a batch speaks of.
#[derive(Debug, Default, Clone)]
pub struct Known {
    /// Keys that are stored, with their event.
    pub facts: HashMap<StoredKey, i64>,
    /// How many stored keys each group has.
    pub groups: HashMap<StoredGroup, u32>,
    /// By path.
    pub projects: HashMap<String, i64>,
    /// By session.
    pub agents: HashMap<String, Agent>,
    pub ids: Ids,
}

/// Ids that no other row will get, as many as the batch may need. What is left
/// over is not used again.
#[derive(Debug, Default, Clone, Deserialize)]
pub struct Ids {
    pub projects: Vec<i64>,
    pub agents: Vec<i64>,
}

/// An agent's row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Agent {
    pub id: i64,
    pub session_uuid: String,
    pub project_id: i64,
    /// No column of its row: its children belong to the same project.
    pub project_path: String,
    pub parent_agent_id: Option<i64>,
    pub transcript_path: Option<String>,
    pub working_directory: String,
    /// None leaves the column as it is.
    #[serde(default)]
    pub iterm_pane_id: Option<String>,
    pub cli: String,
    pub started_at: Timestamp,
    pub last_seen_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub end_reason: Option<String>,
    pub registrations: u32,
    #[serde(default)]
    pub registered: bool,
    /// None leaves the column as it is.
    #[serde(default)]
    pub terminal: Option<Terminal>,
    #[serde(
        default,
        deserialize_with = "or_none",
        skip_serializing_if = "OpenFacts::is_empty"
    )]
    pub open_facts: OpenFacts,
    #[serde(default)]
    pub work: Work,
}

/// NULL is no open fact.
fn or_none<'de, D: Deserializer<'de>>(from: D) -> Result<OpenFacts, D::Error> {
    Option::deserialize(from).map(Option::unwrap_or_default)
}

/// A project's row. What it does not name stays as it is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Project {
    pub id: i64,
    pub path: String,
    pub name: String,
    pub git_remote: Option<String>,
    pub current_branch: Option<String>,
}

#[derive(Debug, Default)]
pub struct Plan<'a> {
    pub projects: Vec<Project>,
    /// Rows that are new or changed, a parent before its child.
    pub agents: Vec<Agent>,
    /// Sessions that begin, or begin again.
    pub registered: Vec<String>,
    /// Sessions that end, and why.
    pub ended: Vec<(String, EndReason)>,
    pub events: Vec<NewEvent>,
    /// Each call and each message once.
    pub tool_uses: Vec<ToolUse<'a>>,
    pub interruptions: Vec<Interruption>,
    pub usage: Vec<MessageUsage<'a>>,
    /// Further keys of facts that are stored already.
    pub aliases: Vec<(StoredKey, i64)>,
    pub rejections: Vec<(LineOrigin, &'a Rejection)>,
    /// By checkpoint: how many facts its input repeats, and a key of one.
    pub duplicates: HashMap<i64, (u64, String)>,
}

/// An event's row but for its id, and all the keys it is known by. The first is its own.
#[derive(Debug)]
pub struct NewEvent {
    pub kind: EventType,
    pub moment: Moment,
    pub project_id: Option<i64>,
    pub agent_id: Option<i64>,
    pub payload: String,
    pub keys: Vec<StoredKey>,
    /// None for what the watcher itself knows.
    pub source: Option<LineOrigin>,
}

/// Where a line stands.
#[derive(Debug, Clone, Copy)]
pub struct LineOrigin {
    pub checkpoint_id: i64,
    pub offset: u64,
}

/// Plans a batch. Within it, an earlier cause is known to a later one.
pub fn plan<'a>(causes: &[Cause<'a>], mut known: Known) -> Plan<'a> {
    let ids = std::mem::take(&mut known.ids);
    let agents = known.agents.iter();
    let mut planner = Planner {
        seen_before: agents
            .map(|(session, agent)| (session.clone(), agent.last_seen_at))
            .collect(),
        known,
        project_ids: ids.projects.into_iter(),
        agent_ids: ids.agents.into_iter(),
        new_facts: HashMap::new(),
        calls: HashMap::new(),
        messages: HashMap::new(),
        changed: Vec::new(),
        plan: Plan::default(),
    };
    for cause in causes {
        planner.take_in(*cause);
    }
    planner.finish()
}

struct Planner<'a> {
    known: Known,
    /// When the known sessions were last seen before this batch.
    seen_before: HashMap<String, Timestamp>,
    project_ids: vec::IntoIter<i64>,
    agent_ids: vec::IntoIter<i64>,
    /// Keys of events planned in this batch.
    new_facts: HashMap<StoredKey, usize>,
    /// Where the plan's tool uses and messages stand, by their ids.
    calls: HashMap<&'a str, usize>,
    messages: HashMap<&'a str, usize>,
    /// Sessions whose row is not as it was, in the order that they changed.
    changed: Vec<String>,
    plan: Plan<'a>,
}

impl<'a> Planner<'a> {
    fn take_in(&mut self, cause: Cause<'a>) {
        let (checkpoint_id, entry) = match cause {
            Cause::Line(checkpoint_id, entry) => (checkpoint_id, entry),
            Cause::Ended(ending) => return self.ended(ending, None),
        };
        let source = LineOrigin {
            checkpoint_id,
            offset: entry.offset,
        };
        match &entry.what {
            What::Seen(seen) => self.seen(seen, source),
            What::Ended(ending) => self.ended(ending, Some(source)),
            What::Event(event) => self.event(event, source),
            What::Evidence(evidence) => self.evidence(evidence, source),
            What::Rejected(rejection) => self.plan.rejections.push((source, rejection)),
        }
    }

    fn finish(mut self) -> Plan<'a> {
        self.interrupt_calls();
        let (mut plan, agents) = (self.plan, self.known.agents);
        plan.ended
            .retain(|(session, _)| agents[session].ended_at.is_some());
        plan.agents = self
            .changed
            .iter()
            .map(|session| agents[session].clone())
            .collect();
        plan
    }
}
