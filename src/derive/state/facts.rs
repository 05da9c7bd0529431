//! What holds of one agent now: opened and closed by key, never by position.

use serde::{Deserialize, Serialize};

use crate::event::{ObservedStatus, Origin, Timestamp};

use super::{
    input::{Call, Running},
    parts::{
        Command, Dialog, DialogKind, Failure, MAX_IDS, Outcome, Process, Said, Turn, keep_newest,
    },
};

/// How many of each are kept. The oldest goes first.
const MAX_TOOLS: usize = 64;
const MAX_CLOSED: usize = 64;
const MAX_DIALOGS: usize = 16;
const MAX_COMMANDS: usize = 8;
const MAX_PROCESSES: usize = 4;
const MAX_TASKS: usize = 32;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    pub is_child: bool,
    /// No person sees a dialog of it.
    pub headless: bool,
    pub turn: Option<Turn>,
    pub dialogs: Vec<Dialog>,
    pub tools: Vec<Call>,
    /// Calls whose dialog the registry saw closed: they run.
    pub answered: Vec<String>,
    /// Calls that are over: a late word of them changes nothing.
    pub closed_calls: Vec<String>,
    pub background: Running,
    pub compacting: Option<Timestamp>,
    pub error: Option<Failure>,
    pub registry: Vec<Process>,
    pub ended: Option<Timestamp>,
    pub said: Option<Said>,
    /// The chain's newest record is a text.
    pub text_is_last: bool,
    /// A prompt was queued or taken from the queue, and its record is to come.
    pub starting: Option<Timestamp>,
    /// How often that was said since a prompt came.
    pub starts: u8,
    /// Prompts whose hook came while a turn was open.
    pub queued: Vec<String>,
    /// The newest last.
    pub commands: Vec<Command>,
    pub unseen: bool,
}

impl Facts {
    pub fn command(&mut self) -> Option<&mut Command> {
        self.commands.last_mut()
    }

    pub fn is_turn_open(&self) -> bool {
        self.turn.is_some()
    }

    /// When the newest command was over.
    pub fn over_at(&self) -> Option<Timestamp> {
        self.commands.last().and_then(|command| command.over_at)
    }

    pub fn begin_turn(&mut self, at: Timestamp, prompt_id: Option<&String>) {
        self.turn = Some(Turn {
            since: at,
            prompt_ids: prompt_id.into_iter().cloned().collect(),
            filled: true,
            worked: false,
            quiet: None,
            awaits: None,
        });
        self.revive();
        self.starting = None;
        self.starts = 0;
        self.error = None;
        self.text_is_last = false;
        self.unseen = false;
    }

    pub fn begin_command(
        &mut self,
        key: String,
        by: Origin,
        at: Timestamp,
        prompt_id: Option<&String>,
    ) {
        self.commands.push(Command {
            key,
            by,
            since: at,
            prompt_ids: prompt_id.into_iter().cloned().collect(),
            shell: false,
            filled: true,
            outcome: None,
            over_at: None,
            closed_by: 0,
        });
        keep_newest(&mut self.commands, MAX_COMMANDS);
        self.said = None;
        self.begin_turn(at, prompt_id);
    }

    /// The newest command goes on.
    pub fn reopen(&mut self, at: Timestamp) {
        if let Some(command) = self.commands.last_mut() {
            command.outcome = None;
            command.over_at = None;
        }
        self.begin_turn(at, None);
        let ids = self
            .commands
            .last()
            .map(|command| command.prompt_ids.clone());
        if let (Some(turn), Some(ids)) = (&mut self.turn, ids) {
            turn.prompt_ids = ids;
            turn.worked = true;
        }
    }

    /// The session goes on: what was left hanging at its end is so no more.
    pub fn revive(&mut self) {
        if self.ended.take().is_some() {
            self.dialogs.clear();
        }
    }

    /// The turn is over, with its tools and its dialogs.
    pub fn close_turn(&mut self, at: Timestamp, outcome: Outcome, rule: u8) {
        if self.turn.take().is_none() {
            return;
        }
        if let Some(command) = self.commands.last_mut() {
            command.outcome = Some(outcome);
            command.over_at = Some(at);
            command.closed_by = rule;
        }
        for call in std::mem::take(&mut self.tools) {
            self.note_closed(&call.id);
        }
        self.dialogs.retain(|dialog| dialog.agent.is_some());
        self.compacting = None;
        if outcome != Outcome::Failed {
            self.error = None;
        }
        self.unseen = matches!(outcome, Outcome::Done | Outcome::Asked | Outcome::Failed);
    }

