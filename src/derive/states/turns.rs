//! The rows of turns, and what each was meant as.

use serde::{Deserialize, Serialize};

use crate::event::{Actor, Payload, Timestamp, TurnDetected};

use super::{
    super::{ChangedTurn, Command, EventOf, Linked, Plan, Planner, Turn, TurnOf, state::Outcome},
    LastTurn, last_words,
    line::{LineTurn, OpenLine},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Intent {
    Command,
    Answer,
    Question,
    Completion,
    Progress,
}

impl Planner<'_> {
    /// A turn's row, or a longer one. Its event gets both ids, and the intent.
    pub(super) fn add_turn(&mut self, turn: &LineTurn, line: &OpenLine) {
        let first = turn
            .group
            .and_then(|group| self.known.groups.get(&group)?.turn);
        let (of, intent) = match first {
            Some(first) => {
                self.plan.lengthen(first.id, &turn.turn.text);
                (Some(first), None)
            }
            None => self.new_row(turn, line).unzip(),
        };
        if let (Some(of), Some(group)) = (of, turn.group) {
            self.known.groups.entry(group).or_default().turn = Some(of);
        }
        match (turn.event, of) {
            (EventOf::Stored(event_id), Some(turn)) => {
                self.plan.linked.push(Linked { event_id, turn });
            }
            (EventOf::Stored(_), None) => {}
            (EventOf::Planned(number), of) => {
                let event = &mut self.plan.events[number];
                event.command_id = of.map(|of| of.command_id);
                event.turn_id = of.map(|of| of.id);
                event.payload = Payload::TurnDetected(TurnDetected {
                    intent: intent.map(|intent| intent.as_str().to_owned()),
                    ..turn.turn.clone()
                })
                .to_json();
            }
        }
        let session = &turn.turn.session_uuid;
        if let Some(agent) = self.known.agents.get_mut(session) {
            agent.shown.last_words = Some(last_words(&turn.turn.text));
            self.change(session);
        }
    }

    fn new_row(&mut self, turn: &LineTurn, line: &OpenLine) -> Option<(TurnOf, Intent)> {
        let LineTurn {
            event, turn, at, ..
        } = turn;
        let command_id = self.command_of(&turn.session_uuid, *at)?;
        let touched = line
            .touched
            .iter()
            .find(|touched| touched.session == turn.session_uuid);
        let before = touched.and_then(|touched| touched.newest.as_ref());
        let agent = self.known.agents.get_mut(&turn.session_uuid)?;
        let facts = agent.open_facts.states.facts.facts();
        let newest = facts.commands.last();
        let intent = match (event, turn.actor) {
            // The log says no more of an event that is stored.
            (EventOf::Stored(_), Actor::User) => Intent::Command,
            (_, Actor::User) => {
                let answers = before.is_some_and(|(key, outcome)| {
                    *outcome == Some(Outcome::Asked)
                        && newest.is_some_and(|now| now.key == *key && now.outcome.is_none())
                });
                if answers {
                    Intent::Answer
                } else {
                    Intent::Command
                }
            }
            (_, Actor::Agent) => Intent::of(newest.and_then(|newest| newest.outcome)),
        };
        let of = TurnOf {
            id: self.ids.turns.next(),
            command_id,
        };
        if turn.actor == Actor::Agent {
            let last = LastTurn { turn: of, intent };
            let before = agent.open_facts.states.last_turn.replace(last);
            // The end of a reply can be known before its last words are read.
            if let Some(before) = before.filter(|last| {
                last.turn.command_id == command_id && last.intent != Intent::Progress
            }) {
                self.plan.intend(before.turn.id, Intent::Progress);
            }
        }
        self.plan.turns.push(Turn {
            id: of.id,
            command_id,
            actor: turn.actor.as_str(),
            intent: intent.as_str(),
            text: turn.text.clone(),
            timestamp: *at,
            message_id: turn.message_id.clone(),
            event: *event,
        });
        Some((of, intent))
    }

    /// The agent's newest command. What the CLI carries out by itself opens none, so
    /// turns may be the first of all: these have one that is complete from the start,
    /// and no transition.
    fn command_of(&mut self, session: &str, at: Timestamp) -> Option<i64> {
        let agent = self.known.agents.get_mut(session)?;
        let states = &mut agent.open_facts.states;
        let newest = states.commands.last().map(|newest| newest.row.id);
        if let Some(id) = newest.or(states.without) {
            return Some(id);
        }
        let id = self.ids.commands.next();
        states.without = Some(id);
        let agent_id = agent.id;
        self.plan.put_command(Command::complete(id, agent_id, at));
        Some(id)
    }

    /// What the agent said last is what its command came to.
    pub(super) fn settle_intent(&mut self, session: &str) {
        let Some(agent) = self.known.agents.get_mut(session) else {
            return;
        };
        let states = &mut agent.open_facts.states;
        let Some(last) = &mut states.last_turn else {
            return;
        };
        let mut commands = states.commands.iter();
        let command = commands.find(|known| known.row.id == last.turn.command_id);
        let intent = match command.and_then(|known| known.row.outcome.as_deref()) {
            Some("done") => Intent::Completion,
            Some("asked") => Intent::Question,
            _ => return,
        };
        if last.intent != intent {
            last.intent = intent;
            self.plan.intend(last.turn.id, intent);
        }
    }
}

impl Plan<'_> {
    fn lengthen(&mut self, turn_id: i64, text: &str) {
        match self.turns.iter_mut().rev().find(|turn| turn.id == turn_id) {
            Some(turn) => turn.text += &format!("\n\n{text}"),
            None => self.changed(turn_id).more += &format!("\n\n{text}"),
        }
    }

    fn intend(&mut self, turn_id: i64, intent: Intent) {
        match self.turns.iter_mut().rev().find(|turn| turn.id == turn_id) {
            Some(turn) => turn.intent = intent.as_str(),
            None => self.changed(turn_id).intent = Some(intent.as_str()),
        }
    }

    fn changed(&mut self, id: i64) -> &mut ChangedTurn {
        let place = self.changed_turns.iter().position(|turn| turn.id == id);
        let place = place.unwrap_or_else(|| {
            self.changed_turns.push(ChangedTurn {
                id,
                more: String::new(),
                intent: None,
            });
            self.changed_turns.len() - 1
        });
        &mut self.changed_turns[place]
    }
}

impl Intent {
    fn of(outcome: Option<Outcome>) -> Intent {
        match outcome {
            Some(Outcome::Done) => Intent::Completion,
            Some(Outcome::Asked) => Intent::Question,
            _ => Intent::Progress,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Intent::Command => "command",
            Intent::Answer => "answer",
            Intent::Question => "question",
            Intent::Completion => "completion",
            Intent::Progress => "progress",
        }
    }
}
