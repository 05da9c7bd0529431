//! What a batch adds to the log, decided from what the log already knows.
//!
//! In: [`Cause`]s (a line's entry, the end of a session, a wait that is over), and the rows and
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

mod commands;
mod facts;
mod hooks;
mod open;
mod parents;
mod questions;
pub mod replay;
mod sessions;
pub mod state;
mod states;
#[cfg(test)]
mod tests;
mod tools;
mod work;

use std::collections::HashMap;

use serde::{Deserialize, Deserializer, Serialize};

use crate::event::{
    EndReason, Ending, Entry, EventType, Moment, Rejection, StoredGroup, StoredKey, Timestamp, What,
};

pub use commands::{ChangedTurn, Command, Linked, Turn, TurnOf};
pub use hooks::Terminal;
pub use open::{OpenFacts, Process};
pub use questions::{Questions, questions};
use states::OpenLine;
pub use states::{Intent, Shown, States};
pub use tools::{CallEnd, Interruption, MessageUsage, ToolUse};
pub use work::{Mark, Newest, Work};

/// Why something may be added to the log.
#[derive(Debug, Clone, Copy)]
pub enum Cause<'a> {
    /// A line of the input with this checkpoint.
    Line(i64, &'a Entry),
    Ended(&'a Ending),
    /// The registry said idle of this session, and so long ago that no end will come.
    Passed(&'a str),
}

/// What the database said about the facts and sessions a batch speaks of.
#[derive(Debug, Default, Clone)]
pub struct Known {
    /// The machine that the batch was read on.
    pub host: String,
    /// Keys that are stored, with their event.
    pub facts: HashMap<StoredKey, KnownEvent>,
    pub groups: HashMap<StoredGroup, KnownGroup>,
    /// By path.
    pub projects: HashMap<String, i64>,
    /// By session.
    pub agents: HashMap<String, Agent>,
    /// By checkpoint: lines before this are read once more, and their facts are stored.
    pub known_until: HashMap<i64, u64>,
    /// The inputs' paths, by checkpoint.
    pub paths: HashMap<i64, String>,
    pub ids: Ids,
}

/// A stored event, as far as a copy of it must know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownEvent {
    pub id: i64,
    pub agent_id: Option<i64>,
    pub turn_id: Option<i64>,
}

/// The stored keys that begin alike.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KnownGroup {
    pub count: u32,
    /// The turn of the first one, and its command.
    pub turn: Option<TurnOf>,
}

/// An event by its id, or by its number in the plan, from 0 on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventOf {
    Stored(i64),
    Planned(usize),
}

impl EventOf {
    pub fn stored(self) -> Option<i64> {
        match self {
            EventOf::Stored(id) => Some(id),
            EventOf::Planned(_) => None,
        }
    }

    pub fn planned(self) -> Option<i64> {
        match self {
            EventOf::Stored(_) => None,
            EventOf::Planned(number) => i64::try_from(number).ok(),
        }
    }
}

