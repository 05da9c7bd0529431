//! What is said of a session.

use jiff::{Timestamp, Zoned};
use serde_json::Value;

use super::of_day;
use crate::store::read::AgentRow;

/// What an agent needs: what it does, and the thing itself in its own words.
/// `asks to run` and `npm test`; `hit the limit until 15:20` and nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    pub what: String,
    pub thing: Option<String>,
    /// The tool to be used; then the thing is its argument, no sentence.
    pub tool: Option<String>,
    brief: &'static str,
}

/// What this agent needs, if it does.
pub fn need(agent: &AgentRow, now: &Zoned) -> Option<Need> {
    let asks = agent.asks.as_deref().filter(|asks| !asks.trim().is_empty());
    let (what, brief) = match agent.needs.as_str() {
        "permission" => return Some(permission(asks)),
        "question" | "asked" => ("asks you", "asks"),
        "plan" => ("wants the plan approved", "plan"),
        "dialog" => ("shows a dialog", "dialog"),
        "error" => ("failed", "failed"),
        "limit" => return Some(limit(asks, now)),
        _ => return None,
    };
    Some(Need {
        what: what.to_owned(),
        thing: asks.map(str::to_owned),
        tool: None,
        brief,
    })
}

/// `Bash: npm test` asks to run a command, `Edit: src/a.rs` to use a tool.
fn permission(asks: Option<&str>) -> Need {
    let (tool, thing) = match asks.map(|asks| asks.split_once(": ").unwrap_or((asks, ""))) {
        None => (None, ""),
        Some((tool, thing)) => (Some(tool.to_owned()), thing),
    };
    Need {
        what: match tool.as_deref() {
            None => "asks for leave".to_owned(),
            Some("Bash") => "asks to run".to_owned(),
            Some(tool) => format!("asks to use {tool}"),
        },
        thing: (!thing.is_empty()).then(|| thing.to_owned()),
        tool,
        brief: "asks for leave",
    }
}

fn limit(asks: Option<&str>, now: &Zoned) -> Need {
    let until = asks.and_then(|asks| reset(asks, now));
    Need {
        what: match &until {
            Some(until) => format!("hit the limit until {until}"),
            None => "hit the limit".to_owned(),
        },
        // What is said already is not said twice.
        thing: asks.filter(|_| until.is_none()).map(str::to_owned),
        tool: None,
        brief: "hit the limit",
    }
}

/// When the limit ends: seconds since 1970 behind a bar, or words behind “resets”.
fn reset(asks: &str, now: &Zoned) -> Option<String> {
    let seconds = asks
        .rsplit_once('|')
        .and_then(|(_, tail)| tail.trim().parse().ok());
    if let Some(at) = seconds.and_then(|seconds| Timestamp::from_second(seconds).ok()) {
        return Some(of_day(at, now));
    }
    let (_, words) = asks.split_once("resets ")?;
    let words = words.split(['(', '\n', '.']).next()?.trim();
    let words = words.strip_prefix("at ").unwrap_or(words);
    (!words.is_empty()).then(|| words.to_owned())
}

impl Need {
    /// In one line of words: “asks to run `npm test`”, “asks you: “One or two?””.
    pub fn sentence(&self) -> String {
        let Need { what, .. } = self;
        match (self.thing.as_deref().map(first_line), &self.tool) {
            (None, _) => what.clone(),
            (Some(thing), Some(_)) => format!("{what} `{thing}`"),
            (Some(thing), None) => format!("{what}: “{thing}”"),
        }
    }

    /// In a column: “Bash: npm test”, “asks: “One or two?””.
    pub fn brief(&self) -> String {
        match (self.thing.as_deref().map(first_line), &self.tool) {
            (None, _) => self.what.clone(),
            (Some(thing), Some(tool)) => format!("{tool}: {thing}"),
            (Some(thing), None) => format!("{}: “{thing}”", self.brief),
        }
    }
}

/// What it is called; without a name, by its session's uuid, a subagent by its own id.
pub fn title(agent: &AgentRow) -> &str {
    let title = agent.title.as_deref().map(str::trim);
    let id = agent.session_uuid.rsplit('/').next().unwrap_or_default();
    let short = id.get(..8).unwrap_or(id);
    title.filter(|title| !title.is_empty()).unwrap_or(short)
}

/// The first line of the last words.
pub fn last_words(agent: &AgentRow) -> Option<&str> {
    let words = agent.last_words.as_deref().map(first_line);
    words.filter(|words| !words.is_empty())
}

pub fn first_line(text: &str) -> &str {
    let lines = text.lines().map(str::trim);
    lines
        .into_iter()
        .find(|line| !line.is_empty())
        .unwrap_or("")
}

/// Of a todo list the tasks done, and all.
pub fn todo_counts(agent: &AgentRow) -> Option<(usize, usize)> {
    let todos: Vec<Value> = serde_json::from_str(agent.todos.as_ref()?.get()).ok()?;
    let done = todos.iter().filter(|todo| todo["status"] == "completed");
    (!todos.is_empty()).then(|| (done.count(), todos.len()))
}
