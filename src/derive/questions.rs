//! What a batch must know before it can be planned.

use crate::event::{Event, FactKey, SessionSeen, StoredGroup, StoredKey, What};

use super::Cause;

/// Each list in order and without repeats.
#[derive(Debug, Default)]
pub struct Questions<'a> {
    pub keys: Vec<StoredKey>,
    pub groups: Vec<StoredGroup>,
    /// Paths of projects that a session may need.
    pub projects: Vec<&'a str>,
    pub sessions: Vec<&'a str>,
}

pub fn questions<'a>(causes: &[Cause<'a>]) -> Questions<'a> {
    let mut asked = Questions::default();
    for cause in causes {
        match cause {
            Cause::Line(_, entry) => match &entry.what {
                What::Event(event) => asked.event(event),
                What::Seen(seen) => asked.seen(seen),
                What::Ended(ending) => asked.sessions.push(&ending.session_uuid),
                What::Evidence(evidence) => asked.sessions.push(&evidence.session_uuid),
                What::Rejected(_) => {}
            },
            Cause::Ended(ending) => asked.sessions.push(&ending.session_uuid),
        }
    }
    sort(&mut asked.keys);
    sort(&mut asked.groups);
    sort(&mut asked.projects);
    sort(&mut asked.sessions);
    asked
}

impl<'a> Questions<'a> {
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.sessions.is_empty()
    }

    fn event(&mut self, event: &'a Event) {
        self.keys.extend(event.keys.iter().map(FactKey::as_stored));
        self.groups.extend(event.group.as_ref().map(|g| g.stored()));
        self.sessions.extend(event.payload.session());
    }

    /// If the session has no row it must be known how often it had one.
    fn seen(&mut self, seen: &'a SessionSeen) {
        let registrations = FactKey::registrations(&seen.session_uuid);
        self.groups.push(FactKey::stored_group(&registrations));
        self.projects.push(&seen.project_path);
        self.sessions.push(&seen.session_uuid);
        self.sessions.extend(seen.parent.as_deref());
    }
}

fn sort<T: Ord>(list: &mut Vec<T>) {
    list.sort_unstable();
    list.dedup();
}
