//! What a witness says of one agent, and when that happened.

use serde::{Deserialize, Serialize};

use crate::event::{ObservedStatus, Origin, PromptKind, Timestamp, Words};

/// What an agent's facts are changed by. It is small: the newest ones are kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Input {
    pub at: Timestamp,
    pub witness: Witness,
    pub says: Says,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Witness {
    Registry,
    Hook,
    Transcript,
    Process,
    Clock,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Says {
    Prompt(Prompt),
    /// The hook of a prompt: it comes at Enter, and the record later.
    Submitted {
        prompt_id: Option<String>,
        text: String,
    },
    Called(Call),
    /// A call has its result.
    Returned {
        id: String,
    },
    Refused {
        id: String,
        with_reason: bool,
    },
    Interrupted,
    Thought,
    Text(Text),
    /// The turn came to its end.
    Ended {
        prompt_id: Option<String>,
        last: Option<Words>,
        background: Option<Running>,
    },
    Failed {
        kind: Option<String>,
        text: Option<String>,
    },
    Retrying {
        number: u64,
        of: u64,
    },
    /// A dialog for a permission opens.
    Asked {
        agent: Option<String>,
        tool: String,
        asks: Option<String>,
    },
    Notified {
        kind: String,
    },
    Status {
        status: ObservedStatus,
        waiting_for: Option<String>,
        process: String,
    },
    Gone {
        process: String,
    },
    Queue(Queue),
    Compacting,
    Compacted,
    /// What the CLI answered by itself.
    Output {
        shell: bool,
    },
    Filler,
    /// A subagent begins.
    Started,
    Begun {
        source: String,
    },
    /// The session is over.
    Over,
    /// The program that a launcher started is over, and the session with it.
    Exited,
    /// No witness said anything for too long.
    TimedOut,
    /// A subagent works on.
    ChildActs {
        agent: String,
    },
    ChildEnded {
        agent: String,
    },
    /// A person looked at it.
    Looked,
    /// Time went by.
    Passed,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prompt {
    pub kind: PromptKind,
    pub by: Origin,
    pub text: String,
    pub prompt_id: Option<String>,
    pub uuid: Option<String>,
    pub headless: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call {
    pub id: String,
    pub name: String,
    pub asks: Option<String>,
}

/// A text of the agent: how its reply stopped, and what its words mean.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Text {
    pub message_id: Option<String>,
    pub stop: Stop,
    pub words: Words,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// The reply ends the turn.
    Ends,
    /// A call follows.
    GoesOn,
    /// The record does not say.
    Unsaid,
}

/// What runs on in the background when a turn ends.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Running {
    /// By id, with its kind; none if only their number is known.
    pub tasks: Vec<(String, String)>,
    /// Agents and workflows.
    pub working: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Queue {
    Enqueue,
    Dequeue,
    /// Taken out again, by the agent or by the person.
    Remove,
}