/// Ids that no other row will get, as many as the batch may need. What is left
/// over is not used again.
#[derive(Debug, Default, Clone, Deserialize)]
pub struct Ids {
    pub projects: Reserved,
    pub agents: Reserved,
    pub commands: Reserved,
    pub turns: Reserved,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Reserved {
    /// The last one first.
    These(Vec<i64>),
    /// This one and all that follow.
    From { from: i64 },
}

impl Reserved {
    fn next(&mut self) -> i64 {
        match self {
            Reserved::These(ids) => ids.pop().expect("an id is reserved for each row"),
            Reserved::From { from } => {
                *from += 1;
                *from - 1
            }
        }
    }
}

impl Default for Reserved {
    fn default() -> Reserved {
        Reserved::These(Vec::new())
    }
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
    #[serde(default)]
    pub shown: Shown,
    /// The session that its process went on in.
    #[serde(default)]
    pub successor_id: Option<i64>,
    /// The session that it began as a copy of.
    #[serde(default)]
    pub forked_from_id: Option<i64>,
    /// The machine of its project, which is no column of its row,
    #[serde(default)]
    pub host: String,
    /// and others that it was seen on.
    #[serde(default, deserialize_with = "or_none")]
    pub other_hosts: Vec<String>,
}

/// NULL is nothing.
fn or_none<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    from: D,
) -> Result<T, D::Error> {
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
    /// Sessions at their prompt whose turn has no end yet, and since when.
    pub quiet: Vec<(String, Timestamp)>,
    /// Sessions that no clock ends: they live, or wait.
    pub declined: Vec<String>,
    pub events: Vec<NewEvent>,
    /// Each call and each message once, in the order of their ids: neighbours in the index
    /// are written together.
    pub tool_uses: Vec<ToolUse<'a>>,
    pub interruptions: Vec<Interruption>,
    pub usage: Vec<MessageUsage<'a>>,
    /// Rows that are new or changed.
    pub commands: Vec<Command>,
    pub turns: Vec<Turn>,
    /// Turns that are stored, each once.
    pub changed_turns: Vec<ChangedTurn>,
    /// Events that are stored and have their turn only now.
    pub linked: Vec<Linked>,
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
    pub command_id: Option<i64>,
    pub turn_id: Option<i64>,
    pub payload: String,
    pub keys: Vec<StoredKey>,
    /// None for what the watcher itself knows.
    pub source: Option<LineOrigin>,
}

impl NewEvent {
    pub fn is_hook(&self) -> bool {
        self.kind == EventType::HookReceived
    }
}

/// Where a line stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
        ids,
        new_facts: HashMap::new(),
        calls: HashMap::new(),
        messages: HashMap::new(),
        changed: Vec::new(),
        line: OpenLine::default(),
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
    ids: Ids,
    /// Keys of events planned in this batch.
    new_facts: HashMap<StoredKey, usize>,
    /// Where the plan's tool uses and messages stand, by their ids.
    calls: HashMap<&'a str, usize>,
    messages: HashMap<&'a str, usize>,
    /// Sessions whose row is not as it was, in the order that they changed.
    changed: Vec<String>,
    /// The line that is taken in.
    line: OpenLine,
    plan: Plan<'a>,
}

impl<'a> Planner<'a> {
    fn take_in(&mut self, cause: Cause<'a>) {
        let (checkpoint_id, entry) = match cause {
            Cause::Line(checkpoint_id, entry) => (checkpoint_id, entry),
            Cause::Ended(ending) => {
                self.on_line(None);
                return self.ended(ending, None);
            }
            Cause::Passed(session) => {
                self.on_line(None);
                return self.passed(session);
            }
        };
        let source = LineOrigin {
            checkpoint_id,
            offset: entry.offset,
        };
        self.on_line(Some(source));
        match &entry.what {
            What::Seen(seen) => self.seen(seen, source),
            What::Ended(ending) => self.ended(ending, Some(source)),
            What::Followed(followed) => self.followed(followed, source),
            What::Event(event) => self.event(event, source),
            What::Evidence(evidence) => {
                self.shown(evidence);
                self.evidence(evidence, source);
            }
            What::Rejected(rejection) => self.plan.rejections.push((source, rejection)),
        }
    }

    fn is_read_again(&self, source: LineOrigin) -> bool {
        let until = self.known.known_until.get(&source.checkpoint_id);
        until.is_some_and(|until| source.offset < *until)
    }

    fn finish(mut self) -> Plan<'a> {
        self.interrupt_calls();
        self.end_line();
        self.catch_up_children();
        let (mut plan, agents) = (self.plan, self.known.agents);
        plan.ended
            .retain(|(session, _)| agents[session].ended_at.is_some());
        plan.tool_uses.sort_unstable_by_key(|call| call.tool_use_id);
        plan.usage.sort_unstable_by_key(|cost| cost.message_id);
        plan.agents = self
            .changed
            .iter()
            .map(|session| agents[session].clone())
            .collect();
        plan
    }
}
