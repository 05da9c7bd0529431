//! What a person is alerted of.

use std::collections::HashMap;

use jiff::{Timestamp, Zoned};

use super::{Age, first_line, last_words, need, seconds_since, session, title};
use crate::store::read::{AgentRow, WaitingRow};

/// What keeps a session from going on.
const BLOCKED: [&str; 6] = ["permission", "question", "plan", "dialog", "error", "limit"];

/// A turn that was shorter is no news when it is over.
const LONG_TURN_SECONDS: i64 = 60;

/// One wait, from the opening of a need to its end. Its key is agent, kind and opening.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// The agent that waits.
    pub agent_id: i64,
    /// A need, or `finished`.
    pub kind: String,
    /// In the fixed width form.
    pub opened_at: String,
    /// The session that it stands on: the agent's root.
    pub root_id: i64,
    pub session_uuid: String,
    pub project: String,
    pub title: String,
    /// “asks to run `npm test`”.
    pub words: String,
}

impl Wait {
    /// Whether it is one that blocks.
    pub fn is_blocked(&self) -> bool {
        is_blocked(&self.kind)
    }
}

/// Whether such a need keeps a session from going on.
pub fn is_blocked(needs: &str) -> bool {
    BLOCKED.contains(&needs)
}

/// The waits among these agents that no person has seen or put off: what blocks them, and
/// with `finished` also turns that are over. A subagent's stand on its root.
pub fn waits(rows: &[WaitingRow], finished: bool, now: &Zoned) -> Vec<Wait> {
    let by_id: HashMap<i64, &AgentRow> =
        rows.iter().map(|row| (row.agent.id, &row.agent)).collect();
    let mut waits = Vec::new();
    for row in rows.iter().filter(|row| row.agent.open) {
        let Some(root) = root(&row.agent, &by_id) else {
            continue;
        };
        let words = match is_blocked(&row.agent.needs) {
            true => need(&row.agent, now).map(|need| need.sentence()),
            false if finished => over(row, now),
            false => None,
        };
        let (Some(words), Some(since)) = (words, &row.agent.since) else {
            continue;
        };
        if is_known(&row.agent, since, root, now.timestamp()) {
            continue;
        }
        let kind = match row.agent.needs.as_str() {
            "none" => "finished",
            needs => needs,
        };
        waits.push(Wait {
            agent_id: row.agent.id,
            kind: kind.to_owned(),
            opened_at: since.to_string(),
            root_id: root.id,
            session_uuid: root.session_uuid.clone(),
            project: root.project_name.clone(),
            title: title(root).to_owned(),
            words,
        });
    }
    waits
}

/// What is said of a long turn that is over, if this is one.
fn over(row: &WaitingRow, now: &Zoned) -> Option<String> {
    let agent = &row.agent;
    let is_over = agent.parent_agent_id.is_none()
        && agent.unseen
        && matches!(agent.state.as_str(), "idle" | "awaiting_input")
        && matches!(agent.needs.as_str(), "none" | "asked");
    let completed: Timestamp = row.command_completed_at.as_deref()?.parse().ok()?;
    let seconds = seconds_since(row.command_started_at.as_deref()?, completed);
    if !is_over || seconds <= LONG_TURN_SECONDS {
        return None;
    }
    match (row.outcome.as_deref(), need(agent, now)) {
        (Some("asked"), Some(need)) => Some(need.sentence()),
        (Some("done"), None) => {
            let after = format!("finished after {}", Age::of(seconds).words());
            Some(match last_words(agent) {
                Some(words) => format!("{after}: “{}”", first_line(words)),
                None => after,
            })
        }
        _ => None,
    }
}

/// A person looked at it since, or put it off.
fn is_known(agent: &AgentRow, since: &str, root: &AgentRow, now: Timestamp) -> bool {
    let seen = [agent, root]
        .into_iter()
        .filter_map(|one| one.viewed_at.as_deref());
    seen.max() >= Some(since) || session(root, [agent]).is_snoozed(now)
}

/// Where it stands; none where it is not among these, or is not open.
fn root<'a>(agent: &'a AgentRow, by_id: &HashMap<i64, &'a AgentRow>) -> Option<&'a AgentRow> {
    let mut root = agent;
    // Bounded: rows that name each other as parents have no root.
    for _ in 0..=by_id.len() {
        match root.parent_agent_id {
            Some(parent) => root = by_id.get(&parent)?,
            None => return Some(root).filter(|root| root.open),
        }
    }
    None
}
