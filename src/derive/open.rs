//! Open facts of an agent: what a later cause must know beside its row. They
//! live with the row, change in the transaction of their cause, and each list
//! has a bound.

use serde::{Deserialize, Serialize};

use crate::event::{Actor, StoredKey, Timestamp, hex_digest};

use super::states::States;

/// Prompts that wait for the end of their reply,
const MAX_PROMPTS: usize = 16;
const MAX_PROMPT_BYTES: usize = 1024 * 1024;
/// turns of which no record was read yet,
const MAX_HEARD: usize = 32;
/// processes of one session,
const MAX_PROCESSES: usize = 16;
/// subagents that were started, and of which nothing was read yet.
const MAX_STARTED: usize = 64;
/// A hook and the record of the same words are no further apart.
const SAME_WORDS_SECONDS: u64 = 10;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OpenFacts {
    /// What hooks said was typed, while the session has no transcript.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub prompts: Vec<Prompt>,
    /// Turns that hooks made: a transcript that appears later has them too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub heard: Vec<Heard>,
    /// Processes of the CLI that were seen in the session and are not gone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub processes: Vec<Process>,
    /// Those that were in it at its end: what they say then is no news.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<Process>,
    /// Subagents of which nothing was read yet, with the row that each works for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub started: Vec<(String, i64)>,
    /// A hook of the session came.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub hooked: bool,
    /// What it does and needs.
    pub states: States,
    /// When the hook came that the terminal is known from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terminal_at: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prompt {
    pub prompt_id: Option<String>,
    pub text: String,
    pub at: Timestamp,
}

/// A turn that a hook made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Heard {
    #[serde(with = "in_hex")]
    pub key: StoredKey,
    pub actor: Actor,
    pub prompt_id: Option<String>,
    pub digest: String,
    pub at: Timestamp,
}

/// A pid may come again: when the process began belongs to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Process {
    pub pid: u32,
    pub started: Option<String>,
    /// The machine that it was seen on; none if an earlier version saw it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}

impl OpenFacts {
    /// Those of a subagent.
    pub fn of_child() -> OpenFacts {
        OpenFacts {
            states: States::of_child(),
            ..OpenFacts::default()
        }
    }

    pub fn is_empty(&self) -> bool {
        *self == OpenFacts::default()
    }

    /// A prompt waits, unless it is another hook of one that does.
    pub fn prompted(&mut self, prompt: Prompt) {
        let waits = self.prompts.iter().any(|known| known.is(&prompt));
        let digest = digest(&prompt.text);
        let is_heard = |heard: &Heard| {
            heard.actor == Actor::User
                && heard.digest == digest
                && heard.prompt_id == prompt.prompt_id
                && is_near(heard.at, prompt.at)
        };
        if !waits && !self.heard.iter().any(is_heard) {
            push(&mut self.prompts, prompt, MAX_PROMPTS);
        }
        let bytes = |prompts: &[Prompt]| prompts.iter().map(|one| one.text.len()).sum::<usize>();
        while self.prompts.len() > 1 && bytes(&self.prompts) > MAX_PROMPT_BYTES {
            self.prompts.remove(0);
        }
    }

    pub fn hear(&mut self, heard: Heard) {
        push(&mut self.heard, heard, MAX_HEARD);
    }

    /// Whether a hook made a turn of this reply before.
    pub fn knows_reply(&self, prompt_id: Option<&str>, text: &str, at: Timestamp) -> bool {
        let digest = digest(text);
        self.heard.iter().any(|heard| {
            heard.actor == Actor::Agent
                && heard.digest == digest
                && heard.prompt_id.as_deref() == prompt_id
                && (prompt_id.is_some() || is_near(heard.at, at))
        })
    }

