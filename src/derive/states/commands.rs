//! The rows of an agent's commands, and the transitions that tell of them.

use serde_json::{Value, json};

use crate::event::{FactKey, Moment, Payload, StateTransition, Timestamp, Trigger, hex};

use super::{
    super::{
        Command, NewEvent, Plan, Planner,
        state::{self, Needs, Outcome, RULES, View, Witness},
    },
    KnownCommand, Shown,
    line::{OpenLine, Touched},
};

/// A change that the log keeps.
struct Move {
    from: String,
    /// The command as it is now; none if the agent never had one.
    to: Option<Command>,
    /// It is the newest one: what is shown of the agent changed with it.
    is_shown: bool,
    /// The rule that closed it; of the newest one the rule behind what is shown.
    rule: u8,
}

impl Planner<'_> {
    /// Plans what follows from an agent's facts.
    pub(super) fn follow(&mut self, touched: &Touched, line: &OpenLine) {
        let session = &touched.session;
        let Some(agent) = self.known.agents.get_mut(session) else {
            return;
        };
        let states = &mut agent.open_facts.states;
        let (facts, view) = (states.facts.facts(), states.facts.view());
        let (since, because) = (states.facts.since(), states.facts.because());
        self.plan.quiet.retain(|(quiet, _)| quiet != session);
        let quiet = states.quiet_since().map(|since| (session.clone(), since));
        self.plan.quiet.extend(quiet);
        let before = agent.shown.clone();
        agent.shown.take_in(view);
        let is_another = !before.is_as(&agent.shown);
        if is_another {
            agent.shown.since = since;
            agent.shown.snoozed_until = None;
        }
        let is_news = is_another || before.unseen != agent.shown.unseen;
        let old = std::mem::take(&mut states.commands);
        let next_id = || self.ids.commands.next();
        let compared = compare(old, &facts.commands, view, is_news, agent.id, next_id);
        let (commands, left, mut moves) = compared;
        // The facts know better now: that was no command of its own.
        let gone = left.iter().filter(|left| is_gone(left, &commands));
        moves.extend(gone.map(|gone| gone.withdrawn(touched.at)));
        if is_news && commands.is_empty() {
            moves.push(Move {
                from: before.state.as_str().into(),
                to: None,
                is_shown: true,
                rule: because,
            });
        }
        states.commands = commands;
        // The facts have changed in any case.
        self.change(session);
        for mut moved in moves {
            if moved.is_shown {
                moved.rule = because;
            }
            self.transition(touched, line, moved);
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
                touched.at,
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
}

/// The commands as their rows must be now, those that are none any more, and what that
/// changes. The newest one has what is shown of the agent.
fn compare(
    mut old: Vec<KnownCommand>,
    now: &[state::Command],
    view: &View,
    is_news: bool,
    agent_id: i64,
    mut next_id: impl FnMut() -> i64,
) -> (Vec<KnownCommand>, Vec<KnownCommand>, Vec<Move>) {
    let (mut commands, mut moves) = (Vec::with_capacity(now.len()), Vec::new());
    for (number, command) in now.iter().enumerate() {
        let newest = (number + 1 == now.len()).then_some(view);
        let place = old.iter().position(|known| known.key == command.key);
        let known = place.map(|place| old.remove(place));
        let is_shown = newest.is_some();
        let stands = known
            .as_ref()
            .is_some_and(|known| known.row.stands(standing(command, newest)));
        match known {
            Some(known) if stands && !(is_news && is_shown) => commands.push(known),
            known => {
                let id = known
                    .as_ref()
                    .map_or_else(&mut next_id, |known| known.row.id);
                let row = row(id, agent_id, command, newest);
                moves.push(Move {
                    from: known.map_or("idle".into(), |known| known.row.state),
                    to: Some(row.clone()),
                    is_shown,
                    rule: command.closed_by,
                });
                let key = command.key.clone();
                commands.push(KnownCommand { key, row });
            }
        }
    }
    (commands, old, moves)
}

impl KnownCommand {
    /// It was no command of its own.
    fn withdrawn(&self, at: Timestamp) -> Move {
        Move {
            from: self.row.state.clone(),
            to: Some(self.row.superseded(at)),
            is_shown: false,
            rule: 27,
        }
    }
}

impl Plan<'_> {
    /// A row once, as it is in the end.
    pub(super) fn put_command(&mut self, row: Command) {
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
}

impl OpenLine {
    /// Where what caused a transition stands, and what else the rows of command and
    /// agent follow from: of that only what is not as usual. A time that is missing is
    /// the event's own.
    fn evidence(
        &self,
        at: Timestamp,
        witness: Witness,
        to: Option<&Command>,
        shown: Option<&Shown>,
        path: Option<&String>,
    ) -> Value {
        let mut evidence = json!({"witness": witness});
        let mut put = |name: &str, value: Value, usual: Value| {
            if value != usual {
                evidence[name] = value;
            }
        };
        if let Some(to) = to {
            put("origin", json!(to.origin), json!("human"));
            put("started_at", json!(to.started_at), json!(at));
            put("completed_at", json!(to.completed_at), Value::Null);
        }
        if let Some(shown) = shown {
            put("state", json!(shown.state), Value::Null);
            put("since", json!(shown.since), json!(at));
            put("background", json!(shown.background), json!(0));
            put("unseen", json!(shown.unseen), json!(false));
        }
        if let Some(hook) = &self.hook {
            evidence["hook"] = json!(hook);
        }
        match (self.event_key, self.source) {
            (Some(key), _) => evidence["event_key"] = json!(hex(&key)),
            (None, Some(source)) => {
                let name = path.and_then(|path| path.rsplit('/').next());
                evidence["source"] = json!(name);
                evidence["offset"] = json!(source.offset);
            }
            (None, None) => {}
        }
        evidence
    }
}

impl Command {
    fn stands(&self, (state, outcome): (&str, Option<Outcome>)) -> bool {
        self.state == state && self.outcome.as_deref() == outcome.map(Outcome::as_str)
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

/// A command's state and outcome; the newest one's with what is shown of its agent.
fn standing(command: &state::Command, newest: Option<&View>) -> (&'static str, Option<Outcome>) {
    match (command.outcome, newest) {
        (Some(Outcome::Asked), Some(_)) => ("awaiting_input", command.outcome),
        (None, Some(view)) if !view.ended => (view.state.as_str(), None),
        (None, _) => ("complete", Some(Outcome::Superseded)),
        (outcome, _) => ("complete", outcome),
    }
}

fn row(id: i64, agent_id: i64, command: &state::Command, newest: Option<&View>) -> Command {
    let is_over = !matches!(command.outcome, None | Some(Outcome::Asked));
    let (state, outcome) = standing(command, newest);
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
    old.row.state != "complete" && is_younger
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
