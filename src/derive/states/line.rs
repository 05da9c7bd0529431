//! What a line says, taken into the facts of the agents it speaks of.

use crate::event::{
    EndsAt, Evidence, HookReceived, SessionObserved, SessionViewed, Shows, StoredGroup, StoredKey,
    Timestamp, TurnDetected,
};

use super::super::{
    Agent, EventOf, LineOrigin, Planner,
    facts::KnownFact,
    state::{self, Input, Outcome, Says, Whose, Witness},
};
use super::Beginning;

/// What one line said, until all of it is taken in.
#[derive(Default)]
pub struct OpenLine {
    pub(super) source: Option<LineOrigin>,
    /// The event that its hook or observation is,
    pub(super) event_key: Option<StoredKey>,
    /// and the hook's type.
    pub(super) hook: Option<String>,
    /// It repeats what is known: it is no news.
    is_copy: bool,
    turns: Vec<LineTurn>,
    /// Calls of tools: whose, and where they stand in the plan.
    calls: Vec<(String, usize)>,
    pub(super) touched: Vec<Touched>,
}

pub(super) struct LineTurn {
    pub event: EventOf,
    pub turn: TurnDetected,
    pub at: Timestamp,
    /// The message whose later blocks belong to this turn.
    pub group: Option<StoredGroup>,
}

/// An agent that a line speaks of, and how its newest command stood before.
pub(super) struct Touched {
    pub session: String,
    pub newest: Option<(String, Option<Outcome>)>,
    pub at: Timestamp,
    pub witness: Witness,
}

impl Agent {
    /// A record of its file is another session's; false if that was known.
    fn copies(&mut self, owner: i64) -> bool {
        let states = &mut self.open_facts.states;
        let before = (states.copying, states.beginning);
        states.copying = true;
        if states.beginning != Beginning::Own {
            states.beginning = Beginning::CopyOf(owner);
        }
        before != (states.copying, states.beginning)
    }

    /// A record of its own. A session that goes on behind a copy began with it; one that
    /// is nothing but a copy may be the origin, read later. False if all that was known.
    fn goes_on(&mut self) -> bool {
        let states = &mut self.open_facts.states;
        let before = (states.copying, states.beginning);
        if let Beginning::CopyOf(origin) = states.beginning {
            self.forked_from_id = self.forked_from_id.or(Some(origin));
        }
        (states.copying, states.beginning) = (false, Beginning::Own);
        before != (states.copying, states.beginning)
    }
}

