//! A window of a session's turns, with what was done between them, as it is read: a
//! pure function of rows.

use std::collections::HashMap;

use jiff::Zoned;

use super::{markdown::Markdown, rows::cut, today::span, visible::visible, when::When};
use crate::{
    show::{first_line, seconds_since},
    store::read::{CommandRow, ToolUseRow, TurnRow},
};

/// So many calls in a row are shown one by one.
const CALLS: usize = 3;
/// What is shown of a turn at most; its event has all of it.
const TURN_CHARS: usize = 20_000;
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
    Calls(Calls),
    Rule(String),
}

pub struct Calls {
    pub id: i64,
    /// Of many calls, the line that stands for them.
    pub fold: Option<Fold>,
    pub calls: Vec<Call>,
}

pub struct Fold {
    pub count: usize,
    pub failed: usize,
}

pub struct Call {
    pub id: i64,
    pub name: String,
    pub line: String,
    pub summary: String,
    /// `41 s · failed`
    pub end: String,
    pub is_bad: bool,
    pub is_open: bool,
    pub at: When,
}

/// All three oldest first.
pub fn items(
    turns: &[TurnRow],
    uses: &[ToolUseRow],
    commands: &[CommandRow],
    now: &Zoned,
) -> Vec<Item> {
    let commands: HashMap<i64, &CommandRow> = commands.iter().map(|row| (row.id, row)).collect();
    let mut items = Vec::new();
    let mut uses = uses.iter().peekable();
    let mut calls = Vec::new();
    let mut last = None;
    for turn in turns {
        while let Some(call) = uses.next_if(|call| *call.started_at < *turn.timestamp) {
            calls.push(call);
        }
        flush(&mut items, &mut calls, now);
        let command = commands.get(&turn.command_id);
        let is_new = last != Some(turn.command_id);
        if is_new {
            items.extend(
                last.and_then(|id| commands.get(&id))
                    .and_then(|row| rule(row)),
            );
        }
        last = Some(turn.command_id);
        items.push(item(turn, is_new, command.copied(), now));
    }
    calls.extend(uses);
    flush(&mut items, &mut calls, now);
    items.extend(
        last.and_then(|id| commands.get(&id))
            .and_then(|row| rule(row)),
    );
    items
}

fn item(turn: &TurnRow, is_first: bool, command: Option<&CommandRow>, now: &Zoned) -> Item {
    let at = When::clock(&turn.timestamp, now);
    let text = cut(&turn.text, TURN_CHARS);
    let is_cut = turn.text.chars().nth(TURN_CHARS).is_some();
    let (id, event_id) = (turn.id, turn.event_id);
    if turn.actor != "user" {
        let html = Markdown::new(&text);
        return Item::Said {
            id,
            event_id,
            html,
            at,
            is_cut,
        };
    }
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

/// How a command ended, if that is to be seen.
fn rule(command: &CommandRow) -> Option<Item> {
    let words = match command.outcome.as_deref()? {
        "interrupted" => "interrupted",
        "failed" => "failed",
        "abandoned" => "left hanging",
        "superseded" => "overtaken by the next prompt",
        _ => return None,
    };
    Some(Item::Rule(words.to_owned()))
}

fn flush(items: &mut Vec<Item>, calls: &mut Vec<&ToolUseRow>, now: &Zoned) {
    let Some(first) = calls.first() else {
        return;
    };
    let id = first.id;
    let shown: Vec<Call> = calls.drain(..).map(|row| call(row, now)).collect();
    let failed = shown.iter().filter(|call| call.is_bad).count();
    let fold = (shown.len() > CALLS).then_some(Fold {
        count: shown.len(),
        failed,
    });
    items.push(Item::Calls(Calls {
        id,
        fold,
        calls: shown,
    }));
}

fn call(row: &ToolUseRow, now: &Zoned) -> Call {
    let ended = row.ended_at.as_deref().and_then(|at| at.parse().ok());
    let took = ended.map(|ended| seconds_since(&row.started_at, ended));
    let took = took.filter(|seconds| *seconds >= LONG_SECONDS).map(span);
    let word = match row.outcome.as_deref() {
        Some("error") => Some("failed"),
        Some("denied") => Some("denied"),
        Some("interrupted") => Some("interrupted"),
        _ => None,
    };
    let end: Vec<String> = took.into_iter().chain(word.map(str::to_owned)).collect();
    Call {
        id: row.id,
        name: cut(&row.name, 80),
        line: cut(first_line(&row.summary), 160),
        summary: visible(&row.summary).into_owned(),
        end: end.join(" · "),
        is_bad: word.is_some(),
        is_open: row.ended_at.is_none() && row.outcome.is_none(),
        at: When::clock(&row.started_at, now),
    }
}
