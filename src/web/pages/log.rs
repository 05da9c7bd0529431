//! The log: whether everything is recorded, and what exactly.

use std::collections::HashMap;

use askama::Template;
use axum::{
    extract::{Path, State, rejection::PathRejection},
    http::StatusCode,
};
use jiff::Zoned;
use serde::Deserialize;

use super::{Answer, frame::Frame, html, inbox::Inbox, rows::cut, when::When};
use crate::{
    event::EventType,
    show::{self, of_day},
    store::{
        Filter, Stored,
        read::{AgentFilter, AgentRow},
    },
    web::{
        Shared,
        error::Problem,
        routes::{health::Health, query::Query},
    },
};

const EVENTS: usize = 100;

/// Which events are shown.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Choice {
    r#type: Option<String>,
    agent: Option<i64>,
    project: Option<i64>,
    before: Option<i64>,
}

#[derive(Template)]
#[template(path = "log.html", blocks = ["page"])]
struct Log {
    frame: Frame,
    states: Vec<StateLine>,
    chips: Vec<Chip>,
    lines: Vec<Line>,
    older: Option<String>,
    is_live: bool,
    /// Nothing is filtered.
    is_all: bool,
}

#[derive(Template)]
#[template(path = "event.html", blocks = ["page"])]
struct Event {
    frame: Frame,
    line: Line,
    agent: Option<i64>,
    json: String,
    recorded: When,
}

/// How a part of headspace does.
struct StateLine {
    name: &'static str,
    /// `good`, `bad`, or neither.
    tone: &'static str,
    text: String,
}

struct Chip {
    text: &'static str,
    address: String,
    is_on: bool,
}

struct Line {
    id: i64,
    at: When,
    kind: &'static str,
    agent: Option<i64>,
    session: String,
    summary: String,
}

pub async fn show(State(app): State<Shared>, Query(choice): Query<Choice>) -> Answer {
    html(&log(&app, &choice).await?)
}

pub async fn fragment(State(app): State<Shared>, Query(choice): Query<Choice>) -> Answer {
    html(&log(&app, &choice).await?.as_page())
}

/// One event, whole.
pub async fn event(State(app): State<Shared>, id: Result<Path<i64>, PathRejection>) -> Answer {
    let Path(id) = id.map_err(|_| Problem::bad_request("the event's id is no integer"))?;
    let all = Filter::default();
    let (inbox, page) = tokio::join!(
        Inbox::read(&app),
        app.reader
            .page(&all, id.checked_add(1), Some(id.saturating_sub(1)), 1)
    );
    let (inbox, page) = (inbox?, page?);
    let event = page.events.into_iter().next();
    let event =
        event.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "there is no such event"))?;
    let agents = agents_of(&app, std::slice::from_ref(&event)).await?;
    let mut frame = Frame::new(&inbox, &inbox.sessions(), &format!("Event {id}"));
    frame.tab = "log";
    let whole = serde_json::to_value(&event).unwrap_or_default();
    html(&Event {
        line: line(&event, &agents, &inbox.now),
        agent: event.agent_id,
        json: serde_json::to_string_pretty(&whole).unwrap_or_default(),
        recorded: When::clock(&event.recorded_at, &inbox.now),
        frame,
    })
}

async fn log(app: &Shared, choice: &Choice) -> Result<Log, Problem> {
    let filter = choice.filter()?;
    let observed = Filter {
        types: vec![EventType::SessionObserved],
        ..Filter::default()
    };
    let (inbox, page, hooks, observed) = tokio::join!(
        Inbox::read(app),
        app.reader.page(&filter, choice.before, None, EVENTS),
        app.reader.hooks(),
        app.reader.page(&observed, None, None, 1)
    );
    let (inbox, page) = (inbox?, page?);
    let agents = agents_of(app, &page.events).await?;
    let mut frame = Frame::new(&inbox, &inbox.sessions(), "Log");
    frame.tab = "log";
    frame.on = "log".to_owned();
    frame.fragment = choice.address("/fragments/log", choice.before);
    let ago = |at: &str| format!("{} ago", show::age(at, inbox.now.timestamp()).words());
    let hooks = hooks?;
    let hooks = hooks
        .iter()
        .map(|row| format!("{} {}", row.hook_type, ago(&row.last_received_at)));
    let observed = observed?.events;
    let observed = observed
        .first()
        .map(|event| format!("last change {}", ago(&event.timestamp)));
    let oldest = page.events.last().map(|event| event.id);
    Ok(Log {
        states: states(&inbox.health, hooks.collect(), observed),
        chips: choice.chips(),
        lines: page
            .events
            .iter()
            .map(|event| line(event, &agents, &inbox.now))
            .collect(),
        older: oldest
            .filter(|_| page.more)
            .map(|id| choice.address("/log", Some(id))),
        is_live: choice.before.is_none(),
        is_all: filter == Filter::default() && choice.before.is_none(),
        frame,
    })
}

