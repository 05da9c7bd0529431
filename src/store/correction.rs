//! What must change so that an agent's rows are as the log says.

use serde::Serialize;

use crate::derive::replay::{AgentRows, CommandRow, ShownRow, TurnRow};

#[derive(Debug, Serialize)]
pub struct Correction {
    pub agent_id: i64,
    pub shown: ShownRow,
    /// Rows that are missing or differ.
    pub commands: Vec<Row<CommandRow>>,
    pub turns: Vec<Row<TurnRow>>,
    /// Rows that stand for no event.
    pub extra_commands: Vec<i64>,
    pub extra_turns: Vec<i64>,
}

#[derive(Debug, Serialize)]
pub struct Row<T> {
    pub id: i64,
    pub agent_id: i64,
    #[serde(flatten)]
    pub row: T,
}

impl Correction {
    pub fn of(agent_id: i64, expected: AgentRows, found: &AgentRows) -> Correction {
        let extra_turns = found
            .turns
            .keys()
            .filter(|id| !expected.turns.contains_key(id));
        let extra_commands = found.commands.keys();
        let extra_commands = extra_commands.filter(|id| !expected.commands.contains_key(id));
        let (extra_turns, extra_commands) = (
            extra_turns.copied().collect(),
            extra_commands.copied().collect(),
        );
        let commands = expected.commands.into_iter();
        let commands = commands.filter(|(id, row)| found.commands.get(id) != Some(row));
        let turns = expected.turns.into_iter();
        let turns = turns.filter(|(id, turn)| found.turns.get(id) != Some(turn));
        Correction {
            agent_id,
            shown: expected.shown,
            commands: commands
                .map(|(id, row)| Row { id, agent_id, row })
                .collect(),
            turns: turns.map(|(id, row)| Row { id, agent_id, row }).collect(),
            extra_commands,
            extra_turns,
        }
    }
}
