//! Late witnesses: the newest inputs are kept, in the order of what happened.
//!
//! A witness that comes late is put where it belongs, and what followed is taken
//! in once more. So the facts are a function of what was said and not of the
//! order in which it was heard. What is older than all that is kept comes last of
//! all: it can close what it names, and decides nothing else.

use serde::{Deserialize, Serialize};

use crate::event::{Origin, Timestamp};

use super::{
    facts::{Facts, Outcome},
    input::{Input, Witness},
    shown::{View, view},
    take_in,
};

/// What is known of one agent. It is kept with the agent's row.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OpenFacts {
    /// What was taken in for good.
    settled: Facts,
    /// What may still be preceded by something, in order.
    recent: Vec<Placed>,
    /// How far each witness has come: its own order is kept, whatever its times.
    reached: Vec<(Witness, Timestamp)>,
    since: Option<Timestamp>,
    because: u8,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Placed {
    /// Its time, or that of what its witness said before it.
    order: Timestamp,
    input: Input,
}

/// What follows from an input.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// A command began, or is known better than before.
    Command {
        key: String,
        by: Origin,
        since: Timestamp,
        outcome: Option<Outcome>,
        over_at: Option<Timestamp>,
        rule: u8,
    },
    /// What is shown of the agent is another.
    Shown {
        from: View,
        to: View,
        since: Timestamp,
        rule: u8,
    },
}

/// All that is derived from the inputs so far.
struct Derived {
    facts: Facts,
    since: Option<Timestamp>,
    because: u8,
}

impl OpenFacts {
    /// How many inputs are kept, so that a late one finds its place.
    pub const KEPT: usize = 128;

    pub fn of_child() -> OpenFacts {
        let mut facts = OpenFacts::default();
        facts.settled.is_child = true;
        facts
    }

    pub fn view(&self) -> View {
        view(&self.derive().facts)
    }

    /// When the present state or need began.
    pub fn since(&self) -> Option<Timestamp> {
        self.derive().since
    }

    /// The rule behind what is shown.
    pub fn because(&self) -> u8 {
        self.derive().because
    }

    pub fn facts(&self) -> Facts {
        self.derive().facts
    }

    /// Takes in what a witness says.
    pub fn apply(&mut self, input: &Input) -> Vec<Change> {
        let before = self.derive();
        if !self.place(input) {
            return Vec::new();
        }
        let after = self.derive();
        while self.recent.len() > Self::KEPT {
            let oldest = self.recent.remove(0);
            let mut derived = self.settled();
            derived.take_in(&oldest.input);
            self.settled = derived.facts;
            self.since = derived.since;
            self.because = derived.because;
        }
        changes(&before, &after)
    }

    /// Where it belongs; nowhere if it is there already.
    fn place(&mut self, input: &Input) -> bool {
        if self.recent.iter().any(|placed| placed.input == *input) {
            return false;
        }
        let order = match self
            .reached
            .iter_mut()
            .find(|(witness, _)| *witness == input.witness)
        {
            Some((_, reached)) => {
                *reached = input.at.max(*reached);
                *reached
            }
            None => {
                self.reached.push((input.witness, input.at));
                input.at
            }
        };
        let placed = Placed {
            order,
            input: input.clone(),
        };
        let rank = |placed: &Placed| (placed.order, placed.input.witness);
        let at = self
            .recent
            .partition_point(|other| rank(other) <= rank(&placed));
        self.recent.insert(at, placed);
        true
    }

    fn settled(&self) -> Derived {
        Derived {
            facts: self.settled.clone(),
            since: self.since,
            because: self.because,
        }
    }

    fn derive(&self) -> Derived {
        let mut derived = self.settled();
        for placed in &self.recent {
            derived.take_in(&placed.input);
        }
        derived
    }
}

impl Derived {
    fn take_in(&mut self, input: &Input) {
        let before = view(&self.facts);
        let rule = take_in(&mut self.facts, input);
        let after = view(&self.facts);
        if before != after {
            self.because = rule;
        }
        let same =
            (before.state, before.needs, &before.asks) == (after.state, after.needs, &after.asks);
        if !same || self.since.is_none() {
            self.since = Some(input.at);
        }
    }
}

fn changes(before: &Derived, after: &Derived) -> Vec<Change> {
    let mut changes = Vec::new();
    for command in &after.facts.commands {
        if before.facts.commands.contains(command) {
            continue;
        }
        changes.push(Change::Command {
            key: command.key.clone(),
            by: command.by,
            since: command.since,
            outcome: command.outcome,
            over_at: command.over_at,
            rule: command.closed_by,
        });
    }
    let (from, to) = (view(&before.facts), view(&after.facts));
    if from != to {
        changes.push(Change::Shown {
            from,
            to,
            since: after.since.unwrap_or(Timestamp::UNIX_EPOCH),
            rule: after.because,
        });
    }
    changes
}
