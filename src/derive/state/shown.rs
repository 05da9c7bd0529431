//! What is shown of an agent: a pure function of its facts.

use serde::{Deserialize, Serialize};

use super::{
    facts::Facts,
    parts::{Dialog, DialogKind, Outcome},
};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    pub state: State,
    pub needs: Needs,
    /// What it wants, in its own words.
    pub asks: Option<String>,
    /// How many tasks run on after the turn's end.
    pub background: u64,
    /// It finished, failed or asked, and a person has not looked at it since.
    pub unseen: bool,
    /// Its process is over.
    pub ended: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    #[default]
    Idle,
    Commanded,
    Processing,
    AwaitingInput,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Needs {
    Permission,
    Question,
    Plan,
    Dialog,
    Asked,
    Error,
    Limit,
    #[default]
    None,
}

impl State {
    pub fn as_str(self) -> &'static str {
        match self {
            State::Idle => "idle",
            State::Commanded => "commanded",
            State::Processing => "processing",
            State::AwaitingInput => "awaiting_input",
        }
    }
}

impl Needs {
    pub fn as_str(self) -> &'static str {
        match self {
            Needs::Permission => "permission",
            Needs::Question => "question",
            Needs::Plan => "plan",
            Needs::Dialog => "dialog",
            Needs::Asked => "asked",
            Needs::Error => "error",
            Needs::Limit => "limit",
            Needs::None => "none",
        }
    }
}

/// The first that matches: it is over, a dialog is open, a turn is open or begins,
/// its last words asked, or nothing goes on.
pub fn view(facts: &Facts) -> View {
    let (state, needs, asks) = of(facts);
    let at_rest = !facts.is_turn_open() || is_quiet(facts);
    View {
        state,
        needs,
        asks,
        background: if at_rest { running(facts) } else { 0 },
        unseen: facts.unseen,
        ended: facts.ended.is_some(),
    }
}

fn of(facts: &Facts) -> (State, Needs, Option<String>) {
    if facts.ended.is_some() {
        // What it waited for when it went is left hanging.
        let left = facts.dialogs.first();
        return (
            State::Idle,
            left.map_or(Needs::None, |dialog| need(dialog.kind)),
            left.and_then(words),
        );
    }
    if let Some(dialog) = facts.dialogs.first() {
        return (State::AwaitingInput, need(dialog.kind), words(dialog));
    }
    let trouble = || facts.error.as_ref().and_then(|error| error.text.clone());
    if let Some(turn) = facts.turn.as_ref().filter(|turn| turn.quiet.is_none()) {
        let state = match turn.worked || facts.compacting.is_some() {
            true => State::Processing,
            false => State::Commanded,
        };
        return (state, Needs::None, trouble());
    }
    if facts.compacting.is_some() {
        return (State::Processing, Needs::None, None);
    }
    if facts.starting.is_some() {
        return (State::Commanded, Needs::None, None);
    }
    let newest = facts.commands.last().filter(|_| !facts.is_turn_open());
    match newest.and_then(|command| command.outcome) {
        Some(Outcome::Asked) => {
            let last = facts.said.as_ref().map(|said| said.words.last.clone());
            (State::AwaitingInput, Needs::Asked, last)
        }
        Some(Outcome::Failed) => (State::Idle, failure(facts), trouble()),
        _ => (State::Idle, Needs::None, None),
    }
}

fn need(kind: DialogKind) -> Needs {
    match kind {
        DialogKind::Permission => Needs::Permission,
        DialogKind::Question => Needs::Question,
        DialogKind::Plan => Needs::Plan,
        DialogKind::Dialog => Needs::Dialog,
        DialogKind::Menu => Needs::None,
    }
}

/// `Bash: rm -rf build`; of a question or a plan the words alone.
fn words(dialog: &Dialog) -> Option<String> {
    match (dialog.kind, &dialog.tool, &dialog.asks) {
        (DialogKind::Permission, Some(tool), Some(asks)) => Some(format!("{tool}: {asks}")),
        (DialogKind::Permission, Some(tool), None) => Some(tool.clone()),
        (_, _, asks) => asks.clone(),
    }
}

fn failure(facts: &Facts) -> Needs {
    let Some(error) = &facts.error else {
        return Needs::Error;
    };
    let text = error.text.as_deref().unwrap_or_default().to_lowercase();
    let resets = text.contains("limit") && text.contains("reset");
    match error.kind.as_deref() {
        Some("billing_error") => Needs::Limit,
        Some("rate_limit") if resets || text.contains("hit your limit") => Needs::Limit,
        None if resets => Needs::Limit,
        _ => Needs::Error,
    }
}

/// The registry says that the process is at its prompt.
fn is_quiet(facts: &Facts) -> bool {
    facts.turn.as_ref().is_some_and(|turn| turn.quiet.is_some())
}

fn running(facts: &Facts) -> u64 {
    let tasks = facts.background.tasks.len() as u64;
    let shell = facts.is_any(crate::event::ObservedStatus::Shell);
    tasks.max(facts.background.working).max(u64::from(shell))
}
