//! What a batch must know before it can be planned.

use std::borrow::Cow;

use serde_json::Value;

use crate::event::{
    Event, FactKey, Payload, PromptKind, SessionSeen, Shows, StoredGroup, StoredKey, What,
};

use super::{Cause, parents::started_by};

/// Each list in order and without repeats.
#[derive(Debug, Default)]
pub struct Questions<'a> {
    pub keys: Vec<StoredKey>,
    pub groups: Vec<StoredGroup>,
    /// Paths of projects that a session may need.
    pub projects: Vec<&'a str>,
    pub sessions: Vec<Cow<'a, str>>,
    /// Sessions whose subagents at work hear of it too.
    pub shared: Vec<&'a str>,
    /// How many turns and commands may begin, at most.
    pub turns: usize,
}

pub fn questions<'a>(causes: &[Cause<'a>]) -> Questions<'a> {
    let mut asked = Questions::default();
    for cause in causes {
        match cause {
            Cause::Line(_, entry) => match &entry.what {
                What::Event(event) => asked.event(event),
                What::Seen(seen) => asked.seen(seen),
                What::Ended(ending) => asked.shared(&ending.session_uuid),
                What::Followed(followed) => {
                    asked.shared(&followed.session_uuid);
                    asked.session(&followed.successor_uuid);
                }
                What::Evidence(evidence) if is_shared(&evidence.shows) => {
                    asked.shared(&evidence.session_uuid);
                }
                What::Evidence(evidence) => {
                    asked.session(&evidence.session_uuid);
                    match &evidence.shows {
                        Shows::ForkedFrom { session_uuid } => asked.session(session_uuid),
                        Shows::Started { agent_id } => {
                            asked.sibling(&evidence.session_uuid, agent_id);
                        }
                        _ => {}
                    }
                }
                What::Rejected(_) => {}
            },
            Cause::Ended(ending) => asked.shared(&ending.session_uuid),
            Cause::Passed(session) => asked.session(session),
        }
    }
    sort(&mut asked.keys);
    sort(&mut asked.groups);
    sort(&mut asked.projects);
    sort(&mut asked.sessions);
    sort(&mut asked.shared);
    asked
}

impl<'a> Questions<'a> {
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.sessions.is_empty()
    }

    fn event(&mut self, event: &'a Event) {
        self.keys.extend(event.keys.iter().map(FactKey::as_stored));
        self.groups.extend(event.group.as_ref().map(|g| g.stored()));
        let is_shared = match &event.payload {
            Payload::SessionObserved(_) => true,
            Payload::HookReceived(hook) => {
                ["SessionEnd", "PostToolUseFailure"].contains(&hook.hook_type.as_str())
            }
            _ => false,
        };
        match event.payload.session() {
            Some(session) if is_shared => self.shared(session),
            Some(session) => self.session(session),
            None => {}
        }
        if let Payload::HookReceived(hook) = &event.payload
            && let Some(agent) = hook.fields.get("agent_id").and_then(Value::as_str)
        {
            let session = &hook.claude_session_id;
            self.sessions.push(Cow::Owned(format!("{session}/{agent}")));
            if let Some(started) = started_by(hook) {
                self.sessions
                    .push(Cow::Owned(format!("{session}/{started}")));
            }
        }
    }

    /// Another subagent of the same session.
    fn sibling(&mut self, uuid: &str, agent_id: &str) {
        let root = uuid.split('/').next().unwrap_or(uuid);
        self.sessions.push(Cow::Owned(format!("{root}/{agent_id}")));
    }

    /// A session, and the one that it works for.
    fn session(&mut self, uuid: &'a str) {
        self.turns += 1;
        self.sessions.push(Cow::Borrowed(uuid));
        if let Some((parent, _)) = uuid.split_once('/') {
            self.sessions.push(Cow::Borrowed(parent));
        }
    }

    /// A session, and those that work for it.
    fn shared(&mut self, uuid: &'a str) {
        self.session(uuid);
        self.shared.push(uuid);
    }

    /// If the session has no row it must be known how often it had one.
    fn seen(&mut self, seen: &'a SessionSeen) {
        let registrations = FactKey::registrations(&seen.session_uuid);
        self.groups.push(FactKey::stored_group(&registrations));
        self.projects.push(&seen.project_path);
        self.session(&seen.session_uuid);
        self.sessions
            .extend(seen.parent.as_deref().map(Cow::Borrowed));
    }
}

/// Whether it is said of the session's subagents as well.
fn is_shared(shows: &Shows) -> bool {
    match shows {
        Shows::Interruption { .. } => true,
        Shows::Prompted(prompted) => prompted.kind == PromptKind::BuiltIn,
        _ => false,
    }
}

fn sort<T: Ord>(list: &mut Vec<T>) {
    list.sort_unstable();
    list.dedup();
}
