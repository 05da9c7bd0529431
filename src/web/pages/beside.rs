//! What stands beside a conversation: its prompts, what is to do, subagents, files, and
//! how its state moved.

use jiff::{Timestamp, Zoned};
use serde::Deserialize;

use super::{
    frame::{name, state_word},
    rows::{cut, from_folder},
    subagents::{self, Subagent},
    today::span,
    when::When,
};
use crate::{
    event::EventType,
    show::{self, Mark, first_line, typed},
    store::{
        Filter, Stored,
        read::{AgentRow, FileRow},
    },
    web::{Shared, error::Problem},
};

const PROMPTS: usize = 60;
/// The moves that are shown one by one.
const LAST_MOVES: usize = 5;
/// The most moves in the band.
const BAND_MOVES: usize = 300;
/// The band's width in its own units.
const BAND: f64 = 1000.0;

pub struct Beside {
    pub prompts: Vec<Prompt>,
    pub todos: Vec<Todo>,
    pub todo_counts: Option<(usize, usize)>,
    pub subagents: Vec<Subagent>,
    pub files: Vec<FileRow>,
}

pub struct Prompt {
    pub id: i64,
    pub line: String,
    /// It is in the window that is shown.
    pub is_shown: bool,
}

#[derive(Deserialize)]
pub struct Todo {
    #[serde(default)]
    pub content: String,
    #[serde(default)]
    pub status: String,
}

/// How an agent's state moved.
pub struct Moves {
    /// Newest first.
    pub last: Vec<Move>,
    pub band: Vec<Piece>,
    pub working: String,
    pub waited: Option<String>,
}

pub struct Move {
    pub event_id: i64,
    pub at: When,
    /// “working → asks for leave”.
    pub moved: String,
    pub because: String,
}

/// A part of the band.
pub struct Piece {
    pub x: String,
    pub width: String,
    pub mark: &'static str,
    pub word: &'static str,
    pub from: When,
    pub lasted: String,
}

#[derive(Deserialize)]
struct Transition {
    from_state: String,
    to_state: String,
    trigger: String,
    needs: Option<String>,
    rule: Option<serde_json::Value>,
    confidence: Option<f64>,
    evidence: Option<serde_json::Value>,
}

impl Beside {
    pub async fn read(app: &Shared, agent: &AgentRow) -> Result<Beside, Problem> {
        let (prompts, subagents, files) = tokio::join!(
            app.reader.prompts_of(agent.id, PROMPTS),
            subagents::of(app, agent),
            app.reader.files_of(agent.id)
        );
        let mut prompts: Vec<Prompt> = prompts?
            .into_iter()
            .map(|row| Prompt {
                id: row.id,
                line: cut(first_line(&typed(&row.text)), 80),
                is_shown: false,
            })
            .collect();
        prompts.reverse();
        let todos = agent
            .todos
            .as_ref()
            .and_then(|todos| serde_json::from_str(todos.get()).ok());
        Ok(Beside {
            prompts,
            todos: todos.unwrap_or_default(),
            todo_counts: show::todo_counts(agent),
            subagents: subagents?,
            files: files?.into_iter().map(|file| below(agent, file)).collect(),
        })
    }

    /// The window that is shown begins with this turn.
    pub fn mark_shown(&mut self, first: i64) {
        for prompt in &mut self.prompts {
            prompt.is_shown = prompt.id >= first;
        }
    }
}

/// Named from the session's folder.
fn below(agent: &AgentRow, file: FileRow) -> FileRow {
    let path = from_folder(agent, &file.path).to_owned();
    FileRow { path, ..file }
}

impl Moves {
    pub async fn read(app: &Shared, agent: &AgentRow, now: &Zoned) -> Result<Moves, Problem> {
        let filter = Filter {
            types: vec![EventType::StateTransition],
            agent_ids: vec![agent.id],
            ..Filter::default()
        };
        let page = app.reader.page(&filter, None, None, BAND_MOVES).await?;
        Ok(Moves::of(&page.events, agent, now))
    }

