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
    /// The thing is a command or an argument, no sentence.
    pub is_code: bool,
}

/// What this agent needs, if it does.
pub fn need(agent: &AgentRow, now: &Zoned) -> Option<Need> {
    let asks = agent.asks.as_deref().filter(|asks| !asks.trim().is_empty());
    let (what, thing, is_code) = match agent.needs.as_str() {
        "permission" => return Some(permission(asks)),
        "question" | "asked" => ("asks you".to_owned(), asks, false),
        "plan" => ("wants the plan approved".to_owned(), asks, false),
        "dialog" => ("shows a dialog".to_owned(), asks, false),
        "error" => ("failed".to_owned(), asks, false),
        "limit" => return Some(limit(asks, now)),
        _ => return None,
    };
    Some(Need {
        what,
        thing: thing.map(str::to_owned),
        is_code,
    })
}

/// `Bash: npm test` asks to run a command, `Edit: src/a.rs` to use a tool.
fn permission(asks: Option<&str>) -> Need {
    let (what, thing) = match asks.map(|asks| asks.split_once(": ").unwrap_or((asks, ""))) {
        None => ("asks for leave".to_owned(), ""),
        Some(("Bash", command)) => ("asks to run".to_owned(), command),
        Some((tool, argument)) => (format!("asks to use {tool}"), argument),
    };
    Need {
        what,
        thing: (!thing.is_empty()).then(|| thing.to_owned()),
        is_code: true,
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
        is_code: false,
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
        match (self.thing.as_deref().map(first_line), self.is_code) {
            (None, _) => what.clone(),
            (Some(thing), true) => format!("{what} `{thing}`"),
            (Some(thing), false) => format!("{what}: “{thing}”"),
        }
    }
}

/// What it is called; without a name, by its session's uuid.
pub fn title(agent: &AgentRow) -> &str {
    let title = agent.title.as_deref().map(str::trim);
    let short = agent.session_uuid.get(..8).unwrap_or(&agent.session_uuid);
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