    /// The turn that a record's words are; it is taken out. A prompt goes by its
    /// id and words; a command's record has other words than its hook; a queued
    /// prompt's hook has the id of the prompt before it.
    pub fn take_heard(
        &mut self,
        actor: Actor,
        prompt_id: Option<&str>,
        text: &str,
        at: Timestamp,
    ) -> Option<Heard> {
        if self.heard.is_empty() {
            return None;
        }
        let digest = digest(text);
        let by_id = |heard: &Heard| prompt_id.is_some() && heard.prompt_id.as_deref() == prompt_id;
        let by_words = |heard: &Heard| heard.digest == digest;
        let near = |heard: &Heard| is_near(heard.at, at);
        let find = |is_it: &dyn Fn(&Heard) -> bool| {
            let mut heard = self.heard.iter();
            heard.position(|heard| heard.actor == actor && is_it(heard))
        };
        let place = match actor {
            // The reply's last words are written before its end is known.
            Actor::Agent => {
                find(&|heard| by_words(heard) && at <= heard.at.plus_seconds(SAME_WORDS_SECONDS))
            }
            Actor::User => find(&|heard| by_id(heard) && by_words(heard))
                .or_else(|| find(&|heard| by_id(heard) && near(heard)))
                .or_else(|| find(&|heard| by_words(heard) && near(heard))),
        };
        place.map(|place| self.heard.remove(place))
    }

    /// A subagent was started; false if that was known.
    pub fn start(&mut self, agent_id: &str, by: i64) -> bool {
        let started = (agent_id.to_owned(), by);
        let is_new = !self.started.contains(&started);
        if is_new {
            self.started.retain(|(known, _)| known != agent_id);
            push(&mut self.started, started, MAX_STARTED);
        }
        is_new
    }

    /// The row that started a subagent; it is taken out.
    pub fn started_by(&mut self, agent_id: &str) -> Option<i64> {
        let place = self.started.iter().position(|(id, _)| id == agent_id)?;
        Some(self.started.remove(place).1)
    }

    /// A process is no longer in the session; whether it was.
    pub fn leave(&mut self, process: &Process) -> bool {
        let there = self.processes.iter().any(|known| known.is(process));
        self.processes.retain(|known| !known.is(process));
        if there {
            push(&mut self.left, process.clone(), MAX_PROCESSES);
        }
        there
    }

    pub fn leave_all(&mut self) {
        for process in std::mem::take(&mut self.processes) {
            push(&mut self.left, process, MAX_PROCESSES);
        }
    }

    pub fn was_left_by(&self, pid: u32, started: &Option<String>) -> bool {
        let mut left = self.left.iter();
        left.any(|process| process.pid == pid && process.started == *started)
    }

    /// Takes in that a process is in the session; false if that was known.
    pub fn joined(&mut self, process: Process) -> bool {
        let is_new = !self.processes.iter().any(|known| known.is(&process));
        if is_new {
            push(&mut self.processes, process, MAX_PROCESSES);
        }
        is_new
    }
}

impl Process {
    pub fn is(&self, other: &Process) -> bool {
        let host = self.host.as_ref().zip(other.host.as_ref());
        (self.pid, &self.started) == (other.pid, &other.started)
            && host.is_none_or(|(one, other)| one == other)
    }
}

impl Prompt {
    fn is(&self, other: &Prompt) -> bool {
        self.prompt_id == other.prompt_id && self.text == other.text && is_near(self.at, other.at)
    }
}

/// What a text is known by; space around it does not count.
pub fn digest(text: &str) -> String {
    hex_digest(text.trim())
}

fn is_near(a: Timestamp, b: Timestamp) -> bool {
    a.max(b).seconds_since(a.min(b)) <= SAME_WORDS_SECONDS
}

/// The oldest goes when there are too many.
fn push<T>(list: &mut Vec<T>, new: T, most: usize) {
    if list.len() >= most {
        list.remove(0);
    }
    list.push(new);
}

mod in_hex {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use crate::event::{StoredKey, hex, key_of_hex};

    pub fn serialize<S: Serializer>(key: &StoredKey, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&hex(key))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<StoredKey, D::Error> {
        let text = String::deserialize(from)?;
        key_of_hex(&text).ok_or_else(|| D::Error::custom("no key"))
    }
}
