//! Which agent a subagent works for.
//!
//! A subagent's records and hooks name its session only. What it was started by shows in
//! the result of a call: one in another subagent's chain makes it that one's child.

use serde_json::Value;

use crate::event::{Evidence, HookReceived, Shows};

use super::Planner;

impl Planner<'_> {
    pub(super) fn started(&mut self, evidence: &Evidence) {
        if let Shows::Started { agent_id } = &evidence.shows {
            self.is_child_of(agent_id, &evidence.session_uuid);
        }
    }

    pub(super) fn hook_started(&mut self, hook: &HookReceived) {
        let caller = hook.fields.get("agent_id").and_then(Value::as_str);
        if let Some((caller, agent_id)) = caller.zip(started_by(hook)) {
            let caller = format!("{}/{caller}", hook.claude_session_id);
            self.is_child_of(agent_id, &caller);
        }
    }

    /// One of which nothing was read yet is remembered with the session.
    fn is_child_of(&mut self, agent_id: &str, caller: &str) {
        let Some((root, own_id)) = caller.split_once('/') else {
            return;
        };
        let known = self.known.agents.get(caller);
        let Some(by) = known.map(|caller| caller.id).filter(|_| own_id != agent_id) else {
            return;
        };
        let child = format!("{root}/{agent_id}");
        if let Some(agent) = self.known.agents.get_mut(&child) {
            if agent.parent_agent_id.replace(by) != Some(by) {
                self.change(&child);
            }
        } else if let Some(session) = self.known.agents.get_mut(root)
            && session.open_facts.start(agent_id, by)
        {
            self.change(root);
        }
    }

    /// What is remembered of a subagent that is registered now: the row it works for.
    pub(super) fn caller_of(&mut self, child: &str) -> Option<i64> {
        let (root, agent_id) = child.split_once('/')?;
        let caller = self
            .known
            .agents
            .get_mut(root)?
            .open_facts
            .started_by(agent_id);
        if caller.is_some() {
            self.change(root);
        }
        caller
    }
}

/// The subagent that a call started, as the hook behind the call has it.
pub(super) fn started_by(hook: &HookReceived) -> Option<&str> {
    let answer = hook.fields.get("tool_response")?;
    let is_call = hook.hook_type == "PostToolUse" && answer.get("prompt").is_some();
    answer.get("agentId")?.as_str().filter(|_| is_call)
}
