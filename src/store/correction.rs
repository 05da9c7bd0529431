//! What must change so that an agent's rows are as the log says.

use std::collections::BTreeMap;

use crate::derive::{
    Command,
    replay::{AgentRows, ShownRow, TurnRow},
};

#[derive(Debug)]
pub struct Correction {
    pub agent_id: i64,
    pub shown: ShownRow,
    /// Rows that are missing or differ.
    pub commands: Vec<Command>,
    pub turns: Vec<TurnRow>,
    /// Rows that stand for no event.
    pub extra_commands: Vec<i64>,
    pub extra_turns: Vec<i64>,
}

impl Correction {
    pub fn of(expected: AgentRows, found: &AgentRows) -> Correction {
        Correction {
            agent_id: expected.agent_id,
            extra_commands: extra(&expected.commands, &found.commands),
            extra_turns: extra(&expected.turns, &found.turns),
            commands: other(expected.commands, &found.commands),
            turns: other(expected.turns, &found.turns),
            shown: expected.shown,
        }
    }
}

fn extra<T>(expected: &BTreeMap<i64, T>, found: &BTreeMap<i64, T>) -> Vec<i64> {
    let extra = found.keys().filter(|id| !expected.contains_key(id));
    extra.copied().collect()
}

fn other<T: PartialEq>(expected: BTreeMap<i64, T>, found: &BTreeMap<i64, T>) -> Vec<T> {
    let other = expected.into_iter();
    let other = other.filter(|(id, row)| found.get(id) != Some(row));
    other.map(|(_, row)| row).collect()
}
