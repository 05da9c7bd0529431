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
        let children = self.children_at_work(session, input);
        let heard = match children.len() {
            0 => None,
            many => state::of_session(input).or_else(|| self.of_esc(session, input, many)),
        };
        self.tell(session, input);
        if let Some(heard) = heard {
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

    /// Esc ends the subagents that the agent waits for: if it waits for as many as
    /// there are, all of them.
    fn of_esc(&self, session: &str, input: &Input, many: usize) -> Option<Input> {
        let agent = self.known.agents.get(session)?;
        let waits_for = agent.open_facts.states.facts.facts().agents_called();
        (input.says == Says::Interrupted && waits_for >= many).then(|| input.clone())
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
        let mut missed = state::rest(&facts);
        missed.retain(|input| input.at >= agent.last_seen_at);
        missed
    }
}