    /// The agent showed that it works. A registry that says idle knows better: it
    /// says so first when work goes on.
    pub fn works(&mut self) {
        if let Some(turn) = &mut self.turn {
            turn.worked = true;
        }
        if self.error.as_ref().is_some_and(|error| error.retries) {
            self.error = None;
        }
    }

    /// How many calls of agents have no result yet.
    pub fn agents_called(&self) -> usize {
        self.tools.iter().filter(|call| call.is_agent()).count()
    }

    pub fn open_call(&mut self, call: Call) {
        if !self.tools.iter().any(|open| open.id == call.id) {
            self.tools.push(call);
            keep_newest(&mut self.tools, MAX_TOOLS);
        }
    }

    /// Whether the call was known.
    pub fn close_call(&mut self, id: &str) -> bool {
        let were_open = self.tools.len();
        self.tools.retain(|call| call.id != id);
        self.dialogs
            .retain(|dialog| dialog.call.as_deref() != Some(id));
        let was_open = self.tools.len() < were_open;
        !self.note_closed(id) || was_open
    }

    pub fn is_closed(&self, id: &str) -> bool {
        // Ids begin alike and end apart.
        let ends_so = |closed: &&String| closed.as_bytes().last() == id.as_bytes().last();
        self.closed_calls
            .iter()
            .filter(ends_so)
            .any(|closed| closed == id)
    }

    /// Whether that is news.
    fn note_closed(&mut self, id: &str) -> bool {
        let is_news = !self.is_closed(id);
        if is_news {
            self.closed_calls.push(id.to_owned());
            keep_newest(&mut self.closed_calls, MAX_CLOSED);
        }
        is_news
    }

    pub fn open_dialog(&mut self, dialog: Dialog) {
        self.dialogs.push(dialog);
        keep_newest(&mut self.dialogs, MAX_DIALOGS);
    }

    /// Dialogs of this chain that opened before `at` are over.
    pub fn close_dialogs(&mut self, agent: Option<&str>, at: Timestamp) {
        self.dialogs
            .retain(|dialog| dialog.agent.as_deref() != agent || dialog.since >= at);
    }

    /// No dialog is open any more that opened before `at`. They were answered if the
    /// registry had said that it waits.
    pub fn answer_dialogs(&mut self, at: Timestamp, was_waiting: bool) {
        let over = self
            .dialogs
            .iter()
            .filter(|dialog| was_waiting && dialog.since < at);
        let calls: Vec<String> = over.filter_map(|dialog| dialog.call.clone()).collect();
        self.answered.extend(calls);
        keep_newest(&mut self.answered, MAX_DIALOGS);
        self.dialogs.retain(|dialog| dialog.since >= at);
    }

    /// The call that a dialog may be about: a question, else the first that waits.
    /// An agent is no such call; its own calls are.
    pub fn call_in_question(&self) -> Option<&Call> {
        let waits = |call: &&Call| !self.answered.contains(&call.id) && !call.is_agent();
        let mut waiting = self.tools.iter().filter(waits);
        let is_question = |call: &&Call| DialogKind::of_tool(&call.name) != DialogKind::Permission;
        waiting.clone().find(is_question).or(waiting.next())
    }

    pub fn queue(&mut self, prompt: String) {
        if !self.queued.contains(&prompt) {
            self.queued.push(prompt);
            keep_newest(&mut self.queued, MAX_IDS);
        }
    }

    /// What the process does, of which there may be several.
    pub fn observe(&mut self, process: Process) -> bool {
        if let Some(known) = self
            .registry
            .iter_mut()
            .find(|known| known.id == process.id)
        {
            let news = process.at > known.at;
            if news {
                *known = process;
            }
            return news;
        }
        self.registry.push(process);
        keep_newest(&mut self.registry, MAX_PROCESSES);
        true
    }

    pub fn is_any(&self, status: ObservedStatus) -> bool {
        self.registry.iter().any(|process| process.status == status)
    }

    pub fn run_on(&mut self, mut running: Running) {
        running.tasks.truncate(MAX_TASKS);
        self.background = running;
    }
}

impl Call {
    /// It starts an agent: old versions have another name for it.
    fn is_agent(&self) -> bool {
        ["Agent", "Task"].contains(&self.name.as_str())
    }
}
