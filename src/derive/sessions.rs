//! How sessions begin, go on, end and begin again, and the projects they work in.

use crate::event::{
    EndReason, Ending, EndsAt, FactKey, Moment, Payload, SessionEnded, SessionRegistered,
    SessionSeen, Sign, Timestamp, project_name,
};

use super::{
    Agent, Known, LineOrigin, NewEvent, OpenFacts, Planner, Project, Shown, Work,
    state::{Needs, State},
};

/// Machines of one session, beside that of its project.
const MAX_HOSTS: usize = 8;
/// Activity so soon after the CLI closed a session belongs to its end.
const CLOSING_SECONDS: u64 = 1;

impl Planner<'_> {
    pub(super) fn seen(&mut self, seen: &SessionSeen, source: LineOrigin) {
        let Known { agents, host, .. } = &mut self.known;
        let Some(agent) = agents.get_mut(&seen.session_uuid) else {
            return self.register(seen, source);
        };
        let mut elsewhere = false;
        let known_there = agent.host == *host || agent.other_hosts.contains(host);
        if !known_there && agent.other_hosts.len() < MAX_HOSTS {
            // A synced home: it stays one session.
            agent.other_hosts.push(host.clone());
            elsewhere = true;
        }
        // A copy read again is no activity: it has nothing newer than the last time.
        let active = seen.last > agent.last_seen_at;
        let learns = elsewhere || agent.learns_from(seen);
        if !active && seen.first >= agent.started_at && !learns {
            return;
        }
        agent.take_in(seen, active);
        let reopens = active && agent.is_over() && agent.goes_on_after(seen);
        if reopens {
            agent.ended_at = None;
            agent.end_reason = None;
            agent.registrations += 1;
            agent.successor_id = None;
            agent.open_facts.left.clear();
        }
        self.change(&seen.session_uuid);
        if reopens {
            self.registered(seen, seen.last, source);
        }
    }

    /// A session that is unknown or has ended already stays as it is.
    pub(super) fn ended(&mut self, ending: &Ending, source: Option<LineOrigin>) {
        let session = &ending.session_uuid;
        let Some(agent) = self.known.agents.get_mut(session) else {
            return;
        };
        if agent.ended_at.is_some() {
            return;
        }
        // No clock ends what lives or waits.
        let is_idle = matches!(ending.at, EndsAt::Idle(_));
        if is_idle && (!agent.open_facts.processes.is_empty() || agent.shown.is_waiting()) {
            self.plan.declined.push(session.clone());
            return;
        }
        let at = match ending.at {
            EndsAt::Idle(seconds) => agent.last_seen_at.plus_seconds(seconds),
            // It went on since, or this is read again.
            EndsAt::Moment(at) | EndsAt::Exit(at)
                if at.plus_seconds(closing_seconds(ending.reason)) < agent.last_seen_at =>
            {
                return;
            }
            EndsAt::Moment(at) | EndsAt::Exit(at) => at.max(agent.started_at),
        };
        agent.open_facts.leave_all();
        agent.ended_at = Some(at);
        agent.end_reason = Some(ending.reason.as_str().to_owned());
        agent.work.ended();
        let key = FactKey::ended(session, agent.registrations);
        let payload = Payload::SessionEnded(SessionEnded {
            session_uuid: session.clone(),
            reason: ending.reason,
            duration_seconds: Some(agent.last_seen_at.seconds_since(agent.started_at)),
            detail: ending.detail.clone(),
        });
        self.change(session);
        self.over(session, at, ending.at);
        self.plan.ended.push((session.clone(), ending.reason));
        self.add(session, &payload, at, &key, source);
    }

    /// A subagent belongs to its parent's project, wherever it works. A session
    /// whose row was deleted begins once more, under the next number.
    fn register(&mut self, seen: &SessionSeen, source: LineOrigin) {
        let caller = self.caller_of(&seen.session_uuid);
        let parent = seen.parent.as_ref();
        let parent = parent.and_then(|parent| self.known.agents.get(parent));
        let parent_agent_id = caller.or(parent.map(|parent| parent.id));
        let project_path = parent.map_or(&seen.project_path, |parent| &parent.project_path);
        let project_path = project_path.clone();
        let project_id = match parent.map(|parent| parent.project_id) {
            Some(id) => id,
            None => self.project_id(&project_path),
        };
        self.put_project(project_id, &project_path, seen);
        let group = FactKey::stored_group(&FactKey::registrations(&seen.session_uuid));
        let before = self.known.groups.get(&group).map_or(0, |group| group.count);
        let agent = Agent {
            id: self.ids.agents.next(),
            session_uuid: seen.session_uuid.clone(),
            project_id,
            project_path,
            parent_agent_id,
            transcript_path: seen.transcript_path.clone(),
            working_directory: seen.working_directory().to_owned(),
            iterm_pane_id: seen.iterm_pane_id.clone(),
            cli: seen.cli.to_owned(),
            started_at: seen.first,
            last_seen_at: seen.last,
            ended_at: None,
            end_reason: None,
            registrations: before + 1,
            registered: seen.registered,
            terminal: None,
            open_facts: match &seen.parent {
                Some(_) => OpenFacts::of_child(),
                None => OpenFacts::default(),
            },
            shown: Shown::default(),
            work: Work::default(),
            successor_id: None,
            forked_from_id: None,
            host: self.known.host.clone(),
            other_hosts: Vec::new(),
        };
        self.known.agents.insert(seen.session_uuid.clone(), agent);
        self.change(&seen.session_uuid);
        self.registered(seen, seen.first, source);
    }

    fn registered(&mut self, seen: &SessionSeen, at: Timestamp, source: LineOrigin) {
        let session = &seen.session_uuid;
        let agent = &self.known.agents[session];
        let key = FactKey::registered(session, agent.registrations);
        let payload = Payload::SessionRegistered(SessionRegistered {
            session_uuid: session.clone(),
            project_path: agent.project_path.clone(),
            working_directory: seen.working_directory().to_owned(),
            iterm_pane_id: seen.iterm_pane_id.clone(),
        });
        self.plan.registered.push(session.clone());
        self.add(session, &payload, at, &key, Some(source));
    }

    fn add(
        &mut self,
        session: &str,
        payload: &Payload,
        at: Timestamp,
        key: &FactKey,
        source: Option<LineOrigin>,
    ) {
        let agent = &self.known.agents[session];
        self.plan.events.push(NewEvent {
            kind: payload.event_type(),
            moment: Moment {
                at,
                observed: false,
            },
            project_id: Some(agent.project_id),
            agent_id: Some(agent.id),
            command_id: None,
            turn_id: None,
            payload: payload.to_json(),
            keys: vec![key.as_stored()],
            source,
        });
    }

    pub(super) fn change(&mut self, session: &str) {
        if !self.changed.iter().any(|changed| changed == session) {
            self.changed.push(session.to_owned());
        }
    }

    fn project_id(&mut self, path: &str) -> i64 {
        let ids = &mut self.ids.projects;
        let known = self.known.projects.entry(path.to_owned());
        *known.or_insert_with(|| ids.next())
    }

    /// The repository's facts are the seen's if that is where it works.
    fn put_project(&mut self, id: i64, path: &str, seen: &SessionSeen) {
        let works_there = path == seen.project_path;
        let known = |fact: &Option<String>| fact.clone().filter(|_| works_there);
        let project = Project {
            id,
            path: path.to_owned(),
            name: project_name(path).to_owned(),
            git_remote: known(&seen.git_remote),
            current_branch: known(&seen.git_branch),
        };
        let projects = &mut self.plan.projects;
        match projects.iter_mut().find(|planned| planned.id == id) {
            Some(planned) => planned.take_in(project),
            None => projects.push(project),
        }
    }
}

