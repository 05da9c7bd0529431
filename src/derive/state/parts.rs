//! What the facts of an agent are made of.

use serde::{Deserialize, Serialize};

use crate::event::{ObservedStatus, Origin, Timestamp, Words};

/// How many ids of prompts are kept of each.
pub const MAX_IDS: usize = 8;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    pub since: Timestamp,
    pub prompt_ids: Vec<String>,
    /// A record of the transcript belongs to it, not only a hook.
    pub filled: bool,
    /// The agent showed a sign of work.
    pub worked: bool,
    /// The registry said idle then, and nothing else said more.
    pub quiet: Option<Timestamp>,
    /// The words of a prompt whose record is to come.
    pub awaits: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Command {
    /// The prompt's id, else the record's, else its time.
    pub key: String,
    pub by: Origin,
    pub since: Timestamp,
    pub prompt_ids: Vec<String>,
    /// A line for the shell: it is over with its output.
    pub shell: bool,
    /// There is a record of it, and not only a hook.
    pub filled: bool,
    pub outcome: Option<Outcome>,
    pub over_at: Option<Timestamp>,
    /// The rule that closed it.
    pub closed_by: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Done,
    Asked,
    Interrupted,
    Failed,
    Abandoned,
    Superseded,
}

impl Outcome {
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Done => "done",
            Outcome::Asked => "asked",
            Outcome::Interrupted => "interrupted",
            Outcome::Failed => "failed",
            Outcome::Abandoned => "abandoned",
            Outcome::Superseded => "superseded",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dialog {
    pub kind: DialogKind,
    /// The subagent it belongs to; none for the agent itself.
    pub agent: Option<String>,
    pub tool: Option<String>,
    /// The call it is about.
    pub call: Option<String>,
    pub asks: Option<String>,
    pub since: Timestamp,
    /// Only the registry told of it: what else is known fills it.
    pub vague: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DialogKind {
    Permission,
    Question,
    Plan,
    Dialog,
    /// A person opened it: it wants nothing.
    Menu,
}

impl DialogKind {
    /// What a call of this tool asks a person for.
    pub fn of_tool(name: &str) -> DialogKind {
        match name {
            "AskUserQuestion" => DialogKind::Question,
            "ExitPlanMode" => DialogKind::Plan,
            _ => DialogKind::Permission,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    pub kind: Option<String>,
    pub text: Option<String>,
    pub at: Timestamp,
    /// It is tried again: nothing has failed yet.
    pub retries: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Process {
    pub id: String,
    pub status: ObservedStatus,
    pub at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Said {
    pub words: Words,
    pub at: Timestamp,
}

impl Turn {
    pub fn belongs(&mut self, prompt_id: Option<&String>) {
        note_id(&mut self.prompt_ids, prompt_id);
    }
}

impl Command {
    pub fn belongs(&mut self, prompt_id: Option<&String>) {
        note_id(&mut self.prompt_ids, prompt_id);
    }
}

/// A prompt's id once, the newest of them.
fn note_id(ids: &mut Vec<String>, prompt_id: Option<&String>) {
    if let Some(id) = prompt_id
        && !ids.contains(id)
    {
        ids.push(id.clone());
        keep_newest(ids, MAX_IDS);
    }
}

pub fn keep_newest<T>(list: &mut Vec<T>, most: usize) {
    if list.len() > most {
        list.drain(..list.len() - most);
    }
}
