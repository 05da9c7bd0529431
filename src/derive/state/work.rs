//! What the transcript says of the agent: its calls, its words, its ends.

use crate::event::{Meaning, Origin, Timestamp, Words};

use super::{
    facts::Facts,
    input::{Call, Stop, Text},
    parts::{Dialog, DialogKind, Failure, Outcome, Said},
};

/// Work without a command that is known: cut history, or an end that was none.
pub fn must_have_turn(facts: &mut Facts, at: Timestamp) -> bool {
    if facts.is_turn_open() {
        return false;
    }
    // It was written before the end, and is read after it.
    if facts.over_at().is_some_and(|over| at <= over) {
        return false;
    }
    // It was taken for the end, by its words or because the registry said idle.
    let was_guessed = |rule: u8| [22, 23, 26].contains(&rule);
    match facts.commands.last() {
        Some(command) if was_guessed(command.closed_by) || command.shell => facts.reopen(at),
        _ => {
            let key = format!("at:{}", at.micros());
            facts.begin_command(key, Origin::Unknown, at, None);
        }
    }
    true
}

pub fn called(facts: &mut Facts, at: Timestamp, call: &Call) -> u8 {
    if facts.is_closed(&call.id) {
        return 46;
    }
    let opened = must_have_turn(facts, at);
    if !facts.is_turn_open() {
        return 46;
    }
    facts.works();
    facts.text_is_last = false;
    facts.open_call(call.clone());
    let kind = DialogKind::of_tool(&call.name);
    if kind != DialogKind::Permission {
        ask(facts, at, call, kind);
        return 13;
    }
    let same = |dialog: &&mut Dialog| {
        dialog.call.is_none()
            && dialog.agent.is_none()
            && dialog.tool.as_deref() == Some(call.name.as_str())
            && dialog
                .asks
                .as_ref()
                .is_none_or(|asks| call.asks.as_ref() == Some(asks))
    };
    if let Some(dialog) = facts.dialogs.iter_mut().find(same) {
        dialog.call = Some(call.id.clone());
    }
    if opened { 10 } else { 12 }
}

/// A call that is a question. Another witness may have opened its dialog.
fn ask(facts: &mut Facts, at: Timestamp, call: &Call, kind: DialogKind) {
    if facts.headless {
        return;
    }
    let fits = |dialog: &&mut Dialog| {
        let same_call = dialog.call.as_deref() == Some(call.id.as_str());
        let unknown = dialog.call.is_none() && (dialog.vague || dialog.kind == kind);
        dialog.agent.is_none() && (same_call || unknown)
    };
    if let Some(dialog) = facts.dialogs.iter_mut().find(fits) {
        dialog.kind = kind;
        dialog.vague = false;
        dialog.tool = Some(call.name.clone());
        dialog.call = Some(call.id.clone());
        dialog.asks = call.asks.clone().or(dialog.asks.take());
        return;
    }
    facts.open_dialog(Dialog {
        kind,
        agent: None,
        tool: Some(call.name.clone()),
        call: Some(call.id.clone()),
        asks: call.asks.clone(),
        since: at,
        vague: false,
    });
}

pub fn returned(facts: &mut Facts, at: Timestamp, id: &str) -> u8 {
    facts.text_is_last = false;
    let known = facts.close_call(id);
    let opened = !known && must_have_turn(facts, at);
    facts.works();
    if opened { 10 } else { 18 }
}

/// Esc in a subagent's dialog refuses that call only.
pub fn refused(facts: &mut Facts, at: Timestamp, id: &str, with_reason: bool) -> u8 {
    if with_reason || facts.is_child {
        returned(facts, at, id);
    } else {
        facts.close_call(id);
        facts.close_turn(at, Outcome::Interrupted, 25);
    }
    25
}

pub fn thought(facts: &mut Facts, at: Timestamp) -> u8 {
    let opened = must_have_turn(facts, at);
    facts.text_is_last = false;
    went_on(facts, at);
    if opened { 10 } else { 12 }
}

