//! A window of a session's turns, with what was done between them, as it is read: a
//! pure function of rows and marks.

use std::collections::HashMap;

use jiff::Zoned;

use super::{
    markdown::Markdown,
    rows::{cut, from_folder},
    today::{many, span},
    visible::visible,
    when::When,
};
use crate::{
    content::{Mark, MarkedAt, Marks},
    show::{first_line, seconds_since, typed},
    store::read::{AgentRow, CommandRow, ToolUseRow, TurnRow},
};

/// So many calls in a row are shown one by one.
const CALLS: usize = 3;
/// What is shown of a turn at most; its event has all of it.
const TURN_CHARS: usize = 20_000;
/// What is shown of all thoughts together, each with its share,
const THOUGHTS_CHARS: usize = 60_000;
/// which is this at least.
const THOUGHT_CHARS: usize = 300;
/// A call that took this long says so.
const LONG_SECONDS: i64 = 1;

pub enum Item {
    Prompt {
        id: i64,
        event_id: i64,
        text: String,
        at: When,
        is_queued: bool,
        is_cut: bool,
    },
    Said {
        id: i64,
        event_id: i64,
        html: Markdown,
        at: When,
        is_cut: bool,
    },
    Steps(Steps),
    /// What a subagent was given to do, and what it said, by the place in its transcript.
    Task {
        offset: u64,
        text: String,
        at: When,
    },
    Words {
        offset: u64,
        html: Markdown,
        at: When,
    },
    Rule(String),
}

/// What was done and thought between two turns.
pub struct Steps {
    /// As long as more is done, it is that of the first one.
    pub id: String,
    /// Of many calls, the line that stands for them.
    pub fold: Option<Fold>,
    pub steps: Vec<Step>,
}

pub struct Fold {
    pub count: usize,
    pub failed: usize,
}

pub enum Step {
    Call(Call),
    Thought(Thought),
}

pub struct Call {
    pub id: i64,
    pub name: String,
    pub line: String,
    /// Of an edit, the lines that it added and removed.
    pub change: Option<(usize, usize)>,
    pub summary: String,
    /// `41 s · failed`
    pub end: String,
    pub is_bad: bool,
    /// Its result is in the transcript.
    pub has_ended: bool,
    /// Its agent is at it.
    pub is_open: bool,
    /// A person has to allow or answer it.
    pub waits: bool,
    pub at: When,
}

pub struct Thought {
    /// Its place in the transcript.
    pub offset: u64,
    pub line: String,
    pub text: String,
}

/// What stands between turns.
enum Between<'a> {
    Use(&'a ToolUseRow),
    Mark(&'a MarkedAt),
}

/// Turns, calls and marks oldest first.
pub fn items(
    agent: &AgentRow,
    turns: &[TurnRow],
    uses: &[ToolUseRow],
    commands: &[CommandRow],
    marks: &Marks,
    now: &Zoned,
) -> Vec<Item> {
    let commands: HashMap<i64, &CommandRow> = commands.iter().map(|row| (row.id, row)).collect();
    let mut between = between(uses, marks).into_iter().peekable();
    let mut talk = Talk::new(agent, marks, now);
    let mut last = None;
    for turn in turns {
        while let Some((_, one)) = between.next_if(|(at, _)| **at < *turn.timestamp) {
            talk.add(&one);
        }
        let command = commands.get(&turn.command_id);
        let is_new = last != Some(turn.command_id);
        if is_new {
            talk.end(last.and_then(|id| commands.get(&id)));
        }
        last = Some(turn.command_id);
        talk.push(item(turn, is_new, command.copied(), now));
    }
    for (_, one) in between {
        talk.add(&one);
    }
    talk.end(last.and_then(|id| commands.get(&id)));
    talk.close();
    talk.items
}

/// Calls and marks by their time; of one moment the mark stands first.
fn between<'a>(uses: &'a [ToolUseRow], marks: &'a Marks) -> Vec<(String, Between<'a>)> {
    let marks = marks
        .marks
        .iter()
        .map(|one| (one.at.to_string(), Between::Mark(one)));
    let uses = uses
        .iter()
        .map(|row| (row.started_at.to_string(), Between::Use(row)));
    let mut all: Vec<_> = marks.chain(uses).collect();
    all.sort_by(|(a, _), (b, _)| a.cmp(b));
    all
}

/// The items as they grow.
struct Talk<'a> {
    items: Vec<Item>,
    steps: Vec<Step>,
    agent: &'a AgentRow,
    marks: &'a Marks,
    thought_chars: usize,
    now: &'a Zoned,
}

