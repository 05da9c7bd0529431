//! What a batch adds to the log, decided from what the log already knows.
//!
//! In: [`Cause`]s (a line's entry, the end of a session) and the rows that
//! [`questions`] asks for, as [`Known`].
//! Out: a [`Plan`]: the events, facts and changes of sessions to write.
//!
//! Promises
//! - a fact that is stored, or planned before in the same batch, makes no second event
//! - an end and a line take the same path; each is judged by what came before it
//! - the same values in give the same plan out
//!
//! Not here: a clock, a file, a database (`store` asks and writes).

#[cfg(test)]
mod tests;

use std::{borrow::Cow, collections::HashMap};

use crate::event::{
    Ending, Entry, Event, EventType, FactKey, Group, Moment, Payload, Rejection, SessionEnded,
    SessionRegistered, SessionSeen, Timestamp, TurnDetected, What,
};

/// What the database said about the facts and sessions a batch speaks of.
#[derive(Debug, Default, Clone)]
pub struct Known {
    /// Keys that are stored, with their event.
    pub facts: HashMap<String, i64>,
    /// How many stored keys begin with what a group's keys begin with.
    pub groups: HashMap<String, u32>,
    pub agents: HashMap<String, Agent>,
}

/// An agent's row, as far as a plan needs it.
#[derive(Debug, Clone, PartialEq)]
pub struct Agent {
    pub id: i64,
    pub project_id: i64,
    pub project_path: String,
    pub started_at: Timestamp,
    pub last_seen_at: Timestamp,
    pub ended: bool,
    pub registrations: u32,
}

#[derive(Debug, Default)]
pub struct Plan<'a> {
    /// In the order they must be carried out: a parent comes before its child.
    pub sessions: Vec<SessionChange<'a>>,
    pub events: Vec<NewEvent>,
    /// Further keys of facts that are stored already.
    pub aliases: Vec<(String, i64)>,
    pub rejections: Vec<(usize, u64, &'a Rejection)>,
    /// Per input: how many facts it repeats, and a key of one.
    pub duplicates: HashMap<usize, (u64, String)>,
}

#[derive(Debug, PartialEq)]
pub enum SessionChange<'a> {
    /// With the row it will have, apart from its ids.
    Register(&'a SessionSeen, Agent),
    Reopen(&'a SessionSeen),
    Touch(&'a SessionSeen),
    End {
        session_uuid: &'a str,
        at: Timestamp,
        reason: &'static str,
    },
}

#[derive(Debug)]
pub struct NewEvent {
    pub session_uuid: String,
    pub kind: EventType,
    pub payload: String,
    pub moment: Moment,
    pub keys: Vec<String>,
    /// Input and offset of the line; none for what the watcher itself knows.
    pub source: Option<(usize, u64)>,
}

/// What a batch must ask the database about.
#[derive(Debug, Default)]
pub struct Questions<'a> {
    pub keys: Vec<&'a str>,
    /// What the keys of groups begin with.
    pub starts: Vec<&'a str>,
    pub sessions: Vec<&'a str>,
}

/// Why something may be added to the log.
#[derive(Debug, Clone, Copy)]
pub enum Cause<'a> {
    /// A line of the input with this number.
    Line(usize, &'a Entry),
    Ended(&'a Ending),
}

pub fn questions<'a>(causes: &[Cause<'a>]) -> Questions<'a> {
    let mut asked = Questions::default();
    for cause in causes {
        match cause {
            Cause::Line(_, entry) => asked.about(&entry.what),
            Cause::Ended(ending) => asked.sessions.push(&ending.session_uuid),
        }
    }
    for list in [&mut asked.keys, &mut asked.starts, &mut asked.sessions] {
        list.sort_unstable();
        list.dedup();
    }
    asked
}

impl<'a> Questions<'a> {
    fn about(&mut self, what: &'a What) {
        match what {
            What::Event(event) => {
                self.keys.extend(event.keys.iter().map(FactKey::as_str));
                self.starts.extend(event.group.as_ref().map(Group::start));
                self.sessions.extend(event.payload.session());
            }
            What::Seen(seen) => {
                self.sessions.push(&seen.session_uuid);
                self.sessions.extend(seen.parent.as_deref());
            }
            What::Rejected(_) => {}
        }
    }
}