/// What the CLI says in the last moment of a session comes in any order.
fn closing_seconds(reason: EndReason) -> u64 {
    match reason {
        EndReason::Closed => CLOSING_SECONDS,
        EndReason::Unregistered | EndReason::Timeout => 0,
    }
}

impl Agent {
    /// As the store finds subagents that hear of their session.
    pub(super) fn is_at_work(&self) -> bool {
        let shown = &self.shown;
        shown.state != State::Idle
            || shown.needs != Needs::None
            || self.open_facts.states.is_under_way()
    }

    pub(super) fn is_at_rest(&self) -> bool {
        self.ended_at.is_some() || self.shown.is_at_rest()
    }

    fn is_over(&self) -> bool {
        self.ended_at.is_some()
    }

    /// Whether this is later than the end, and does not belong to it.
    fn goes_on_after(&self, seen: &SessionSeen) -> bool {
        let reason = self.end_reason.as_deref().and_then(EndReason::parse);
        let said = reason.filter(|reason| *reason != EndReason::Timeout);
        let seconds = match &seen.by {
            Sign::End => return false,
            Sign::Start => 0,
            Sign::Process { pid, started } if !self.open_facts.was_left_by(*pid, started) => 0,
            Sign::Process { .. } | Sign::Words => said.map_or(0, closing_seconds),
        };
        // What was read late is no news.
        let until = said.and(self.ended_at).map(|at| at.plus_seconds(seconds));
        until < Some(seen.last)
    }

    /// Whether it says something that is true whenever it is read.
    fn learns_from(&self, seen: &SessionSeen) -> bool {
        seen.registered && !self.registered
            || seen.transcript_path.is_some() && self.transcript_path.is_none()
    }

    fn take_in(&mut self, seen: &SessionSeen, active: bool) {
        self.started_at = self.started_at.min(seen.first);
        self.last_seen_at = self.last_seen_at.max(seen.last);
        if let Some(directory) = seen.working_directory.as_ref().filter(|_| active) {
            self.working_directory.clone_from(directory);
        }
        if seen.iterm_pane_id.is_some() {
            self.iterm_pane_id.clone_from(&seen.iterm_pane_id);
        }
        if seen.transcript_path.is_some() {
            self.transcript_path.clone_from(&seen.transcript_path);
            // They stand in it.
            self.open_facts.prompts.clear();
        }
        self.registered |= seen.registered;
    }
}

impl Project {
    fn take_in(&mut self, later: Project) {
        self.git_remote = later.git_remote.or(self.git_remote.take());
        self.current_branch = later.current_branch.or(self.current_branch.take());
    }
}
