//! Which events are new facts, and which are copies.

use std::{borrow::Cow, collections::hash_map::Entry};

use crate::event::{Event, FactKey, Group, Payload, StoredKey, Timestamp, TurnDetected};

use super::{EventOf, LineOrigin, NewEvent, Planner};

/// A fact that is no news.
#[derive(Debug, Clone, Copy)]
pub(super) struct KnownFact {
    pub event: EventOf,
    pub agent_id: Option<i64>,
    pub has_turn: bool,
}

impl Planner<'_> {
    pub(super) fn event(&mut self, event: &Event, source: LineOrigin) {
        let keys: Vec<StoredKey> = event.keys.iter().map(FactKey::as_stored).collect();
        let group = match &event.group {
            Some(group @ Group::Part(_)) => Some(group.stored()),
            _ => None,
        };
        if let Some(known) = self.known_as(&keys) {
            // The registry is read anew at each start, and a hook may stand in
            // two settings files: that they repeat themselves is no news.
            if let Payload::TurnDetected(turn) = &event.payload {
                self.count_duplicate(&event.keys[0], source);
                self.known_turn(turn, known, event.moment.at, group);
            }
            return;
        }
        if self.is_split_off(event, source) || self.was_heard(event) {
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
            command_id: None,
            turn_id: None,
            // A turn's is written at the end of its line.
            payload: match &*payload {
                Payload::TurnDetected(_) => String::new(),
                payload => payload.to_json(),
            },
            keys,
            source: Some(source),
        };
        let key = event.keys[0];
        self.remember(&event);
        self.plan.events.push(event);
        match &*payload {
            Payload::TurnDetected(turn) => {
                self.own_record(&turn.session_uuid);
                self.new_turn(turn, moment.at, group);
            }
            payload => self.follows_from(payload, moment.at, source, key),
        }
    }

    /// What a new event changes beside the log.
    fn follows_from(
        &mut self,
        payload: &Payload,
        at: Timestamp,
        source: LineOrigin,
        key: StoredKey,
    ) {
        match payload {
            Payload::HookReceived(hook) => {
                self.hook_says(hook, at, key);
                self.hook(hook, at, source);
            }
            Payload::SessionObserved(seen) => {
                self.registry_says(seen, at, key);
                self.observed(seen, at, source);
            }
            Payload::SessionViewed(viewed) => self.viewed(viewed, at, key),
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

    /// The fact that shares any key with a stored or planned one is that one; the
    /// keys it does not share are from now on known as well.
    pub(super) fn known_as(&mut self, keys: &[StoredKey]) -> Option<KnownFact> {
        let stored = keys
            .iter()
            .find_map(|key| self.known.facts.get(key).copied());
        let planned = || keys.iter().find_map(|key| self.new_facts.get(key).copied());
        let mut further = Vec::new();
        let fact = if let Some(event) = stored {
            for key in keys.iter().filter(|key| !self.new_facts.contains_key(*key)) {
                if let Entry::Vacant(unknown) = self.known.facts.entry(*key) {
                    unknown.insert(event);
                    self.plan.aliases.push((*key, event.id));
                    further.push(*key);
                }
            }
            KnownFact {
                event: EventOf::Stored(event.id),
                agent_id: event.agent_id,
                has_turn: event.turn_id.is_some(),
            }
        } else {
            let place = planned()?;
            for key in keys {
                if let Entry::Vacant(unknown) = self.new_facts.entry(*key) {
                    unknown.insert(place);
                    self.plan.events[place].keys.push(*key);
                    further.push(*key);
                }
            }
            KnownFact {
                event: EventOf::Planned(place),
                agent_id: self.plan.events[place].agent_id,
                // It gets it at the end of its line.
                has_turn: true,
            }
        };
        further.iter().for_each(|key| self.count_in_group(key));
        Some(fact)
    }

    fn count_in_group(&mut self, key: &StoredKey) {
        if let Some(group) = self.known.groups.get_mut(&FactKey::group_of(key)) {
            group.count += 1;
        }
    }

    /// A prompt without words beside others of the same moment is part of those.
    fn is_split_off(&mut self, event: &Event, source: LineOrigin) -> bool {
        let Some(group @ Group::Alone(_)) = &event.group else {
            return false;
        };
        let in_company = self.in_group(group) > 0;
        if in_company {
            self.count_duplicate(&event.keys[0], source);
        }
        in_company
    }

    /// A line that is read once more repeats itself by intent.
    fn count_duplicate(&mut self, key: &FactKey, source: LineOrigin) {
        if self.is_read_again(source) {
            return;
        }
        let duplicates = self.plan.duplicates.entry(source.checkpoint_id);
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
        let known = self.known.groups.get(&group.stored());
        known.map_or(0, |group| group.count)
    }
}