impl<'a> Talk<'a> {
    fn new(agent: &'a AgentRow, marks: &'a Marks, now: &'a Zoned) -> Talk<'a> {
        let thoughts = marks.marks.iter();
        let thoughts = thoughts.filter(|one| matches!(one.mark, Mark::Thought(_)));
        let share = THOUGHTS_CHARS / thoughts.count().max(1);
        Talk {
            items: Vec::new(),
            steps: Vec::new(),
            agent,
            marks,
            thought_chars: share.max(THOUGHT_CHARS),
            now,
        }
    }

    fn push(&mut self, item: Item) {
        self.close();
        self.items.push(item);
    }

    fn add(&mut self, one: &Between<'_>) {
        match one {
            Between::Use(row) => {
                let change = self.marks.changes.get(&row.tool_use_id);
                self.steps
                    .push(Step::Call(call(self.agent, row, change.copied(), self.now)));
            }
            Between::Mark(one) => match &one.mark {
                Mark::Thought(text) => self.steps.push(Step::Thought(Thought {
                    offset: one.offset,
                    line: cut(first_line(text), 100),
                    text: cut(text, self.thought_chars),
                })),
                Mark::Compaction { trigger, tokens } => {
                    self.push(Item::Rule(compaction(trigger.as_deref(), *tokens)));
                }
                Mark::Task(text) => self.push(Item::Task {
                    offset: one.offset,
                    text: cut(text, TURN_CHARS),
                    at: When::clock(&one.at.to_string(), self.now),
                }),
                Mark::Said(text) => self.push(Item::Words {
                    offset: one.offset,
                    html: Markdown::new(&cut(text, TURN_CHARS)),
                    at: When::clock(&one.at.to_string(), self.now),
                }),
                Mark::Error(text) => {
                    self.push(Item::Rule(format!("error: {}", cut(first_line(text), 160))));
                }
            },
        }
    }

    /// How a command ended, if that is to be seen.
    fn end(&mut self, command: Option<&&CommandRow>) {
        let words = match command.and_then(|row| row.outcome.as_deref()) {
            Some("interrupted") => "interrupted",
            Some("failed") => "failed",
            Some("abandoned") => "left hanging",
            Some("superseded") => "overtaken by the next prompt",
            _ => return,
        };
        self.push(Item::Rule(words.to_owned()));
    }

    fn close(&mut self) {
        let steps = std::mem::take(&mut self.steps);
        let id = match steps.first() {
            None => return,
            Some(Step::Call(call)) => format!("c{}", call.id),
            Some(Step::Thought(thought)) => format!("s{}", thought.offset),
        };
        let calls = || {
            steps.iter().filter_map(|step| match step {
                Step::Call(call) => Some(call),
                Step::Thought(_) => None,
            })
        };
        let count = calls().count();
        let failed = calls().filter(|call| call.is_bad).count();
        let fold = (count > CALLS).then_some(Fold { count, failed });
        self.items.push(Item::Steps(Steps { id, fold, steps }));
    }
}

fn item(turn: &TurnRow, is_first: bool, command: Option<&CommandRow>, now: &Zoned) -> Item {
    let at = When::clock(&turn.timestamp, now);
    let is_cut = turn.text.chars().nth(TURN_CHARS).is_some();
    let (id, event_id) = (turn.id, turn.event_id);
    if turn.actor != "user" {
        let html = Markdown::new(&cut(&turn.text, TURN_CHARS));
        return Item::Said {
            id,
            event_id,
            html,
            at,
            is_cut,
        };
    }
    let text = cut(&typed(&turn.text), TURN_CHARS);
    let is_queued = command.is_some_and(|row| row.origin == "queued") && is_first;
    Item::Prompt {
        id,
        event_id,
        text,
        at,
        is_queued,
        is_cut,
    }
}

/// `context compacted by itself at 155 k tokens`
fn compaction(trigger: Option<&str>, tokens: Option<u64>) -> String {
    let mut words = "context compacted".to_owned();
    match trigger {
        Some("auto") => words += " by itself",
        Some("manual") => words += " by /compact",
        _ => {}
    }
    if let Some(tokens) = tokens {
        let tokens = i64::try_from(tokens).unwrap_or(i64::MAX);
        words += &format!(" at {} tokens", many(tokens));
    }
    words
}

pub fn call(
    agent: &AgentRow,
    row: &ToolUseRow,
    change: Option<(usize, usize)>,
    now: &Zoned,
) -> Call {
    let ended = row.ended_at.as_deref().and_then(|at| at.parse().ok());
    let took = ended.map(|ended| seconds_since(&row.started_at, ended));
    let took = took.filter(|seconds| *seconds >= LONG_SECONDS).map(span);
    let word = match row.outcome.as_deref() {
        Some("error") => Some("failed"),
        Some("denied") => Some("denied"),
        Some("interrupted") => Some("interrupted"),
        _ => None,
    };
    let has_ended = row.ended_at.is_some() || row.outcome.is_some();
    let is_open = agent.open && !has_ended;
    let asks = agent.asks.as_deref().unwrap_or_default();
    let waits = match agent.needs.as_str() {
        "permission" => asks.starts_with(&format!("{}:", row.name)) || asks == row.name,
        "question" => row.name == "AskUserQuestion",
        "plan" => row.name == "ExitPlanMode",
        _ => false,
    };
    let end: Vec<String> = took.into_iter().chain(word.map(str::to_owned)).collect();
    Call {
        id: row.id,
        name: cut(&row.name, 80),
        line: cut(from_folder(agent, first_line(&row.summary)), 160),
        change,
        summary: visible(&row.summary).into_owned(),
        end: end.join(" · "),
        is_bad: word.is_some(),
        has_ended,
        is_open,
        waits: is_open && waits,
        at: When::clock(&row.started_at, now),
    }
}