/// The model answers: what it had asked for is settled.
fn went_on(facts: &mut Facts, at: Timestamp) {
    facts.works();
    if facts.is_turn_open() {
        facts.close_dialogs(None, at);
    }
}

pub fn text(facts: &mut Facts, at: Timestamp, text: &Text) -> u8 {
    let is_earlier = facts.turn.as_ref().is_some_and(|turn| at < turn.since);
    if is_earlier {
        return 46;
    }
    let opened = match text.stop {
        Stop::Ends if facts.commands.last().is_some() => false,
        _ => must_have_turn(facts, at),
    };
    facts.said = Some(Said {
        words: text.words.clone(),
        at,
    });
    facts.text_is_last = true;
    if !facts.is_turn_open() {
        joins(facts, &text.words);
        return 20;
    }
    went_on(facts, at);
    let outcome = outcome(facts, &text.words);
    let asks = outcome == Outcome::Asked;
    match (text.stop, text.words.mean) {
        (Stop::Ends, _) => {
            let rule = if asks { 23 } else { 20 };
            facts.close_turn(at, outcome, rule);
            rule
        }
        (Stop::GoesOn, _) if opened => 10,
        (Stop::GoesOn, _) => 12,
        (Stop::Unsaid, Meaning::Announces) => 22,
        // A call of the same reply is under way.
        (Stop::Unsaid, _) if !facts.tools.is_empty() => 22,
        (Stop::Unsaid, _) => {
            let rule = if asks { 23 } else { 22 };
            facts.close_turn(at, outcome, rule);
            rule
        }
    }
}

/// A text that comes after the turn's end belongs to its command.
pub fn joins(facts: &mut Facts, words: &Words) {
    let outcome = outcome(facts, words);
    let Some(command) = facts.commands.last_mut() else {
        return;
    };
    let is_end = matches!(command.outcome, Some(Outcome::Done | Outcome::Asked));
    let taken_for_esc = command.outcome == Some(Outcome::Interrupted) && command.closed_by == 26;
    if is_end || taken_for_esc {
        command.outcome = Some(outcome);
        command.closed_by = 20;
        facts.unseen = true;
    }
}

/// A subagent's words go to the agent that called it: no person is asked.
pub fn outcome(facts: &Facts, words: &Words) -> Outcome {
    match words.mean {
        Meaning::Asks if !facts.is_child => Outcome::Asked,
        _ => Outcome::Done,
    }
}

pub fn interrupted(facts: &mut Facts, at: Timestamp) -> u8 {
    facts.close_turn(at, Outcome::Interrupted, 24);
    24
}

pub fn failed(
    facts: &mut Facts,
    at: Timestamp,
    kind: Option<&String>,
    text: Option<&String>,
) -> u8 {
    if facts.turn.as_ref().is_some_and(|turn| at < turn.since) {
        return 46;
    }
    let before = facts
        .error
        .take()
        .filter(|error| !error.retries && !facts.is_turn_open());
    facts.close_turn(at, Outcome::Failed, 29);
    if let Some(command) = facts.commands.last_mut() {
        command.outcome = Some(Outcome::Failed);
    }
    let before = before.as_ref();
    facts.error = Some(Failure {
        kind: kind
            .or(before.and_then(|error| error.kind.as_ref()))
            .cloned(),
        text: text
            .or(before.and_then(|error| error.text.as_ref()))
            .cloned(),
        at: before.map_or(at, |error| error.at),
        retries: false,
    });
    29
}

pub fn retries(facts: &mut Facts, at: Timestamp, number: u64, of: u64) -> u8 {
    facts.works();
    if facts.is_turn_open() {
        facts.error = Some(Failure {
            kind: None,
            text: Some(format!("retrying {number} of {of}")),
            at,
            retries: true,
        });
    }
    28
}
