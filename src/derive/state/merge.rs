//! Late witnesses: the newest inputs are kept, in the order of what happened.
//!
//! A witness that comes late is put where it belongs, and what followed is taken
//! in once more. So the facts are a function of what was said and not of the
//! order in which it was heard.
//!
//! What is older than all that is kept of its own witness was heard before, or is
//! copied history: it says nothing. What is older only than what others said is
//! the first of what is kept.

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use crate::event::Timestamp;

use super::{
    facts::Facts,
    input::{Input, Says, Witness},
    shown::{View, view},
    take_in,
};

/// What is known of one agent. It is kept with the agent's row.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OpenFacts {
    /// What was taken in for good.
    settled: Derived,
    /// What may still be preceded by something, in order.
    recent: Vec<Placed>,
    /// How far each witness has come: its own order is kept, whatever its times.
    reached: Reached,
    /// How far what was taken in for good goes, of each witness.
    settled_to: Reached,
    /// What was taken in for good at just that time: it may be heard again.
    edge: Vec<Input>,
    #[serde(skip)]
    now: Now,
}

/// The greatest time of each witness, in their order.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Reached(Vec<(Witness, Timestamp)>);

impl Reached {
    fn of(&self, witness: Witness) -> Option<Timestamp> {
        let mut known = self.0.iter();
        Some(known.find(|(known, _)| *known == witness)?.1)
    }

    /// At least so far, and how far now.
    fn advance(&mut self, witness: Witness, at: Timestamp) -> Timestamp {
        let at = self.of(witness).map_or(at, |reached| reached.max(at));
        self.0.retain(|(known, _)| *known != witness);
        self.0.push((witness, at));
        self.0.sort_unstable();
        at
    }
}

/// What is derived from all of it, found when it is first asked for.
#[derive(Debug, Clone, Default)]
struct Now(OnceLock<Box<Present>>);

#[derive(Debug, Clone)]
struct Present {
    derived: Derived,
    view: View,
}

impl PartialEq for Now {
    fn eq(&self, _: &Now) -> bool {
        true
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
struct Placed {
    /// Its time, or that of what its witness said before it.
    order: Timestamp,
    input: Input,
}

/// As it is kept with the row: there are many of them, so it is short.
#[derive(Serialize, Deserialize)]
struct Written {
    /// When, in microseconds since 1970.
    t: i64,
    /// Its order, if that is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    o: Option<i64>,
    #[serde(default = "transcript", skip_serializing_if = "is_transcript")]
    w: Witness,
    s: Says,
}

fn transcript() -> Witness {
    Witness::Transcript
}

fn is_transcript(witness: &Witness) -> bool {
    *witness == Witness::Transcript
}

impl From<Placed> for Written {
    fn from(Placed { order, input }: Placed) -> Written {
        Written {
            t: input.at.micros(),
            o: (order != input.at).then(|| order.micros()),
            w: input.witness,
            s: input.says,
        }
    }
}

impl From<Written> for Placed {
    fn from(Written { t, o, w, s }: Written) -> Placed {
        Placed {
            order: Timestamp::from_micros(o.unwrap_or(t)),
            input: Input {
                at: Timestamp::from_micros(t),
                witness: w,
                says: s,
            },
        }
    }
}

/// All that is derived from inputs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Derived {
    facts: Facts,
    /// When the present state or need began.
    since: Option<Timestamp>,
    /// The rule behind what is shown.
    because: u8,
}

impl OpenFacts {
    /// How many inputs are kept, so that a late one finds its place.
    pub const KEPT: usize = 128;

    pub fn of_child() -> OpenFacts {
        let mut facts = OpenFacts::default();
        facts.settled.facts.is_child = true;
        facts
    }

    pub fn view(&self) -> &View {
        &self.now().view
    }

    /// When the present state or need began.
    pub fn since(&self) -> Option<Timestamp> {
        self.now().derived.since
    }

    /// The rule behind what is shown.
    pub fn because(&self) -> u8 {
        self.now().derived.because
    }

    pub fn facts(&self) -> &Facts {
        &self.now().derived.facts
    }

    /// Takes in what a witness says; false if that is no news.
    pub fn apply(&mut self, input: &Input) -> bool {
        let Some(at) = self.place(input) else {
            return false;
        };
        match self.now.0.get_mut() {
            Some(now) if at + 1 == self.recent.len() => now.take_in(input),
            _ => self.now = Now::default(),
        }
        while self.recent.len() > Self::KEPT {
            let oldest = self.recent.remove(0).input;
            let before = view(&self.settled.facts);
            self.settled.take_in(&oldest, &before);
            self.settle_edge(oldest);
        }
        true
    }

    fn settle_edge(&mut self, settled: Input) {
        let (witness, at) = (settled.witness, settled.at);
        let edge = self.settled_to.advance(witness, at);
        self.edge.push(settled);
        self.edge
            .retain(|input| input.witness != witness || input.at == edge);
        self.edge
            .drain(..self.edge.len().saturating_sub(Self::KEPT));
    }

    /// Puts it where it belongs, and says where; nowhere if it is there already.
    fn place(&mut self, input: &Input) -> Option<usize> {
        let is_old = self.settled_to.of(input.witness) > Some(input.at);
        if is_old
            || self.edge.contains(input)
            || self.recent.iter().any(|placed| placed.input == *input)
        {
            return None;
        }
        let order = self.reached.advance(input.witness, input.at);
        let rank = |placed: &Placed| (placed.order, placed.input.witness);
        let own = (order, input.witness);
        let at = self.recent.partition_point(|other| rank(other) <= own);
        let input = input.clone();
        self.recent.insert(at, Placed { order, input });
        Some(at)
    }

    fn now(&self) -> &Present {
        let derive = || {
            let derived = self.settled.clone();
            let view = view(&derived.facts);
            let mut now = Present { derived, view };
            for placed in &self.recent {
                now.take_in(&placed.input);
            }
            Box::new(now)
        };
        self.now.0.get_or_init(derive)
    }
}

impl Present {
    fn take_in(&mut self, input: &Input) {
        self.view = self.derived.take_in(input, &self.view);
    }
}

impl Derived {
    /// What is shown then, if it was `before` until now.
    fn take_in(&mut self, input: &Input, before: &View) -> View {
        let rule = take_in(&mut self.facts, input);
        let after = view(&self.facts);
        if *before != after {
            self.because = rule;
        }
        let is_as_before =
            (before.state, before.needs, &before.asks) == (after.state, after.needs, &after.asks);
        if !is_as_before || self.since.is_none() {
            self.since = Some(input.at);
        }
        after
    }
}
