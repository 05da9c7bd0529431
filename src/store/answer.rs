//! What a database answers to the questions of a batch: one JSON document, the
//! same from both.

use serde::Deserialize;

use crate::{
    derive::{Agent, Ids, Known, Questions},
    event::key_of_hex,
};

#[derive(Deserialize)]
pub struct KnownJson {
    /// Numbers of keys that are stored, from 0 on, with their event.
    facts: Vec<(usize, i64)>,
    /// How many keys each group has, in the order of the question.
    groups: Vec<u32>,
    projects: Vec<(String, i64)>,
    agents: Vec<Agent>,
    /// Keys of turns that hooks made in these sessions, in hex, with their event.
    heard: Vec<(String, i64)>,
    ids: Ids,
}

impl KnownJson {
    pub fn to(self, questions: &Questions<'_>) -> Known {
        let facts = self.facts.into_iter();
        let heard = self.heard.into_iter();
        let groups = questions.groups.iter().copied();
        let agents = self.agents.into_iter();
        Known {
            facts: facts
                .map(|(n, id)| (questions.keys[n], id))
                .chain(heard.filter_map(|(key, id)| Some((key_of_hex(&key)?, id))))
                .collect(),
            groups: groups.zip(self.groups).collect(),
            projects: self.projects.into_iter().collect(),
            agents: agents
                .map(|agent| (agent.session_uuid.clone(), agent))
                .collect(),
            ids: self.ids,
        }
    }
}
