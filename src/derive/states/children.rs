//! What is said of a session, said to its subagents as well.
//!
//! The registry speaks of the process they share, an end is the end of all, and Esc
//! ends those that the session waits for.

use super::super::{
    Planner,
    state::{self, Input, Says},
};

impl Planner<'_> {
    /// Takes in what is said of an agent. Its subagents hear what concerns them.
    pub(super) fn say(&mut self, session: &str, input: &Input) {
        let mut children = self.children_at_work(session, input);
        let said = state::of_session(input);
        if said.is_none() && !children.is_empty() {
            children = self.waited_for(session, &mut children);
        }
        self.tell(session, input);
        if !children.is_empty() {
            let heard = said.unwrap_or_else(|| input.clone());
            children.iter().for_each(|child| self.tell(child, &heard));
        }
    }

    /// The subagents that an input may concern, in one order.
    fn children_at_work(&self, session: &str, input: &Input) -> Vec<String> {
        let may_concern = state::of_session(input).is_some() || input.says == Says::Interrupted;
        if !may_concern || session.contains('/') {
            return Vec::new();
        }
        let is_child = |other: &str| other.split_once('/').is_some_and(|(of, _)| of == session);
        let agents = self.known.agents.iter();
        let mut children: Vec<String> = agents
            .filter(|(other, agent)| is_child(other) && agent.is_at_work())
            .map(|(other, _)| other.clone())
            .collect();
        children.sort_unstable();
        children
    }

    /// Esc ends the subagents that the agent waits for, and those that they wait for: if
    /// it waits for as many as there are, all of them.
    fn waited_for(&self, session: &str, at_work: &mut Vec<String>) -> Vec<String> {
        let Some(agent) = self.known.agents.get(session) else {
            return Vec::new();
        };
        let is_own = |child: &mut String| {
            self.known.agents[child.as_str()].parent_agent_id == Some(agent.id)
        };
        let mut children: Vec<String> = at_work.extract_if(.., is_own).collect();
        if agent.open_facts.states.facts.facts().agents_called() < children.len() {
            return Vec::new();
        }
        for child in children.clone() {
            children.extend(self.waited_for(&child, at_work));
        }
        children
    }

    /// Subagents whose records are read after their session came to rest hear of
    /// that now.
    pub(in crate::derive) fn catch_up_children(&mut self) {
        let children = self.changed.iter().filter(|session| session.contains('/'));
        for child in children.cloned().collect::<Vec<_>>() {
            let heard = self.missed_by(&child);
            if !heard.is_empty() {
                self.on_line(None);
                heard.iter().for_each(|input| self.tell(&child, input));
                self.end_line();
            }
        }
    }

    /// What the registry said last of its session, or its end, if that is later than
    /// all that is known of the subagent.
    fn missed_by(&self, child: &str) -> Vec<Input> {
        let (parent, _) = child.split_once('/').unwrap_or_default();
        let known = |session: &str| self.known.agents.get(session);
        let (Some(parent), Some(agent)) = (known(parent), known(child)) else {
            return Vec::new();
        };
        if !agent.is_at_work() || !parent.is_at_rest() {
            return Vec::new();
        }
        let facts = parent.open_facts.states.facts.facts();
        let mut missed = state::rest(facts);
        missed.retain(|input| input.at >= agent.last_seen_at);
        missed
    }
}
