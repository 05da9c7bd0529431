//! The rows of commands, turns and states once more, from the log alone.
//!
//! In: an agent's events, in the order of the log.
//! Out: what its rows must be.
//!
//! Each transition has the rows that it led to, so no rule is asked again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::event::{Actor, Payload, SessionViewed, StateTransition, Timestamp, TurnDetected};

use super::{
    Command,
    states::{Intent, last_words},
};

/// A stored event, as far as rows follow from it.
#[derive(Debug, Clone)]
pub struct Replayed<'a> {
    pub id: i64,
    pub at: Timestamp,
    pub command_id: Option<i64>,
    pub turn_id: Option<i64>,
    pub payload: &'a Payload,
}

/// The rows of one agent.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AgentRows {
    pub agent_id: i64,
    pub shown: ShownRow,
    pub commands: BTreeMap<i64, Command>,
    pub turns: BTreeMap<i64, TurnRow>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShownRow {
    pub state: String,
    pub needs: String,
    pub asks: Option<String>,
    pub since: Option<Timestamp>,
    pub background: i64,
    pub unseen: bool,
    pub last_words: Option<String>,
    pub viewed_at: Option<Timestamp>,
    pub snoozed_until: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    pub end_reason: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TurnRow {
    pub id: i64,
    pub command_id: i64,
    pub actor: String,
    pub intent: String,
    pub text: String,
    pub timestamp: Timestamp,
    pub message_id: Option<String>,
    pub event_id: i64,
}

impl Default for ShownRow {
    fn default() -> ShownRow {
        ShownRow {
            state: "idle".into(),
            needs: "none".into(),
            asks: None,
            since: None,
            background: 0,
            unseen: false,
            last_words: None,
            viewed_at: None,
            snoozed_until: None,
            ended_at: None,
            end_reason: None,
        }
    }
}

impl AgentRows {
    pub fn of(agent_id: i64) -> AgentRows {
        AgentRows {
            agent_id,
            ..AgentRows::default()
        }
    }

    pub fn take_in(&mut self, event: &Replayed<'_>) {
        match event.payload {
            Payload::SessionRegistered(_) => {
                self.shown.ended_at = None;
                self.shown.end_reason = None;
            }
            Payload::SessionEnded(ended) => {
                self.shown.ended_at = Some(event.at);
                self.shown.end_reason = Some(ended.reason.as_str().to_owned());
            }
            Payload::TurnDetected(turn) => self.turn(event, turn),
            Payload::StateTransition(to) => self.transition(event, to),
            Payload::SessionViewed(viewed) => self.viewed(event.at, viewed),
            Payload::HookReceived(_) | Payload::SessionObserved(_) => {}
        }
    }

    /// The first event of a turn makes it, the others make it longer.
    fn turn(&mut self, event: &Replayed<'_>, turn: &TurnDetected) {
        let (Some(id), Some(command_id)) = (event.turn_id, event.command_id) else {
            return;
        };
        self.shown.last_words = Some(last_words(&turn.text));
        if let Some(known) = self.turns.get_mut(&id) {
            known.text += &format!("\n\n{}", turn.text);
            return;
        }
        let usual = match turn.actor {
            Actor::User => Intent::Command,
            Actor::Agent => Intent::Progress,
        };
        let intent = turn.intent.as_deref().unwrap_or(usual.as_str());
        if turn.actor == Actor::Agent {
            self.intend_last(command_id, Intent::Progress);
        }
        self.turns.insert(
            id,
            TurnRow {
                id,
                command_id,
                actor: turn.actor.as_str().to_owned(),
                intent: intent.to_owned(),
                text: turn.text.clone(),
                timestamp: event.at,
                message_id: turn.message_id.clone(),
                event_id: event.id,
            },
        );
        // A command that no transition tells of was complete from the start.
        let agent_id = self.agent_id;
        let commands = self.commands.entry(command_id);
        commands.or_insert_with(|| Command::complete(command_id, agent_id, event.at));
    }

    fn transition(&mut self, event: &Replayed<'_>, to: &StateTransition) {
        let evidence = to.evidence.as_ref().unwrap_or(&Value::Null);
        let text = |name: &str| evidence[name].as_str().map(str::to_owned);
        let time = |name: &str| evidence[name].as_str().and_then(Timestamp::parse);
        if let Some(id) = event.command_id {
            let row = Command {
                id,
                agent_id: self.agent_id,
                state: to.to_state.clone(),
                origin: text("origin").unwrap_or_else(|| "human".into()),
                outcome: to.outcome.clone(),
                started_at: time("started_at").unwrap_or(event.at),
                completed_at: time("completed_at"),
            };
            self.settle(id, to.outcome.as_deref());
            self.commands.insert(id, row);
        }
        let Some(state) = text("state") else {
            return;
        };
        let background = evidence["background"].as_i64().unwrap_or(0);
        let needs = to.needs.clone().unwrap_or_else(|| "none".into());
        let shown = &mut self.shown;
        let before = (&shown.state, &shown.needs, &shown.asks, shown.background);
        if before != (&state, &needs, &to.asks, background) {
            shown.snoozed_until = None;
        }
        shown.state = state;
        shown.needs = needs;
        shown.asks.clone_from(&to.asks);
        shown.background = background;
        shown.since = match evidence.get("since") {
            None => Some(event.at),
            Some(_) => time("since"),
        };
        shown.unseen = evidence["unseen"].as_bool().unwrap_or(false);
    }

    /// What the agent said last is what its command came to.
    fn settle(&mut self, command_id: i64, outcome: Option<&str>) {
        match outcome {
            Some("done") => self.intend_last(command_id, Intent::Completion),
            Some("asked") => self.intend_last(command_id, Intent::Question),
            _ => {}
        }
    }

    /// The agent's last words, if they belong to this command.
    fn intend_last(&mut self, command_id: i64, intent: Intent) {
        let mut newest_first = self.turns.values_mut().rev();
        let last = newest_first.find(|turn| turn.actor == "agent");
        if let Some(last) = last.filter(|last| last.command_id == command_id) {
            last.intent = intent.as_str().to_owned();
        }
    }

    fn viewed(&mut self, at: Timestamp, viewed: &SessionViewed) {
        let shown = &mut self.shown;
        let until = viewed.snoozed_until.as_deref().and_then(Timestamp::parse);
        shown.unseen = false;
        shown.viewed_at = shown.viewed_at.max(Some(at));
        shown.snoozed_until = until.or(shown.snoozed_until);
    }
}
