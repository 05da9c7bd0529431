//! What a person is alerted of.

use std::collections::HashMap;

use jiff::{Timestamp, Zoned};

use super::{Age, last_words, need, root, seconds_since, session, title};
use crate::store::read::{AgentRow, WaitingRow};

/// What keeps a session from going on.
const BLOCKED: [&str; 6] = ["permission", "question", "plan", "dialog", "error", "limit"];

/// A turn that was shorter is no news when it is over.
const LONG_TURN_SECONDS: i64 = 60;

/// One wait, from the opening of a need to its end. Its key is session, kind and opening.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// The session: an agent that is no subagent.
    pub agent_id: i64,
    pub session_uuid: String,
    /// A need, or `finished`.
    pub kind: String,
    /// In the fixed width form.
    pub opened_at: String,
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

/// The waits among these agents that no person has seen or put off: of each session what
/// blocks it, and with `finished` also long turns that are over. What a subagent needs its
/// session needs, and once: a dialog of a subagent stands in both rows.
pub fn waits(rows: &[WaitingRow], finished: bool, now: &Zoned) -> Vec<Wait> {
    let by_id: HashMap<i64, &AgentRow> =
        rows.iter().map(|row| (row.agent.id, &row.agent)).collect();
    let mut below: HashMap<i64, Vec<&AgentRow>> = HashMap::new();
    for row in rows.iter().filter(|row| row.agent.open) {
        if let Some(root) = root(&row.agent, &by_id) {
            below.entry(root).or_default().push(&row.agent);
        }
    }
    let sessions = rows
        .iter()
        .filter(|row| row.agent.parent_agent_id.is_none());
    let wait = |row: &WaitingRow| {
        let below = below.get(&row.agent.id).into_iter().flatten().copied();
        let session = session(&row.agent, below);
        let asker = session.asker.unwrap_or(&row.agent);
        let words = match is_blocked(&asker.needs) {
            true => need(asker, now)?.sentence(),
            false if finished => over(row, now)?,
            false => return None,
        };
        let opened_at = asker.since.as_deref()?;
        let seen = [&row.agent, asker].map(|agent| agent.viewed_at.as_deref());
        let is_known = seen.into_iter().max()? >= Some(opened_at);
        let is_open = row.agent.open && !is_known && !session.is_snoozed(now.timestamp());
        is_open.then(|| Wait {
            agent_id: row.agent.id,
            session_uuid: row.agent.session_uuid.clone(),
            kind: match asker.needs.as_str() {
                "none" => "finished".to_owned(),
                needs => needs.to_owned(),
            },
            opened_at: opened_at.to_owned(),
            project: row.agent.project_name.clone(),
            title: title(&row.agent).to_owned(),
            words,
        })
    };
    sessions.filter_map(wait).collect()
}

/// What is said of a long turn that is over, if this is one.
fn over(row: &WaitingRow, now: &Zoned) -> Option<String> {
    let agent = &row.agent;
    let is_over = agent.unseen
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
                Some(words) => format!("{after}: “{words}”"),
                None => after,
            })
        }
        _ => None,
    }
}