impl Planner<'_> {
    /// The next cause stands in this line; what stood in the one before is complete.
    pub(in crate::derive) fn on_line(&mut self, source: Option<LineOrigin>) {
        let is_same = source.is_some() && self.line.source == source;
        if !is_same {
            self.end_line();
            self.line.source = source;
        }
    }

    /// A turn that is new, and the last event that is planned.
    pub(in crate::derive) fn new_turn(
        &mut self,
        turn: &TurnDetected,
        at: Timestamp,
        group: Option<StoredGroup>,
    ) {
        let event = EventOf::Planned(self.plan.events.len() - 1);
        self.turn_on_line(turn, event, at, group);
    }

    /// A record of the session's own: what follows is no copy.
    pub(in crate::derive) fn own_record(&mut self, session: &str) {
        if let Some(agent) = self.known.agents.get_mut(session)
            && agent.goes_on()
        {
            self.change(session);
        }
    }

    /// A turn whose event is stored: one of this session that has no row yet, or a copy.
    pub(in crate::derive) fn known_turn(
        &mut self,
        turn: &TurnDetected,
        fact: KnownFact,
        at: Timestamp,
        group: Option<StoredGroup>,
    ) {
        let agent = self.known.agents.get_mut(&turn.session_uuid);
        if let (Some(owner), Some(agent)) = (fact.agent_id, agent) {
            let is_own = owner == agent.id;
            let is_changed = match is_own {
                true => agent.goes_on(),
                false => agent.copies(owner),
            };
            if is_changed {
                self.change(&turn.session_uuid);
            }
            if is_own && !fact.has_turn {
                return self.turn_on_line(turn, fact.event, at, group);
            }
        }
        self.line.is_copy = true;
    }

    fn turn_on_line(
        &mut self,
        turn: &TurnDetected,
        event: EventOf,
        at: Timestamp,
        group: Option<StoredGroup>,
    ) {
        self.line.turns.push(LineTurn {
            event,
            turn: turn.clone(),
            at,
            group,
        });
    }

    /// What a transcript shows, of a session and of the one it works for.
    pub(in crate::derive) fn shown(&mut self, evidence: &Evidence) {
        let session = &evidence.session_uuid;
        if let Shows::ForkedFrom { session_uuid } = &evidence.shows {
            self.forked(session, session_uuid);
        }
        let is_copy = self.line.is_copy
            || self
                .known
                .agents
                .get(session)
                .is_none_or(|agent| agent.open_facts.states.copying);
        let Some(input) = state::evidence(evidence).filter(|_| !is_copy) else {
            return;
        };
        if let Some((parent, child)) = session.split_once('/')
            && let Some(input) = state::of_child(&input, child)
        {
            self.say(parent, &input);
        }
        self.say(session, &input);
    }

    /// A record names the session that it was copied from.
    fn forked(&mut self, session: &str, from: &str) {
        let origin = self.known.agents.get(from).map(|agent| agent.id);
        let Some(agent) = self.known.agents.get_mut(session) else {
            return;
        };
        if origin.is_some() && agent.forked_from_id != origin && origin != Some(agent.id) {
            agent.forked_from_id = origin;
            self.change(session);
        }
    }

    pub(in crate::derive) fn hook_says(
        &mut self,
        hook: &HookReceived,
        at: Timestamp,
        key: StoredKey,
    ) {
        self.line.event_key = Some(key);
        self.line.hook = Some(hook.hook_type.clone());
        let session = &hook.claude_session_id;
        for (whose, input) in state::hook(hook, at) {
            match whose {
                Whose::Session => self.say(session, &input),
                Whose::Child(child) => self.say(&format!("{session}/{child}"), &input),
            }
        }
    }

    pub(in crate::derive) fn registry_says(
        &mut self,
        seen: &SessionObserved,
        at: Timestamp,
        key: StoredKey,
    ) {
        self.line.event_key = Some(key);
        self.say(&seen.claude_session_id, &state::observation(seen, at));
    }

    /// The registry says idle for so long that no end of the turn will come.
    pub(in crate::derive) fn passed(&mut self, session: &str) {
        let agent = self.known.agents.get(session);
        let quiet = agent.and_then(|agent| agent.open_facts.states.quiet_since());
        if let Some(input) = quiet.map(state::passed) {
            self.say(session, &input);
        }
    }

    /// A session is over: by a hook, a program, its process or the time-out.
    pub(in crate::derive) fn over(&mut self, session: &str, at: Timestamp, ends: EndsAt) {
        let (witness, says) = match ends {
            EndsAt::Moment(_) => (Witness::Process, Says::Over),
            EndsAt::Exit(_) => (Witness::Process, Says::Exited),
            EndsAt::Idle(_) => (Witness::Clock, Says::TimedOut),
        };
        self.say(session, &Input { at, witness, says });
    }

    pub(in crate::derive) fn viewed(
        &mut self,
        viewed: &SessionViewed,
        at: Timestamp,
        key: StoredKey,
    ) {
        self.line.event_key = Some(key);
        let session = &viewed.session_uuid;
        let says = Says::Looked;
        let witness = Witness::Clock;
        self.say(session, &Input { at, witness, says });
        if let Some(agent) = self.known.agents.get_mut(session) {
            let until = viewed.snoozed_until.as_deref().and_then(Timestamp::parse);
            // This event says so, and no transition.
            agent.shown.unseen = false;
            agent.shown.viewed_at = agent.shown.viewed_at.max(Some(at));
            agent.shown.snoozed_until = until.or(agent.shown.snoozed_until);
            self.change(session);
        }
    }

    pub(super) fn tell(&mut self, session: &str, input: &Input) {
        let Some(agent) = self.known.agents.get_mut(session) else {
            return;
        };
        let (touched, states) = (&mut self.line.touched, &mut agent.open_facts.states);
        match touched
            .iter_mut()
            .find(|touched| touched.session == session)
        {
            Some(touched) => touched.at = touched.at.max(input.at),
            None => {
                let facts = states.facts.facts();
                let newest = facts.commands.last();
                touched.push(Touched {
                    session: session.to_owned(),
                    newest: newest.map(|newest| (newest.key.clone(), newest.outcome)),
                    at: input.at,
                    witness: input.witness,
                });
            }
        }
        states.facts.apply(input);
    }

    /// A call belongs to the command that is there at the end of its line.
    pub(in crate::derive) fn called_on_line(&mut self, session: &str, place: usize) {
        self.line.calls.push((session.to_owned(), place));
    }

    pub(in crate::derive) fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        for touched in &line.touched {
            self.follow(touched, &line);
        }
        for (session, place) in &line.calls {
            let agent = self.known.agents.get(session);
            let command_id = agent.and_then(|agent| agent.open_facts.states.command_id());
            let call = &mut self.plan.tool_uses[*place];
            call.command_id = call.command_id.or(command_id);
        }
        for turn in &line.turns {
            self.add_turn(turn, &line);
        }
        for touched in &line.touched {
            self.settle_intent(&touched.session);
        }
    }
}
