//! What a database answers to the questions of a batch: one JSON document, the
//! same from both.

use std::collections::HashMap;

use serde::Deserialize;

use crate::{
    derive::{Agent, Ids, Known, KnownEvent, KnownGroup, Questions, TurnOf},
    event::{StoredKey, key_of_hex},
};

#[derive(Deserialize)]
pub struct KnownJson {
    /// Numbers of keys that are stored, from 0 on, with their event, its agent and
    /// its turn.
    facts: Vec<(usize, i64, Option<i64>, Option<i64>)>,
    /// How many keys each group has, in the order of the question, with the turn and
    /// the command of its first.
    groups: Vec<(u32, Option<i64>, Option<i64>)>,
    projects: Vec<(String, i64)>,
    agents: Vec<Agent>,
    /// Keys of turns that hooks made in these sessions, in hex, with their event.
    #[serde(default)]
    pub heard: Vec<(String, i64)>,
    ids: Ids,
}

impl KnownJson {
    pub fn sessions(&self) -> Vec<&str> {
        let agents = self.agents.iter();
        agents.map(|agent| agent.session_uuid.as_str()).collect()
    }

    /// Gives each session its open facts; gives the keys of the turns that hooks made.
    /// Facts of another version that cannot be read begin anew.
    pub fn open_facts(&mut self, of_sessions: Vec<(String, String)>) -> Vec<StoredKey> {
        let mut of_sessions: HashMap<String, String> = of_sessions.into_iter().collect();
        let mut heard = Vec::new();
        for agent in &mut self.agents {
            let Some(text) = of_sessions.remove(&agent.session_uuid) else {
                continue;
            };
            agent.open_facts = serde_json::from_str(&text).unwrap_or_default();
            heard.extend(agent.open_facts.heard.iter().map(|heard| heard.key));
        }
        heard
    }

    pub fn to(self, questions: &Questions<'_>) -> Known {
        let facts = self.facts.into_iter();
        let heard = self.heard.into_iter();
        let groups = questions.groups.iter().copied();
        let agents = self.agents.into_iter();
        Known {
            host: String::new(),
            facts: facts
                .map(|(n, id, agent_id, turn_id)| {
                    let event = KnownEvent {
                        id,
                        agent_id,
                        turn_id,
                    };
                    (questions.keys[n], event)
                })
                .chain(heard.filter_map(|(key, id)| {
                    let event = KnownEvent {
                        id,
                        agent_id: None,
                        turn_id: None,
                    };
                    Some((key_of_hex(&key)?, event))
                }))
                .collect(),
            groups: groups.zip(self.groups.into_iter().map(group)).collect(),
            projects: self.projects.into_iter().collect(),
            agents: agents
                .map(|agent| (agent.session_uuid.clone(), agent))
                .collect(),
            known_until: HashMap::new(),
            paths: HashMap::new(),
            ids: self.ids,
        }
    }
}

fn group((count, turn_id, command_id): (u32, Option<i64>, Option<i64>)) -> KnownGroup {
    let turn = turn_id.zip(command_id);
    KnownGroup {
        count,
        turn: turn.map(|(id, command_id)| TurnOf { id, command_id }),
    }
}
