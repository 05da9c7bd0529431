//! Commands, turns and what is shown of an agent, from the facts that hold after
//! each line.
//!
//! All that a line says is taken in first. Then the rows that follow from the facts
//! are compared with those that are there, and each difference is planned.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::event::{
    Actor, Evidence, FactKey, HookReceived, Moment, Origin, Payload, SessionObserved,
    SessionViewed, StateTransition, StoredGroup, StoredKey, Timestamp, Trigger, TurnDetected, hex,
};

use super::{
    ChangedTurn, Command, EventOf, LineOrigin, Linked, NewEvent, Planner, Turn, TurnOf,
    facts::KnownFact,
    state::{self, Input, Needs, Outcome, RULES, Says, State, View, Whose, Witness},
};

/// The longest last words that are kept with the agent.
const MAX_WORDS: usize = 500;

/// What an agent's row keeps for the states: the facts, and the rows that followed
/// from them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct States {
    facts: state::OpenFacts,
    /// Rows of the commands in the facts.
    commands: Vec<KnownCommand>,
    /// The command of turns that came before any.
    without: Option<i64>,
    /// How many transitions there were: part of the next one's key.
    transitions: u64,
    /// What is read is a copy of another session's beginning.
    copying: bool,
    /// The agent's newest turn.
    last_turn: Option<LastTurn>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct KnownCommand {
    key: String,
    row: Command,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct LastTurn {
    turn: TurnOf,
    intent: Intent,
}

/// What is shown of an agent: columns of its row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shown {
    pub state: State,
    pub needs: Needs,
    pub asks: Option<String>,
    pub since: Option<Timestamp>,
    pub background: u64,
    pub unseen: bool,
    pub last_words: Option<String>,
    pub viewed_at: Option<Timestamp>,
    pub snoozed_until: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Intent {
    Command,
    Answer,
    Question,
    Completion,
    Progress,
}

/// What one line said, until all of it is taken in.
#[derive(Default)]
pub(super) struct OpenLine {
    source: Option<LineOrigin>,
    /// The event that its hook or observation is,
    event_key: Option<StoredKey>,
    /// and the hook's type.
    hook: Option<String>,
    /// It repeats what is known: it is no news.
    is_copy: bool,
    turns: Vec<LineTurn>,
    touched: Vec<Touched>,
}

/// A change that the log keeps.
struct Move {
    from: String,
    /// The command as it is now; none if the agent never had one.
    to: Option<Command>,
    /// It is the newest one: what is shown of the agent changed with it.
    is_shown: bool,
    rule: u8,
}

struct LineTurn {
    event: EventOf,
    turn: TurnDetected,
    at: Timestamp,
    /// The message whose later blocks belong to this turn.
    group: Option<StoredGroup>,
}

/// An agent that a line speaks of, and how its newest command stood before.
struct Touched {
    session: String,
    newest: Option<(String, Option<Outcome>)>,
    at: Timestamp,
    witness: Witness,
}

impl Planner<'_> {
    /// The next cause stands in this line; what stood in the one before is complete.
    pub(super) fn on_line(&mut self, source: Option<LineOrigin>) {
        let is_same = source.is_some() && self.line.source == source;
        if !is_same {
            self.end_line();
            self.line.source = source;
        }
    }

    /// A turn that is new, and the last event that is planned.
    pub(super) fn new_turn(
        &mut self,
        turn: &TurnDetected,
        at: Timestamp,
        group: Option<StoredGroup>,
    ) {
        let event = EventOf::Planned(self.plan.events.len() - 1);
        self.turn_on_line(turn, event, at, group);
    }

    /// A record of the session's own: what follows is no copy.
    pub(super) fn own_record(&mut self, session: &str) {
        if let Some(agent) = self.known.agents.get_mut(session)
            && std::mem::take(&mut agent.open_facts.states.copying)
        {
            self.change(session);
        }
    }

    /// A turn whose event is stored: one of this session that has no row yet, or a copy.
    pub(super) fn known_turn(
        &mut self,
        turn: &TurnDetected,
        fact: KnownFact,
        at: Timestamp,
        group: Option<StoredGroup>,
    ) {
        let agent = self.known.agents.get_mut(&turn.session_uuid);
        if let (Some(owner), Some(agent)) = (fact.agent_id, agent) {
            let is_own = owner == agent.id;
            let was_copying = std::mem::replace(&mut agent.open_facts.states.copying, !is_own);
            if was_copying == is_own {
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
    pub(super) fn shown(&mut self, evidence: &Evidence) {
        let session = &evidence.session_uuid;
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

    pub(super) fn hook_says(&mut self, hook: &HookReceived, at: Timestamp, key: StoredKey) {
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

    pub(super) fn registry_says(&mut self, seen: &SessionObserved, at: Timestamp, key: StoredKey) {
        self.line.event_key = Some(key);
        self.say(&seen.claude_session_id, &state::observation(seen, at));
    }

    /// A session is over, whoever said so.
    pub(super) fn over(&mut self, session: &str, at: Timestamp) {
        let (witness, says) = (Witness::Process, Says::Over);
        self.say(session, &Input { at, witness, says });
    }

    pub(super) fn viewed(&mut self, viewed: &SessionViewed, at: Timestamp, key: StoredKey) {
        self.line.event_key = Some(key);
        let session = &viewed.session_uuid;
        let says = Says::Looked;
        let witness = Witness::Clock;
        self.say(session, &Input { at, witness, says });
        if let Some(agent) = self.known.agents.get_mut(session) {
            let until = viewed.snoozed_until.as_deref().and_then(Timestamp::parse);
            agent.shown.viewed_at = agent.shown.viewed_at.max(Some(at));
            agent.shown.snoozed_until = until.or(agent.shown.snoozed_until);
            self.change(session);
        }
    }

    fn say(&mut self, session: &str, input: &Input) {
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

    pub(super) fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        for touched in &line.touched {
            self.follow(touched, &line);
        }
        for turn in &line.turns {
            self.add_turn(turn, &line);
        }
        for touched in &line.touched {
            self.settle_intent(&touched.session);
        }
    }

    /// Plans what follows from an agent's facts.
    fn follow(&mut self, touched: &Touched, line: &OpenLine) {
        let session = &touched.session;
        let Some(agent) = self.known.agents.get_mut(session) else {
            return;
        };
        let states = &mut agent.open_facts.states;
        let (facts, view, since) = (
            states.facts.facts(),
            states.facts.view(),
            states.facts.since(),
        );
        let (because, agent_id) = (states.facts.because(), agent.id);
        let old = std::mem::take(&mut states.commands);
        let before = agent.shown.clone();
        agent.shown.take_in(&view);
        let is_news = !before.is_as(&agent.shown);
        if is_news {
            agent.shown.since = since;
            agent.shown.snoozed_until = None;
        }
        let (mut commands, mut moves) = (Vec::new(), Vec::new());
        for (number, command) in facts.commands.iter().enumerate() {
            let newest = (number + 1 == facts.commands.len()).then_some(&view);
            let known = old.iter().find(|known| known.key == command.key);
            let id = known.map_or_else(|| self.ids.commands.next(), |known| known.row.id);
            let row = row(id, agent_id, command, newest);
            let key = command.key.clone();
            match known {
                Some(known) if known.row.stands_as(&row) && !(is_news && newest.is_some()) => {
                    commands.push(known.clone());
                }
                known => {
                    moves.push(Move {
                        from: known.map_or("idle".into(), |known| known.row.state.clone()),
                        to: Some(row.clone()),
                        is_shown: newest.is_some(),
                        rule: newest.map_or(command.closed_by, |_| because),
                    });
                    commands.push(KnownCommand { key, row });
                }
            }
        }
        // The facts know better now: that was no command of its own.
        moves.extend(
            old.iter()
                .filter(|old| is_gone(old, &commands))
                .map(|gone| Move {
                    from: gone.row.state.clone(),
                    to: Some(gone.row.superseded(touched.at)),
                    is_shown: false,
                    rule: 27,
                }),
        );
        if is_news && facts.commands.is_empty() {
            moves.push(Move {
                from: before.state.as_str().into(),
                to: None,
                is_shown: true,
                rule: because,
            });
        }
        let agent = self.known.agents.get_mut(session).expect("it was there");
        agent.open_facts.states.commands = commands;
        // The facts have changed in any case.
        self.change(session);
        for to in moves {
            self.transition(touched, line, to);
        }
    }

    fn transition(&mut self, touched: &Touched, line: &OpenLine, moved: Move) {
        let session = &touched.session;
        let Some(agent) = self.known.agents.get_mut(session) else {
            return;
        };
        agent.open_facts.states.transitions += 1;
        let number = agent.open_facts.states.transitions;
        let key = FactKey::transition(session, agent.registrations, number);
        let (shown, to) = (&agent.shown, moved.to.as_ref());
        let checkpoint_id = line.source.map(|source| source.checkpoint_id);
        let path = checkpoint_id.and_then(|id| self.known.paths.get(&id));
        let needs = (moved.is_shown && shown.needs != Needs::None).then(|| shown.needs.as_str());
        let rule = RULES.iter().find(|rule| rule.number == moved.rule);
        let to_state = to.map_or(shown.state.as_str(), |to| &to.state);
        let payload = Payload::StateTransition(StateTransition {
            agent_id: agent.id,
            command_id: to.map_or(0, |to| to.id),
            from_state: moved.from,
            to_state: to_state.to_owned(),
            trigger: trigger(touched.witness),
            needs: needs.map(str::to_owned),
            asks: shown.asks.clone().filter(|_| moved.is_shown),
            outcome: to.and_then(|to| to.outcome.clone()),
            confidence: rule.and_then(|rule| rule.confidence),
            evidence: Some(line.evidence(
                touched.witness,
                to,
                moved.is_shown.then_some(shown),
                path,
            )),
            rule: Some(moved.rule.to_string()),
        });
        self.plan.events.push(NewEvent {
            kind: payload.event_type(),
            moment: Moment {
                at: touched.at,
                observed: false,
            },
            project_id: Some(agent.project_id),
            agent_id: Some(agent.id),
            command_id: to.map(|to| to.id),
            turn_id: None,
            payload: payload.to_json(),
            keys: vec![key.as_stored()],
            source: line.source,
        });
        if let Some(row) = moved.to {
            self.plan.put_command(row);
        }
    }

    /// A turn's row, or a longer one. Its event gets both ids, and the intent.
    fn add_turn(&mut self, turn: &LineTurn, line: &OpenLine) {
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
        self.plan.put_command(Command {
            id,
            agent_id,
            state: "complete".into(),
            origin: Origin::Unknown.as_str().into(),
            outcome: Some(Outcome::Done.as_str().into()),
            started_at: at,
            completed_at: Some(at),
        });
        Some(id)
    }

    /// What the agent said last is what its command came to.
    fn settle_intent(&mut self, session: &str) {
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

impl States {
    pub fn of_child() -> States {
        States {
            facts: state::OpenFacts::of_child(),
            ..States::default()
        }
    }

    #[cfg(test)]
    pub fn command_ids(&self) -> impl Iterator<Item = i64> {
        let rows = self.commands.iter().map(|known| known.row.id);
        rows.chain(self.without)
    }
}

impl super::Plan<'_> {
    /// A row once, as it is in the end.
    fn put_command(&mut self, row: Command) {
        match self
            .commands
            .iter_mut()
            .rev()
            .find(|planned| planned.id == row.id)
        {
            Some(planned) => *planned = row,
            None => self.commands.push(row),
        }
    }

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

impl OpenLine {
    /// Where what caused a transition stands, and what else the rows of command and
    /// agent follow from.
    fn evidence(
        &self,
        witness: Witness,
        to: Option<&Command>,
        shown: Option<&Shown>,
        path: Option<&String>,
    ) -> Value {
        let mut evidence = json!({"witness": witness});
        if let Some(to) = to {
            evidence["origin"] = json!(to.origin);
            evidence["started_at"] = json!(to.started_at);
            evidence["completed_at"] = json!(to.completed_at);
        }
        if let Some(shown) = shown {
            evidence["state"] = json!(shown.state);
            evidence["since"] = json!(shown.since);
            evidence["background"] = json!(shown.background);
            evidence["unseen"] = json!(shown.unseen);
        }
        if let Some(hook) = &self.hook {
            evidence["hook"] = json!(hook);
        }
        match (self.event_key, self.source) {
            (Some(key), _) => evidence["event_key"] = json!(hex(&key)),
            (None, Some(source)) => {
                evidence["source"] = json!(path);
                evidence["offset"] = json!(source.offset);
            }
            (None, None) => {}
        }
        evidence
    }
}

impl Shown {
    /// A person's answer is waited for.
    pub fn is_waiting(&self) -> bool {
        use Needs::{Dialog, Permission, Plan, Question};
        matches!(self.needs, Permission | Question | Plan | Dialog)
    }

    fn take_in(&mut self, view: &View) {
        self.state = view.state;
        self.needs = view.needs;
        self.asks.clone_from(&view.asks);
        self.background = view.background;
        self.unseen = view.unseen;
    }

    /// Whether it does and needs the same. That it was looked at has an event of its own.
    fn is_as(&self, other: &Shown) -> bool {
        (self.state, self.needs, self.background) == (other.state, other.needs, other.background)
            && self.asks == other.asks
    }
}

impl Default for Shown {
    fn default() -> Shown {
        Shown {
            state: State::Idle,
            needs: Needs::None,
            asks: None,
            since: None,
            background: 0,
            unseen: false,
            last_words: None,
            viewed_at: None,
            snoozed_until: None,
        }
    }
}

impl Command {
    fn stands_as(&self, other: &Command) -> bool {
        (&self.state, &self.outcome) == (&other.state, &other.outcome)
    }

    fn superseded(&self, at: Timestamp) -> Command {
        Command {
            state: "complete".into(),
            outcome: Some(Outcome::Superseded.as_str().into()),
            completed_at: Some(at.max(self.started_at)),
            ..self.clone()
        }
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

/// A command's row; the newest one's with what is shown of its agent.
fn row(id: i64, agent_id: i64, command: &state::Command, newest: Option<&View>) -> Command {
    let is_over = !matches!(command.outcome, None | Some(Outcome::Asked));
    let (state, outcome) = match (command.outcome, newest) {
        (Some(Outcome::Asked), Some(_)) => ("awaiting_input", command.outcome),
        (None, Some(view)) if !view.ended => (view.state.as_str(), None),
        (None, _) => ("complete", Some(Outcome::Superseded)),
        (outcome, _) => ("complete", outcome),
    };
    let over_at = command.over_at.unwrap_or(command.since).max(command.since);
    Command {
        id,
        agent_id,
        state: state.to_owned(),
        origin: command.by.as_str().to_owned(),
        outcome: outcome.map(|outcome| outcome.as_str().to_owned()),
        started_at: command.since,
        completed_at: (is_over || state == "complete").then_some(over_at),
    }
}

/// Only the oldest are let go of when there are too many.
fn is_gone(old: &KnownCommand, now: &[KnownCommand]) -> bool {
    let is_younger = now
        .first()
        .is_some_and(|first| first.row.started_at <= old.row.started_at);
    old.row.state != "complete" && is_younger && !now.iter().any(|known| known.key == old.key)
}

fn trigger(witness: Witness) -> Trigger {
    match witness {
        Witness::Transcript => Trigger::Turn,
        Witness::Hook => Trigger::Hook,
        Witness::Registry => Trigger::Registry,
        Witness::Process => Trigger::Process,
        Witness::Clock => Trigger::Timeout,
    }
}

pub(super) fn last_words(text: &str) -> String {
    let text = text.trim();
    let end = text.char_indices().nth(MAX_WORDS);
    text[..end.map_or(text.len(), |(at, _)| at)].to_owned()
}
