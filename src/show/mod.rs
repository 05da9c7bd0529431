//! How sessions look and what is said of them, the same on a page and in the terminal.
//!
//! In: rows of agents, the time.
//! Out: [`Session`]s with their [`Mark`], and their words.
//!
//! Promises
//! - a session shows as the first that fits: ended, needs you, finished and unread,
//!   working, something in the background, idle
//! - what a subagent needs stands on its root; a subagent is no session
//! - pure: no clock and no database
//!
//! Not here: text is as it was written; where it is shown it is made harmless.

mod event;
mod resume;
mod terminal;
#[cfg(test)]
mod tests;
mod time;
mod typed;
mod waits;
mod words;

use std::collections::HashMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::store::read::AgentRow;

pub use event::{Summary, summary};
pub use resume::{resume, resume_command};
pub use terminal::{Terminal, Tmux};
pub use time::{Age, age, of_day, seconds_since};
pub use typed::typed;
pub use waits::{Wait, is_blocked, waits};
pub use words::{Need, first_line, last_words, moved, need, title, todo_counts};

/// A session at work that nothing was heard of for this long shows no sign of life.
const SILENT_SECONDS: i64 = 600;

/// What a session shows as, the most pressing first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    NeedsYou,
    Finished,
    Working,
    Background,
    Idle,
    Ended,
}

/// A root agent with what its subagents add to it.
#[derive(Debug)]
pub struct Session<'a> {
    pub agent: &'a AgentRow,
    pub mark: Mark,
    /// The agent that needs something: the root or a subagent.
    pub asker: Option<&'a AgentRow>,
    /// Subagents at work.
    pub subagents: usize,
}

impl Mark {
    pub const ALL: [Mark; 6] = [
        Mark::NeedsYou,
        Mark::Finished,
        Mark::Working,
        Mark::Background,
        Mark::Idle,
        Mark::Ended,
    ];

    /// What a move to this state shows as.
    pub fn moved_to(state: &str, needs: Option<&str>) -> Mark {
        match state {
            _ if needs.is_some_and(|needs| needs != "none") => Mark::NeedsYou,
            "awaiting_input" => Mark::NeedsYou,
            "commanded" | "processing" => Mark::Working,
            _ => Mark::Idle,
        }
    }

    pub fn glyph(self) -> char {
        match self {
            Mark::NeedsYou => '■',
            Mark::Finished => '●',
            Mark::Working => '◐',
            Mark::Background => '◌',
            Mark::Idle => '○',
            Mark::Ended => '×',
        }
    }

    /// `2 need you`, `1 working`.
    pub fn counted(self, count: usize) -> String {
        let word = match self {
            Mark::NeedsYou if count == 1 => "needs you",
            Mark::NeedsYou => "need you",
            Mark::Finished => "finished",
            Mark::Working => "working",
            Mark::Background => "in the background",
            Mark::Idle => "idle",
            Mark::Ended => "ended",
        };
        format!("{count} {word}")
    }
}

/// The sessions among these agents, the most pressing first: of those that need you the
/// blocked ones, the longest wait first; of the others the newest first.
pub fn sessions(agents: &[AgentRow]) -> Vec<Session<'_>> {
    let by_id: HashMap<i64, &AgentRow> = agents.iter().map(|agent| (agent.id, agent)).collect();
    let mut below: HashMap<i64, Vec<&AgentRow>> = HashMap::new();
    for agent in agents.iter().filter(|agent| agent.open) {
        if let Some(root) = root(agent, &by_id) {
            below.entry(root).or_default().push(agent);
        }
    }
    let roots = agents
        .iter()
        .filter(|agent| agent.parent_agent_id.is_none());
    let mut sessions: Vec<_> = roots
        .map(|agent| {
            let below = below.get(&agent.id).into_iter().flatten().copied();
            session(agent, below)
        })
        .collect();
    sessions.sort_by(|a, b| {
        a.rank()
            .cmp(&b.rank())
            .then_with(|| match a.mark {
                Mark::NeedsYou => a.since().cmp(b.since()),
                _ => b.since().cmp(a.since()),
            })
            .then(a.agent.id.cmp(&b.agent.id))
    });
    sessions
}

/// How many sessions show as each mark.
pub fn count(sessions: &[Session<'_>], mark: Mark) -> usize {
    sessions
        .iter()
        .filter(|session| session.mark == mark)
        .count()
}

/// How many need a person and are not put off.
pub fn waiting(sessions: &[Session<'_>], now: Timestamp) -> usize {
    sessions
        .iter()
        .filter(|session| session.mark == Mark::NeedsYou && !session.is_snoozed(now))
        .count()
}

impl Session<'_> {
    /// A person put it off until later.
    pub fn is_snoozed(&self, now: Timestamp) -> bool {
        let until = self.agent.snoozed_until.as_deref();
        let until: Option<Timestamp> = until.and_then(|until| until.parse().ok());
        self.mark == Mark::NeedsYou && until.is_some_and(|until| until > now)
    }

    /// For how many seconds nothing was heard of it though it is at work, if that is
    /// long, and no process or hook would tell.
    pub fn silence(&self, now: Timestamp) -> Option<i64> {
        let seconds = seconds_since(&self.agent.last_seen_at, now);
        let is_silent = self.mark == Mark::Working && !self.agent.witnessed;
        (is_silent && seconds >= SILENT_SECONDS).then_some(seconds)
    }

    /// When what it shows began.
    pub fn since(&self) -> &str {
        let agent = self.asker.unwrap_or(self.agent);
        match (&agent.since, self.mark) {
            (_, Mark::Ended) => agent.ended_at.as_ref().unwrap_or(&agent.last_seen_at),
            (Some(since), _) => since,
            (None, _) => &agent.last_seen_at,
        }
    }

    /// Blocked by something stands before a question in its words.
    fn rank(&self) -> (Mark, bool) {
        (
            self.mark,
            self.asker.is_some_and(|asker| asker.needs == "asked"),
        )
    }
}

/// The root of a subagent; none for a root.
fn root(agent: &AgentRow, by_id: &HashMap<i64, &AgentRow>) -> Option<i64> {
    let mut root = agent.parent_agent_id?;
    // Bounded: rows that name each other as parents have no root.
    for _ in 0..by_id.len() {
        match by_id.get(&root).and_then(|parent| parent.parent_agent_id) {
            Some(above) => root = above,
            None => return Some(root),
        }
    }
    None
}

/// An agent with its open subagents.
pub fn session<'a>(
    agent: &'a AgentRow,
    below: impl IntoIterator<Item = &'a AgentRow>,
) -> Session<'a> {
    let below: Vec<&AgentRow> = below.into_iter().collect();
    let subagents = below.iter().filter(|agent| is_at_work(agent)).count();
    let all = std::iter::once(agent).chain(below);
    let needy = all.filter(|agent| agent.open && agent.needs != "none");
    let asker = needy.min_by(|a, b| {
        let rank = |agent: &AgentRow| (agent.needs == "asked", agent.since.clone());
        rank(a).cmp(&rank(b))
    });
    let mark = match agent.state.as_str() {
        _ if !agent.open => Mark::Ended,
        _ if asker.is_some() => Mark::NeedsYou,
        _ if is_at_work(agent) => Mark::Working,
        _ if agent.unseen => Mark::Finished,
        _ if agent.background > 0 || subagents > 0 => Mark::Background,
        _ => Mark::Idle,
    };
    Session {
        agent,
        mark,
        asker: asker.filter(|_| agent.open),
        subagents,
    }
}

fn is_at_work(agent: &AgentRow) -> bool {
    ["commanded", "processing"].contains(&agent.state.as_str())
}