/// Plans a batch. Within it, an earlier cause is known to a later one.
pub fn plan<'a>(causes: &[Cause<'a>], known: Known) -> Plan<'a> {
    let mut planner = Planner {
        known,
        new_facts: HashMap::new(),
        plan: Plan::default(),
    };
    for cause in causes {
        match *cause {
            Cause::Line(input, entry) => planner.line(input, entry),
            Cause::Ended(ending) => planner.ended(ending),
        }
    }
    planner.plan
}

struct Planner<'a> {
    known: Known,
    /// Keys of events planned in this batch.
    new_facts: HashMap<String, usize>,
    plan: Plan<'a>,
}

impl<'a> Planner<'a> {
    fn line(&mut self, input: usize, entry: &'a Entry) {
        let source = (input, entry.offset);
        match &entry.what {
            What::Seen(seen) => self.seen(seen, source),
            What::Event(event) => self.event(event, source),
            What::Rejected(rejection) => {
                let rejected = (input, entry.offset, rejection);
                self.plan.rejections.push(rejected);
            }
        }
    }

    /// A session that is unknown or has ended already stays as it is.
    fn ended(&mut self, ending: &'a Ending) {
        let Some(agent) = self.known.agents.get_mut(&ending.session_uuid) else {
            return;
        };
        if std::mem::replace(&mut agent.ended, true) {
            return;
        }
        let at = agent.last_seen_at.plus_seconds(ending.idle_seconds);
        let key = FactKey::ended(&ending.session_uuid, agent.registrations);
        let payload = Payload::SessionEnded(SessionEnded {
            session_uuid: ending.session_uuid.clone(),
            reason: ending.reason,
            duration_seconds: Some(agent.last_seen_at.seconds_since(agent.started_at)),
            detail: ending.detail.clone(),
        });
        self.plan.sessions.push(SessionChange::End {
            session_uuid: &ending.session_uuid,
            at,
            reason: ending.reason.as_str(),
        });
        self.plan.events.push(NewEvent {
            session_uuid: ending.session_uuid.clone(),
            kind: payload.event_type(),
            payload: payload.to_json(),
            moment: Moment {
                at,
                observed: false,
            },
            keys: vec![key.to_string()],
            source: None,
        });
    }

    fn seen(&mut self, seen: &'a SessionSeen, source: (usize, u64)) {
        let Some(agent) = self.known.agents.get_mut(&seen.session_uuid) else {
            self.register(seen, source);
            return;
        };
        // A copy read again is no activity: it has nothing newer than the last time.
        let active = seen.last > agent.last_seen_at;
        let earlier = seen.first < agent.started_at;
        agent.last_seen_at = agent.last_seen_at.max(seen.last);
        agent.started_at = agent.started_at.min(seen.first);
        if active && agent.ended {
            agent.ended = false;
            agent.registrations += 1;
            let n = agent.registrations;
            let project_path = agent.project_path.clone();
            let begins = SessionRegistered {
                project_path,
                ..beginning(seen)
            };
            self.registered(begins, seen.last, n, source);
            self.plan.sessions.push(SessionChange::Reopen(seen));
        } else if active || earlier {
            self.plan.sessions.push(SessionChange::Touch(seen));
        }
    }

    /// A subagent belongs to its parent's project, wherever it works. A session
    /// whose row was deleted begins once more, under the next number.
    fn register(&mut self, seen: &'a SessionSeen, source: (usize, u64)) {
        let parent = seen.parent.as_ref();
        let parent = parent.and_then(|parent| self.known.agents.get(parent));
        let project_path = parent.map_or(&seen.project_path, |parent| &parent.project_path);
        let before = self
            .known
            .groups
            .get(&FactKey::registrations(&seen.session_uuid));
        let agent = Agent {
            id: 0,
            project_id: 0,
            project_path: project_path.clone(),
            started_at: seen.first,
            last_seen_at: seen.last,
            ended: false,
            registrations: before.copied().unwrap_or(0) + 1,
        };
        let begins = SessionRegistered {
            project_path: agent.project_path.clone(),
            ..beginning(seen)
        };
        self.registered(begins, seen.first, agent.registrations, source);
        let change = SessionChange::Register(seen, agent.clone());
        self.plan.sessions.push(change);
        self.known.agents.insert(seen.session_uuid.clone(), agent);
    }