async fn agents_of(app: &Shared, events: &[Stored]) -> Result<HashMap<i64, AgentRow>, Problem> {
    let mut ids: Vec<i64> = events.iter().filter_map(|event| event.agent_id).collect();
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let limit = ids.len();
    let filter = AgentFilter {
        ids,
        ..AgentFilter::default()
    };
    let agents = app.reader.agents(&filter, None, limit).await?;
    Ok(agents.into_iter().map(|agent| (agent.id, agent)).collect())
}

/// A part that has said nothing yet is neither well nor ill.
fn states(health: &Health, hooks: Vec<String>, observed: Option<String>) -> Vec<StateLine> {
    let line = |name, tone, text| StateLine { name, tone, text };
    let well = |name, is_well, text| line(name, if is_well { "good" } else { "bad" }, text);
    vec![
        well(
            "Watcher",
            health.watcher.running,
            readable(&health.watcher.to_string()),
        ),
        well("Database", health.is_connected(), health.database()),
        well("Stream", true, health.streams()),
        match hooks.is_empty() {
            true => line(
                "Hooks",
                "",
                "none has come; headspace hooks install shows dialogs at once".into(),
            ),
            false => well("Hooks", true, hooks.join(" · ")),
        },
        match observed {
            None => line("Registry", "", "no session was seen in it".into()),
            Some(observed) => well("Registry", true, observed),
        },
    ]
}

/// With the time since when it runs as people read it.
fn readable(watcher: &str) -> String {
    let parts = watcher.split(", ").map(|part| {
        let since = part.strip_prefix("since ");
        let since = since.and_then(|at| at.parse::<jiff::Timestamp>().ok());
        match since {
            Some(at) => format!("since {}", of_day(at, &Zoned::now())),
            None => part.to_owned(),
        }
    });
    parts.collect::<Vec<_>>().join(", ")
}

fn line(event: &Stored, agents: &HashMap<i64, AgentRow>, now: &Zoned) -> Line {
    let agent = event.agent_id.and_then(|id| agents.get(&id));
    Line {
        id: event.id,
        at: When::clock(&event.timestamp, now),
        kind: kind(&event.event_type),
        agent: event.agent_id,
        session: agent
            .map(|agent| cut(show::title(agent), 60))
            .unwrap_or_default(),
        summary: cut(&show::summary(event).text, 160),
    }
}

fn kind(event_type: &str) -> &'static str {
    match EventType::parse(event_type) {
        Some(EventType::SessionRegistered) => "registered",
        Some(EventType::SessionEnded) => "ended",
        Some(EventType::TurnDetected) => "turn",
        Some(EventType::StateTransition) => "state",
        Some(EventType::HookReceived) => "hook",
        Some(EventType::SessionObserved) => "observed",
        Some(EventType::SessionViewed) => "viewed",
        None => "other",
    }
}

impl Choice {
    fn filter(&self) -> Result<Filter, Problem> {
        let types = match self.r#type.as_deref() {
            None | Some("") => vec![],
            Some(word) => {
                let known = EventType::parse(word);
                let unknown = || Problem::bad_request(format!("type: unknown event type {word:?}"));
                vec![known.ok_or_else(unknown)?]
            }
        };
        Ok(Filter {
            types,
            agent_ids: self.agent.into_iter().collect(),
            project_ids: self.project.into_iter().collect(),
            ..Filter::default()
        })
    }

    fn address(&self, path: &str, before: Option<i64>) -> String {
        self.of_type(path, self.r#type.as_deref(), before)
    }

    fn of_type(&self, path: &str, kind: Option<&str>, before: Option<i64>) -> String {
        let number = |value: Option<i64>| value.map(|id| id.to_string());
        let pairs = [
            ("type", kind.map(str::to_owned)),
            ("agent", number(self.agent)),
            ("project", number(self.project)),
            ("before", number(before)),
        ];
        let pairs = pairs
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)));
        let query = serde_html_form::to_string(pairs.collect::<Vec<_>>()).unwrap_or_default();
        match query.is_empty() {
            true => path.to_owned(),
            false => format!("{path}?{query}"),
        }
    }

    fn chips(&self) -> Vec<Chip> {
        let one = |text, kind: Option<&str>| Chip {
            text,
            address: self.of_type("/log", kind, None),
            is_on: self.r#type.as_deref().filter(|word| !word.is_empty()) == kind,
        };
        let all = one("all", None);
        let types = EventType::ALL.iter().map(|kind| {
            let word = kind.as_str();
            one(self::kind(word), Some(word))
        });
        std::iter::once(all).chain(types).collect()
    }
}