    /// Of events, newest first.
    fn of(events: &[Stored], agent: &AgentRow, now: &Zoned) -> Moves {
        let moves: Vec<(&Stored, Transition)> = events
            .iter()
            .filter_map(|event| Some((event, serde_json::from_str(event.payload.get()).ok()?)))
            .collect();
        let last = moves
            .iter()
            .take(LAST_MOVES)
            .map(|(event, one)| one.shown(event, now));
        // What ended by silence did nothing since it was seen last.
        let ended = (!agent.open).then(|| &*agent.last_seen_at);
        let end = ended.and_then(|at| at.parse().ok());
        let spans = spans(&moves, end.unwrap_or(now.timestamp()));
        let sum = |mark: Mark| {
            let own = spans.iter().filter(|(own, ..)| *own == mark);
            own.map(|(_, from, until)| until.duration_since(*from).as_secs())
                .sum::<i64>()
        };
        let waited = sum(Mark::NeedsYou);
        Moves {
            last: last.collect(),
            working: span(sum(Mark::Working)),
            waited: (waited > 0).then(|| span(waited)),
            band: band(&spans, now),
        }
    }
}

impl Transition {
    fn shown(&self, event: &Stored, now: &Zoned) -> Move {
        let mut because = vec![self.trigger.clone()];
        because.extend(
            self.rule
                .as_ref()
                .map(|rule| format!("rule {}", bare(rule))),
        );
        because.extend(self.confidence.map(|c| format!("{:.0} % sure", c * 100.0)));
        because.extend(self.evidence.as_ref().and_then(place));
        Move {
            event_id: event.id,
            at: When::clock(&event.timestamp, now),
            moved: show::moved(&self.from_state, &self.to_state, self.needs.as_deref()),
            because: cut(&because.join(" · "), 200),
        }
    }
}

/// Where the evidence stands: a hook, an event of the log, or a place in a file.
fn place(evidence: &serde_json::Value) -> Option<String> {
    if let Some(hook) = evidence["hook"].as_str() {
        return Some(format!("hook {hook}"));
    }
    let id = evidence["event"].as_i64().or(evidence["event_id"].as_i64());
    if let Some(id) = id {
        return Some(format!("event {id}"));
    }
    let source = evidence["source"].as_str()?;
    let name = match source.contains("/spool/") {
        true => "the spool",
        false => "its transcript",
    };
    Some(match evidence["offset"].as_u64() {
        Some(offset) => format!("{name}, byte {offset}"),
        None => name.to_owned(),
    })
}

/// A text without its quotes.
fn bare(value: &serde_json::Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

type Span = (Mark, Timestamp, Timestamp);

/// Oldest first, each up to the next.
fn spans(moves: &[(&Stored, Transition)], end: Timestamp) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for (event, one) in moves.iter().rev() {
        let Ok(at) = event.timestamp.parse::<Timestamp>() else {
            continue;
        };
        if let Some(last) = spans.last_mut() {
            last.2 = at.max(last.1);
        }
        let now = Mark::moved_to(&one.to_state, one.needs.as_deref());
        match spans.last() {
            Some((mark, ..)) if *mark == now => {}
            _ => spans.push((now, at, at)),
        }
    }
    if let Some(last) = spans.last_mut() {
        last.2 = end.max(last.1);
    }
    spans
}

fn band(spans: &[Span], now: &Zoned) -> Vec<Piece> {
    let (Some(first), Some(last)) = (spans.first(), spans.last()) else {
        return Vec::new();
    };
    let all = last.2.duration_since(first.1).as_secs_f64().max(1.0);
    let place = |at: Timestamp| at.duration_since(first.1).as_secs_f64() / all * BAND;
    let piece = |(mark, from, until): &Span| Piece {
        x: format!("{:.1}", place(*from)),
        width: format!("{:.1}", (place(*until) - place(*from)).max(1.0)),
        mark: name(*mark),
        word: state_word(*mark),
        from: When::clock(&from.to_string(), now),
        lasted: span(until.duration_since(*from).as_secs()),
    };
    spans.iter().map(piece).collect()
}
