//! Which events are new facts, and which are copies.

use std::{borrow::Cow, collections::hash_map::Entry};

use crate::event::{Event, FactKey, Group, Payload, StoredKey, Timestamp, TurnDetected};

use super::{LineOrigin, NewEvent, Planner};

impl Planner<'_> {
    pub(super) fn event(&mut self, event: &Event, source: LineOrigin) {
        let input = source.checkpoint_id;
        let keys: Vec<StoredKey> = event.keys.iter().map(FactKey::as_stored).collect();
        if self.is_known(&keys) {
            // The registry is read anew at each start, and a hook may stand in
            // two settings files: that they repeat themselves is no news.
            if matches!(event.payload, Payload::TurnDetected(_)) {
                self.count_duplicate(&event.keys[0], input);
            }
            return;
        }
        if self.is_split_off(event, input) || self.was_heard(event) {
            return;
        }
        let (payload, moment) = (self.numbered(event), event.moment);
        let session = payload.session().unwrap_or_default();
        let agent = self.known.agents.get(session);
        let event = NewEvent {
            kind: payload.event_type(),
            moment,
            project_id: agent.map(|agent| agent.project_id),
            agent_id: agent.map(|agent| agent.id),
            payload: payload.to_json(),
            keys,
            source: Some(source),
        };
        self.remember(&event);
        self.plan.events.push(event);
        self.follows_from(&payload, moment.at, source);
    }

    /// What a new event changes beside the log.
    fn follows_from(&mut self, payload: &Payload, at: Timestamp, source: LineOrigin) {
        match payload {
            Payload::HookReceived(hook) => self.hook(hook, at, source),
            Payload::SessionObserved(seen) => self.observed(seen, at, source),
            _ => {}
        }
    }

    /// What follows in this batch knows the event that is planned next.
    pub(super) fn remember(&mut self, event: &NewEvent) {
        for key in &event.keys {
            self.new_facts.insert(*key, self.plan.events.len());
            self.count_in_group(key);
        }
    }

    /// A fact that shares any key with a stored or planned one is that one; the
    /// keys it does not share are from now on known as well.
    pub(super) fn is_known(&mut self, keys: &[StoredKey]) -> bool {
        let stored = keys
            .iter()
            .find_map(|key| self.known.facts.get(key).copied());
        let planned = || keys.iter().find_map(|key| self.new_facts.get(key).copied());
        let mut further = Vec::new();
        if let Some(id) = stored {
            for key in keys.iter().filter(|key| !self.new_facts.contains_key(*key)) {
                if let Entry::Vacant(unknown) = self.known.facts.entry(*key) {
                    unknown.insert(id);
                    self.plan.aliases.push((*key, id));
                    further.push(*key);
                }
            }
        } else if let Some(place) = planned() {
            for key in keys {
                if let Entry::Vacant(unknown) = self.new_facts.entry(*key) {
                    unknown.insert(place);
                    self.plan.events[place].keys.push(*key);
                    further.push(*key);
                }
            }
        } else {
            return false;
        }
        further.iter().for_each(|key| self.count_in_group(key));
        true
    }

    fn count_in_group(&mut self, key: &StoredKey) {
        if let Some(count) = self.known.groups.get_mut(&FactKey::group_of(key)) {
            *count += 1;
        }
    }

    /// A prompt without words beside others of the same moment is part of those.
    fn is_split_off(&mut self, event: &Event, input: i64) -> bool {
        let Some(group @ Group::Alone(_)) = &event.group else {
            return false;
        };
        let in_company = self.in_group(group) > 0;
        if in_company {
            self.count_duplicate(&event.keys[0], input);
        }
        in_company
    }

    fn count_duplicate(&mut self, key: &FactKey, input: i64) {
        let duplicates = self.plan.duplicates.entry(input);
        let (count, _) = duplicates.or_insert_with(|| (0, key.to_string()));
        *count += 1;
    }

    /// A later text block of a message says which one it is.
    fn numbered<'p>(&self, event: &'p Event) -> Cow<'p, Payload> {
        let (Some(group @ Group::Part(_)), Payload::TurnDetected(turn)) =
            (&event.group, &event.payload)
        else {
            return Cow::Borrowed(&event.payload);
        };
        match self.in_group(group) {
            0 => Cow::Borrowed(&event.payload),
            before => Cow::Owned(Payload::TurnDetected(TurnDetected {
                part: Some(before + 1),
                ..turn.clone()
            })),
        }
    }

    /// How many keys of the group are stored or planned.
    fn in_group(&self, group: &Group) -> u32 {
        let count = self.known.groups.get(&group.stored());
        count.copied().unwrap_or(0)
    }
}
