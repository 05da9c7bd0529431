//! What the session registry says of the process, and what the process table does.

use crate::event::{ObservedStatus, Timestamp};

use super::{
    facts::Facts,
    input::{Input, Says, Witness},
    parts::{Dialog, DialogKind, Outcome, Process},
};

/// An idle that no end followed for so long was Esc.
const ESC_MICROS: i64 = 2_000_000;

pub fn status(
    facts: &mut Facts,
    at: Timestamp,
    id: &str,
    status: ObservedStatus,
    waiting_for: Option<&str>,
) -> u8 {
    let is_known = facts.registry.iter().any(|process| process.id == id);
    let was_waiting = facts.is_any(ObservedStatus::Waiting);
    let news = facts.observe(Process {
        id: id.to_owned(),
        status,
        at,
    });
    if !news {
        return 46;
    }
    // The process that ended it says some more on its way out, or before it shows
    // the next session's id.
    if facts.ended.is_some_and(|ended| ended < at) && !is_known {
        facts.revive();
    }
    if status == ObservedStatus::Waiting {
        return waiting(facts, at, waiting_for);
    }
    if !facts.is_any(ObservedStatus::Waiting) {
        facts.answer_dialogs(at, was_waiting);
    }
    match status {
        ObservedStatus::Busy => busy(facts, at),
        _ => quiet(facts, at, status),
    }
}

/// The kind comes from what is open. The word changes with the version.
fn waiting(facts: &mut Facts, at: Timestamp, waiting_for: Option<&str>) -> u8 {
    if facts.starting.is_some_and(|starting| starting < at) {
        facts.starting = None;
    }
    if !facts.dialogs.is_empty() || facts.headless {
        return 15;
    }
    // No word is none of those below.
    let word = waiting_for.unwrap_or_default();
    let call = facts.call_in_question().cloned();
    let kind = match &call {
        _ if word == "dialog open" && !facts.is_turn_open() => DialogKind::Menu,
        Some(call) => DialogKind::of_tool(&call.name),
        None if word.ends_with("AskUserQuestion") => DialogKind::Question,
        None if word.ends_with("ExitPlanMode") => DialogKind::Plan,
        None if word == "input needed" => DialogKind::Question,
        None if word == "dialog open" => DialogKind::Dialog,
        None => DialogKind::Permission,
    };
    facts.open_dialog(Dialog {
        kind,
        agent: None,
        tool: call.as_ref().map(|call| call.name.clone()),
        asks: call.as_ref().and_then(|call| call.asks.clone()),
        call: call.map(|call| call.id),
        since: at,
        vague: true,
    });
    15
}

/// It is of the process: it opens no turn.
fn busy(facts: &mut Facts, at: Timestamp) -> u8 {
    if let Some(turn) = &mut facts.turn {
        let soon = |quiet: Timestamp| at.micros() - quiet.micros() <= ESC_MICROS;
        if turn.quiet.is_some_and(soon) {
            turn.quiet = None;
        }
    }
    17
}

/// At the prompt, as far as all its processes are.
fn quiet(facts: &mut Facts, at: Timestamp, status: ObservedStatus) -> u8 {
    if facts.is_any(ObservedStatus::Busy) || facts.is_any(ObservedStatus::Waiting) {
        return 17;
    }
    if facts.starting.is_some_and(|starting| starting < at) {
        facts.starting = None;
    }
    if facts.compacting.is_some_and(|since| since < at) {
        facts.compacting = None;
    }
    if status == ObservedStatus::Idle {
        facts.background = Default::default();
    }
    if let Some(turn) = &mut facts.turn
        && turn.since < at
    {
        turn.quiet.get_or_insert(at);
        return 26;
    }
    if status == ObservedStatus::Shell {
        21
    } else {
        17
    }
}

/// That nothing followed for so long, after the registry said idle then.
pub fn passed(quiet: Timestamp) -> Input {
    Input {
        at: Timestamp::from_micros(quiet.micros() + ESC_MICROS + 1),
        witness: Witness::Clock,
        says: Says::Passed,
    }
}

/// That a session is over or at its prompt, said once more, for a subagent that was
/// heard of later.
pub fn rest(facts: &Facts) -> Vec<Input> {
    if let Some(at) = facts.ended {
        let (witness, says) = (Witness::Process, Says::Over);
        return vec![Input { at, witness, says }];
    }
    let idle = |process: &&Process| process.status == ObservedStatus::Idle;
    let said = facts.registry.iter().filter(idle).map(|process| Input {
        at: process.at,
        witness: Witness::Registry,
        says: Says::Status {
            status: process.status,
            waiting_for: None,
            process: process.id.clone(),
        },
    });
    said.collect()
}

/// What nothing followed for a while was the end.
pub fn settle(facts: &mut Facts, now: Timestamp) -> u8 {
    let quiet = facts.turn.as_ref().and_then(|turn| turn.quiet);
    match quiet {
        Some(quiet) if now.micros() - quiet.micros() > ESC_MICROS => {
            facts.close_turn(quiet, Outcome::Interrupted, 26);
            facts.unseen = false;
            26
        }
        _ => 0,
    }
}

/// The process is gone. What it waited for is kept: it was left hanging.
pub fn gone(facts: &mut Facts, at: Timestamp, id: &str) -> u8 {
    let known = facts.registry.iter().any(|process| process.id == id);
    let newer = facts
        .registry
        .iter()
        .any(|process| process.id == id && process.at > at);
    if newer {
        return 46;
    }
    facts.registry.retain(|process| process.id != id);
    let lives_on = !facts.registry.is_empty();
    let began_later = facts.turn.as_ref().is_some_and(|turn| turn.since > at);
    let over = facts.ended.is_some();
    if lives_on || began_later || over || !(known || facts.registry.is_empty()) {
        return 41;
    }
    leave(facts, at, 41);
    41
}

/// The launcher's child is over, by whatever witness that was known before.
pub fn exited(facts: &mut Facts, at: Timestamp) -> u8 {
    let began_later = facts.turn.as_ref().is_some_and(|turn| turn.since > at);
    if began_later || facts.ended.is_some() {
        return 46;
    }
    facts.registry.clear();
    leave(facts, at, 42);
    42
}

fn leave(facts: &mut Facts, at: Timestamp, rule: u8) {
    let dialogs = std::mem::take(&mut facts.dialogs);
    facts.close_turn(at, Outcome::Abandoned, rule);
    facts.dialogs = dialogs;
    facts.starting = None;
    facts.compacting = None;
    facts.background = Default::default();
    facts.ended = Some(at);
}
