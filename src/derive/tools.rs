//! The calls of tools, and what messages cost: a row each, whatever copies there are.

use std::collections::hash_map::Entry;

use serde::Serialize;

use crate::event::{Shows, Timestamp, ToolOutcome, Usage};

use super::Planner;

/// What is known of a call now. The store joins it with what was known before: the
/// first agent keeps it, and an interruption never stands over a result.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ToolUse<'a> {
    pub tool_use_id: &'a str,
    pub agent_id: i64,
    /// None while only its result is known, or before there is a command.
    pub command_id: Option<i64>,
    /// None while only the result is known.
    pub name: Option<&'a str>,
    pub summary: Option<&'a str>,
    pub started_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub outcome: Option<CallEnd>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CallEnd {
    Ok,
    Error,
    Denied,
    Interrupted,
}

/// It ends the agent's calls that are open at this time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Interruption {
    pub agent_id: i64,
    pub at: Timestamp,
}

/// What a message cost, by its last record. The store keeps the last one it saw, and
/// the first agent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MessageUsage<'a> {
    pub message_id: &'a str,
    pub agent_id: i64,
    pub model: &'a str,
    pub input: u64,
    pub output: u64,
    pub cache_read: u64,
    pub cache_write: u64,
    pub at: Timestamp,
}

const UNKNOWN_MODEL: &str = "unknown";

impl<'a> Planner<'a> {
    pub(super) fn tools(&mut self, shows: &'a Shows, agent_id: i64, at: Timestamp) {
        match shows {
            Shows::ToolCall {
                tool_use_id,
                name,
                argument,
            } => self.tool_use(ToolUse {
                name: Some(name),
                summary: argument.as_deref(),
                ..ToolUse::at(tool_use_id, agent_id, at)
            }),
            Shows::ToolResult {
                tool_use_id,
                outcome,
            } => self.tool_use(ToolUse {
                ended_at: Some(at),
                outcome: Some((*outcome).into()),
                ..ToolUse::at(tool_use_id, agent_id, at)
            }),
            Shows::Interruption { .. } => {
                self.plan.interruptions.push(Interruption { agent_id, at });
            }
            Shows::Usage(usage) => self.usage(usage, agent_id, at),
            _ => {}
        }
    }

    fn tool_use(&mut self, shown: ToolUse<'a>) {
        match self.calls.entry(shown.tool_use_id) {
            Entry::Occupied(place) => self.plan.tool_uses[*place.get()].take_in(shown),
            Entry::Vacant(place) => {
                place.insert(self.plan.tool_uses.len());
                self.plan.tool_uses.push(shown);
            }
        }
    }

    fn usage(&mut self, usage: &'a Usage, agent_id: i64, at: Timestamp) {
        let cost = MessageUsage {
            message_id: &usage.message_id,
            agent_id,
            model: usage.model.as_deref().unwrap_or(UNKNOWN_MODEL),
            input: countable(usage.input),
            output: countable(usage.output),
            cache_read: countable(usage.cache_read),
            cache_write: countable(usage.cache_write),
            at,
        };
        match self.messages.entry(cost.message_id) {
            Entry::Occupied(place) => self.plan.usage[*place.get()].take_in(cost),
            Entry::Vacant(place) => {
                place.insert(self.plan.usage.len());
                self.plan.usage.push(cost);
            }
        }
    }

    /// Calls that are planned and open end with the first interruption after them;
    /// the store does the same to those it has.
    pub(super) fn interrupt_calls(&mut self) {
        let interruptions = &mut self.plan.interruptions;
        interruptions.sort_by_key(|interruption| interruption.at);
        for call in self.plan.tool_uses.iter_mut().filter(|call| call.is_open()) {
            let ends =
                |end: &&Interruption| end.agent_id == call.agent_id && end.at >= call.started_at;
            if let Some(end) = interruptions.iter().find(ends) {
                call.ended_at = Some(end.at);
                call.outcome = Some(CallEnd::Interrupted);
            }
        }
    }
}

impl<'a> ToolUse<'a> {
    fn at(tool_use_id: &'a str, agent_id: i64, at: Timestamp) -> ToolUse<'a> {
        ToolUse {
            tool_use_id,
            agent_id,
            command_id: None,
            name: None,
            summary: None,
            started_at: at,
            ended_at: None,
            outcome: None,
        }
    }

    fn is_open(&self) -> bool {
        self.outcome.is_none()
    }

    fn take_in(&mut self, later: ToolUse<'a>) {
        self.command_id = self.command_id.or(later.command_id);
        self.name = self.name.or(later.name);
        self.summary = self.summary.or(later.summary);
        self.started_at = self.started_at.min(later.started_at);
        if self.is_open() {
            (self.ended_at, self.outcome) = (later.ended_at, later.outcome);
        }
    }
}

impl<'a> MessageUsage<'a> {
    /// A message's records grow as it is written.
    fn take_in(&mut self, later: MessageUsage<'a>) {
        if (later.at, later.output) >= (self.at, self.output) {
            let agent_id = self.agent_id;
            *self = MessageUsage { agent_id, ..later };
        }
    }
}

impl From<ToolOutcome> for CallEnd {
    fn from(outcome: ToolOutcome) -> CallEnd {
        match outcome {
            ToolOutcome::Ok => CallEnd::Ok,
            ToolOutcome::Error => CallEnd::Error,
            ToolOutcome::Denied => CallEnd::Denied,
        }
    }
}

/// As much as a column holds.
pub fn countable(number: u64) -> u64 {
    number.min(i64::MAX.unsigned_abs())
}