    fn registered(
        &mut self,
        payload: SessionRegistered,
        at: Timestamp,
        n: u32,
        source: (usize, u64),
    ) {
        let session_uuid = payload.session_uuid.clone();
        let payload = Payload::SessionRegistered(payload);
        self.plan.events.push(NewEvent {
            kind: payload.event_type(),
            payload: payload.to_json(),
            moment: Moment {
                at,
                observed: false,
            },
            keys: vec![FactKey::registered(&session_uuid, n).to_string()],
            source: Some(source),
            session_uuid,
        });
    }

    fn event(&mut self, event: &Event, source: (usize, u64)) {
        if self.is_duplicate(&event.keys, source.0) || self.is_split_off(event, source.0) {
            return;
        }
        let payload = self.numbered(event);
        for key in &event.keys {
            self.new_facts
                .insert(key.to_string(), self.plan.events.len());
            if let Some(count) = self.known.groups.get_mut(key.start()) {
                *count += 1;
            }
        }
        self.plan.events.push(NewEvent {
            session_uuid: payload.session().unwrap_or_default().to_owned(),
            kind: payload.event_type(),
            payload: payload.to_json(),
            moment: event.moment,
            keys: event.keys.iter().map(ToString::to_string).collect(),
            source: Some(source),
        });
    }

    /// A fact that shares any key with a stored or planned one is that one; the
    /// keys it does not share are from now on known as well.
    fn is_duplicate(&mut self, keys: &[FactKey], input: usize) -> bool {
        let stored = keys
            .iter()
            .find_map(|key| self.known.facts.get(key.as_str()).copied());
        let planned = keys
            .iter()
            .find_map(|key| self.new_facts.get(key.as_str()).copied());
        if stored.is_none() && planned.is_none() {
            return false;
        }
        for key in keys {
            let key = key.as_str();
            if self.known.facts.contains_key(key) || self.new_facts.contains_key(key) {
                continue;
            }
            if let Some(id) = stored {
                self.known.facts.insert(key.to_owned(), id);
                self.plan.aliases.push((key.to_owned(), id));
            } else if let Some(index) = planned {
                self.new_facts.insert(key.to_owned(), index);
                self.plan.events[index].keys.push(key.to_owned());
            }
        }
        self.count_duplicate(&keys[0], input);
        true
    }

    /// A prompt without words beside others of the same moment is part of those.
    fn is_split_off(&mut self, event: &Event, input: usize) -> bool {
        let Some(Group::Alone(start)) = &event.group else {
            return false;
        };
        let in_company = self.known.groups.get(start).is_some_and(|count| *count > 0);
        if in_company {
            self.count_duplicate(&event.keys[0], input);
        }
        in_company
    }

    fn count_duplicate(&mut self, key: &FactKey, input: usize) {
        let (count, _) = self
            .plan
            .duplicates
            .entry(input)
            .or_insert_with(|| (0, key.to_string()));
        *count += 1;
    }

    /// A later text block of a message says which one it is.
    fn numbered<'p>(&self, event: &'p Event) -> Cow<'p, Payload> {
        let (Some(Group::Part(start)), Payload::TurnDetected(turn)) =
            (&event.group, &event.payload)
        else {
            return Cow::Borrowed(&event.payload);
        };
        match self.known.groups.get(start) {
            Some(&before) if before > 0 => {
                let turn = TurnDetected {
                    part: Some(before + 1),
                    ..turn.clone()
                };
                Cow::Owned(Payload::TurnDetected(turn))
            }
            _ => Cow::Borrowed(&event.payload),
        }
    }
}

fn beginning(seen: &SessionSeen) -> SessionRegistered {
    SessionRegistered {
        session_uuid: seen.session_uuid.clone(),
        project_path: seen.project_path.clone(),
        working_directory: seen.working_directory().to_owned(),
        iterm_pane_id: None,
    }
}
