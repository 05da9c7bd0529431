//! What is said of a session.

use jiff::{Timestamp, Zoned};
use serde_json::Value;

use super::of_day;
use crate::store::read::AgentRow;

const ASKS: &str = "asks for leave";
const HIT: &str = "hit the limit";

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
    let brief = match agent.needs.as_str() {
        "permission" => return Some(permission(asks)),
        "question" | "asked" => "asks",
        "plan" => "plan",
        "dialog" => "dialog",
        "error" => "failed",
        "limit" => return Some(limit(asks, now)),
        _ => return None,
    };
    Some(Need {
        what: plain(&agent.needs)?.to_owned(),
        thing: asks.map(str::to_owned),
        tool: None,
        brief,
    })
}

/// A need without its thing.
fn plain(needs: &str) -> Option<&'static str> {
    Some(match needs {
        "permission" => ASKS,
        "question" | "asked" => "asks you",
        "plan" => "wants the plan approved",
        "dialog" => "shows a dialog",
        "error" => "failed",
        "limit" => HIT,
        _ => return None,
    })
}

/// A change of a state, where what is needed says more than the state: “working → idle”,
/// “working → asks for leave”.
pub fn moved(from: &str, to: &str, needs: Option<&str>) -> String {
    let state = |name: &str| match name {
        "awaiting_input" => "waits for you".to_owned(),
        "processing" => "working".to_owned(),
        other => other.replace('_', " "),
    };
    let to = match needs.and_then(plain) {
        Some(need) => need.to_owned(),
        None => state(to),
    };
    format!("{} → {to}", state(from))
}

/// `Bash: npm test` asks to run a command, `Edit: src/a.rs` to use a tool.
fn permission(asks: Option<&str>) -> Need {
    let (tool, thing) = match asks.map(|asks| asks.split_once(": ").unwrap_or((asks, ""))) {
        None => (None, ""),
        Some((tool, thing)) => (Some(tool.to_owned()), thing),
    };
    Need {
        what: match tool.as_deref() {
            None => ASKS.to_owned(),
            Some("Bash") => "asks to run".to_owned(),
            Some(tool) => format!("asks to use {tool}"),
        },
        thing: (!thing.is_empty()).then(|| thing.to_owned()),
        tool,
        brief: ASKS,
    }
}

fn limit(asks: Option<&str>, now: &Zoned) -> Need {
    let until = asks.and_then(|asks| reset(asks, now));
    Need {
        what: match &until {
            Some(until) => format!("{HIT} until {until}"),
            None => HIT.to_owned(),
        },
        // What is said already is not said twice.
        thing: asks.filter(|_| until.is_none()).map(str::to_owned),
        tool: None,
        brief: HIT,
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
