//! What a hook or an observation changes beside its own event: turns of a session
//! without transcript, its terminal, its processes.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::event::{
    Actor, EndReason, Ending, EndsAt, Event, FactKey, Followed, HookReceived, Moment,
    ObservedStatus, Payload, SessionObserved, Timestamp, TurnDetected, TurnSource,
};

use super::{
    LineOrigin, NewEvent, Planner,
    open::{Heard, Process, Prompt, digest},
};

/// A prompt that begins so was put in by the CLI.
const NOTIFICATION: &str = "<task-notification>";

/// Where a session's terminal is, by the names that terminals use.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Terminal {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tty: Option<String>,
    /// The pane.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tmux: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tmux_socket: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iterm: Option<String>,
    /// The window.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kitty: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kitty_socket: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wezterm: Option<String>,
    /// The editor's process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vscode: Option<String>,
}

/// Words, as a hook has them.
struct Words<'a> {
    actor: Actor,
    text: &'a str,
    prompt_id: Option<&'a str>,
    at: Timestamp,
}

impl Planner<'_> {
    /// A hook that is new.
    pub(super) fn hook(&mut self, hook: &HookReceived, at: Timestamp, source: LineOrigin) {
        self.see_terminal(hook, at);
        self.hook_started(hook);
        if let Some(agent) = self.known.agents.get_mut(&hook.claude_session_id)
            && !std::mem::replace(&mut agent.open_facts.hooked, true)
        {
            self.change(&hook.claude_session_id);
        }
        // A subagent's words are no turns.
        if hook.fields.contains_key("agent_id") {
            return;
        }
        match hook.hook_type.as_str() {
            "UserPromptSubmit" => self.prompted(hook, at),
            "Stop" => {
                self.prompts_are_turns(hook, source);
                self.reply_is_turn(hook, at, source);
            }
            // What these carry is no reply: an error, or nothing.
            "StopFailure" | "SessionEnd" => self.prompts_are_turns(hook, source),
            _ => {}
        }
    }

    /// What the registry said anew.
    pub(super) fn observed(&mut self, seen: &SessionObserved, at: Timestamp, source: LineOrigin) {
        let session = &seen.claude_session_id;
        let Some(agent) = self.known.agents.get_mut(session) else {
            return;
        };
        let process = Process {
            pid: seen.pid,
            started: seen.process_started.clone(),
            host: Some(self.known.host.clone()),
        };
        if seen.status != ObservedStatus::Gone {
            if agent.open_facts.joined(process) {
                self.change(session);
            }
            return;
        }
        let is_changed = agent.open_facts.leave(&process);
        let is_alone = agent.open_facts.processes.is_empty();
        if is_changed {
            self.change(session);
        }
        if is_alone {
            let ending = Ending {
                session_uuid: session.clone(),
                reason: EndReason::Closed,
                detail: Some("process gone".into()),
                at: EndsAt::Moment(at),
            };
            self.ended(&ending, Some(source));
        }
    }

    /// A process is no longer in this session: the session it went on in is shown in
    /// its place.
    pub(super) fn followed(&mut self, followed: &Followed, source: LineOrigin) {
        let (session, successor) = (&followed.session_uuid, &followed.successor_uuid);
        let successor_id = self.known.agents.get(successor).map(|agent| agent.id);
        let host = Some(self.known.host.clone());
        let Some(agent) = self.known.agents.get_mut(session) else {
            return;
        };
        let process = Process {
            pid: followed.pid,
            started: followed.process_started.clone(),
            host,
        };
        agent.open_facts.leave(&process);
        if !agent.open_facts.processes.is_empty() {
            return self.change(session);
        }
        agent.successor_id = successor_id.or(agent.successor_id);
        self.change(session);
        let ending = Ending {
            session_uuid: session.clone(),
            reason: EndReason::Closed,
            detail: Some(format!("went on in {successor}")),
            at: EndsAt::Moment(followed.at),
        };
        self.ended(&ending, Some(source));
    }

    /// Whether a record's words are a turn that a hook made before: then its keys
    /// are that turn's.
    pub(super) fn was_heard(&mut self, event: &Event) -> bool {
        let Payload::TurnDetected(turn) = &event.payload else {
            return false;
        };
        let Some(agent) = self.known.agents.get_mut(&turn.session_uuid) else {
            return false;
        };
        let id = event.prompt_id.as_deref();
        let heard = agent
            .open_facts
            .take_heard(turn.actor, id, &turn.text, event.moment.at);
        let Some(heard) = heard else {
            return false;
        };
        self.own_record(&turn.session_uuid);
        self.change(&turn.session_uuid);
        let keys = event.keys.iter().map(FactKey::as_stored);
        let keys: Vec<_> = [heard.key].into_iter().chain(keys).collect();
        self.known_as(&keys).is_some()
    }

    fn see_terminal(&mut self, hook: &HookReceived, at: Timestamp) {
        let Some(Value::Object(said)) = hook.fields.get("terminal") else {
            return;
        };
        let session = &hook.claude_session_id;
        let Some(agent) = self.known.agents.get_mut(session) else {
            return;
        };
        if agent.open_facts.terminal_at > Some(at) {
            return;
        }
        let terminal = Terminal::of(said);
        if agent.terminal.as_ref() == Some(&terminal) {
            return;
        }
        if terminal.iterm.is_some() {
            agent.iterm_pane_id.clone_from(&terminal.iterm);
        }
        agent.terminal = Some(terminal);
        agent.open_facts.terminal_at = Some(at);
        self.change(session);
    }

    fn prompted(&mut self, hook: &HookReceived, at: Timestamp) {
        let Some(text) = text(hook, "prompt") else {
            return;
        };
        let session = &hook.claude_session_id;
        let agent = self.known.agents.get_mut(session);
        let Some(agent) = agent.filter(|agent| agent.transcript_path.is_none()) else {
            return;
        };
        if text.trim_start().starts_with(NOTIFICATION) {
            return;
        }
        agent.open_facts.prompted(Prompt {
            prompt_id: prompt_id(hook).map(str::to_owned),
            text: text.to_owned(),
            at,
        });
        self.change(session);
    }

    fn prompts_are_turns(&mut self, hook: &HookReceived, source: LineOrigin) {
        let session = &hook.claude_session_id;
        let Some(agent) = self.known.agents.get_mut(session) else {
            return;
        };
        for prompt in std::mem::take(&mut agent.open_facts.prompts) {
            let words = Words {
                actor: Actor::User,
                text: &prompt.text,
                prompt_id: prompt.prompt_id.as_deref(),
                at: prompt.at,
            };
            self.hear(session, &words, source);
        }
    }

    fn reply_is_turn(&mut self, hook: &HookReceived, at: Timestamp, source: LineOrigin) {
        let Some(text) = text(hook, "last_assistant_message") else {
            return;
        };
        let (session, prompt_id) = (&hook.claude_session_id, prompt_id(hook));
        let is_new = self.known.agents.get(session).is_some_and(|agent| {
            agent.transcript_path.is_none() && !agent.open_facts.knows_reply(prompt_id, text, at)
        });
        if is_new {
            let words = Words {
                actor: Actor::Agent,
                text,
                prompt_id,
                at,
            };
            self.hear(session, &words, source);
        }
    }

    /// Words of a session without transcript become a turn.
    fn hear(&mut self, session: &str, words: &Words<'_>, source: LineOrigin) {
        let Some(agent) = self.known.agents.get_mut(session) else {
            return;
        };
        let said = format!("{:?} {:?} {}", words.actor, words.prompt_id, words.text);
        let key = FactKey::heard(session, words.at, &said).as_stored();
        agent.open_facts.hear(Heard {
            key,
            actor: words.actor,
            prompt_id: words.prompt_id.map(str::to_owned),
            digest: digest(words.text),
            at: words.at,
        });
        let payload = words.turn(session);
        let event = NewEvent {
            kind: payload.event_type(),
            moment: Moment {
                at: words.at,
                observed: false,
            },
            project_id: Some(agent.project_id),
            agent_id: Some(agent.id),
            command_id: None,
            turn_id: None,
            payload: payload.to_json(),
            keys: vec![key],
            source: Some(source),
        };
        self.change(session);
        self.remember(&event);
        self.plan.events.push(event);
        if let Payload::TurnDetected(turn) = &payload {
            self.new_turn(turn, words.at, None);
        }
    }
}

