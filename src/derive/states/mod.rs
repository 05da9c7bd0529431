//! Commands, turns and what is shown of an agent, from the facts that hold after
//! each line.
//!
//! ```text
//! line: what it says, taken in ─▶ commands: rows that differ, transitions ─▶ turns
//! ```
//!
//! All that a line says is taken in first. Then the rows that follow from the facts
//! are compared with those that are there, and each difference is planned.

mod children;
mod commands;
mod line;
mod turns;

use serde::{Deserialize, Serialize};

use crate::event::Timestamp;

use super::{
    Command, TurnOf,
    state::{self, Needs, State, View},
};

pub use line::OpenLine;
pub use turns::Intent;

/// The longest last words that are kept with the agent.
const MAX_WORDS: usize = 500;

/// What an agent's row keeps for the states: the facts, and the rows that followed
/// from them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct States {
    facts: state::OpenFacts,
    /// Rows of the commands in the facts.
    commands: Vec<KnownCommand>,
    /// The command of turns that came before any.
    without: Option<i64>,
    /// How many transitions there were: part of the next one's key.
    transitions: u64,
    /// What is read is a copy of another session's beginning.
    copying: bool,
    /// What it begins with.
    beginning: Beginning,
    /// The agent's newest turn.
    last_turn: Option<LastTurn>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Beginning {
    #[default]
    Unknown,
    /// A copy of this row's.
    CopyOf(i64),
    Own,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct KnownCommand {
    key: String,
    row: Command,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct LastTurn {
    turn: TurnOf,
    intent: Intent,
}

/// What is shown of an agent: columns of its row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shown {
    pub state: State,
    pub needs: Needs,
    pub asks: Option<String>,
    pub since: Option<Timestamp>,
    pub background: u64,
    pub unseen: bool,
    pub last_words: Option<String>,
    pub viewed_at: Option<Timestamp>,
    pub snoozed_until: Option<Timestamp>,
}

impl States {
    pub fn of_child() -> States {
        States {
            facts: state::OpenFacts::of_child(),
            ..States::default()
        }
    }

    /// Since when the registry says idle, though the turn has no end.
    pub fn quiet_since(&self) -> Option<Timestamp> {
        self.facts.facts().turn.as_ref()?.quiet
    }

    /// A command is not over.
    pub fn is_under_way(&self) -> bool {
        let mut commands = self.commands.iter();
        commands.any(|known| known.row.state != "complete")
    }

    /// The newest command.
    pub fn command_id(&self) -> Option<i64> {
        self.commands.last().map(|newest| newest.row.id)
    }

    #[cfg(test)]
    pub fn command_ids(&self) -> impl Iterator<Item = i64> {
        let rows = self.commands.iter().map(|known| known.row.id);
        rows.chain(self.without)
    }
}

impl Shown {
    /// A person's answer is waited for.
    pub fn is_waiting(&self) -> bool {
        use Needs::{Dialog, Permission, Plan, Question};
        matches!(self.needs, Permission | Question | Plan | Dialog)
    }

    /// Nothing goes on, and nothing is wanted.
    pub fn is_at_rest(&self) -> bool {
        self.state == State::Idle && self.needs == Needs::None && self.background == 0
    }

    fn take_in(&mut self, view: &View) {
        self.state = view.state;
        self.needs = view.needs;
        self.asks.clone_from(&view.asks);
        self.background = view.background;
        self.unseen = view.unseen;
    }

    /// Whether it does and needs the same.
    fn is_as(&self, other: &Shown) -> bool {
        (self.state, self.needs, self.background) == (other.state, other.needs, other.background)
            && self.asks == other.asks
    }
}

impl Default for Shown {
    fn default() -> Shown {
        Shown {
            state: State::Idle,
            needs: Needs::None,
            asks: None,
            since: None,
            background: 0,
            unseen: false,
            last_words: None,
            viewed_at: None,
            snoozed_until: None,
        }
    }
}

pub fn last_words(text: &str) -> String {
    let text = text.trim();
    let end = text.char_indices().nth(MAX_WORDS);
    text[..end.map_or(text.len(), |(at, _)| at)].to_owned()
}