impl Words<'_> {
    fn turn(&self, session: &str) -> Payload {
        Payload::TurnDetected(TurnDetected {
            session_uuid: session.to_owned(),
            actor: self.actor,
            text: self.text.to_owned(),
            source: TurnSource::Hook,
            turn_timestamp: self.at.to_string(),
            message_id: None,
            part: None,
            intent: None,
            confidence: None,
            rule: None,
        })
    }
}

impl Terminal {
    /// From the variables that a hook's environment had.
    fn of(said: &Map<String, Value>) -> Terminal {
        let value = |name: &str| Some(said.get(name)?.as_str()?.to_owned());
        // TMUX is the socket, the server's pid and the session.
        let socket = value("TMUX").and_then(|tmux| Some(tmux.split(',').next()?.to_owned()));
        Terminal {
            tty: value("tty"),
            tmux: value("TMUX_PANE"),
            tmux_socket: socket,
            iterm: value("ITERM_SESSION_ID"),
            kitty: value("KITTY_WINDOW_ID"),
            kitty_socket: value("KITTY_LISTEN_ON"),
            wezterm: value("WEZTERM_PANE"),
            vscode: value("VSCODE_PID").or(value("VSCODE_IPC_HOOK_CLI")),
        }
    }
}

fn prompt_id(hook: &HookReceived) -> Option<&str> {
    hook.fields.get("prompt_id")?.as_str()
}

/// A text of the hook that has words.
fn text<'a>(hook: &'a HookReceived, name: &str) -> Option<&'a str> {
    let text = hook.fields.get(name)?.as_str()?;
    (!text.trim().is_empty()).then_some(text)
}
