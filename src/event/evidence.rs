//! What a line shows that is no event: what states, tools and usage are derived
//! from.

use serde::{Deserialize, Serialize};

use super::Moment;

/// Something that a line shows of a session.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// The session or the subagent it is about.
    pub session_uuid: String,
    /// A record without a time is from when those before it in its file are; observed,
    /// if not all of them are known: then it is from that time or later.
    pub moment: Moment,
    /// It stands in a subagent's chain inside the session's own file.
    pub in_sidechain: bool,
    /// It stands in a copy of another session's record, and happened there.
    pub is_copied: bool,
    pub shows: Shows,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Shows {
    /// A tool is called; with its most telling argument, at most 200 characters.
    ToolCall {
        tool_use_id: String,
        name: String,
        argument: Option<String>,
    },
    ToolResult {
        tool_use_id: String,
        outcome: ToolOutcome,
    },
    /// Why a reply ended: `end_turn`, `tool_use`, …
    Stop {
        reason: String,
    },
    Interruption {
        message_id: Option<String>,
    },
    Usage(Usage),
    Title {
        kind: TitleKind,
        text: String,
    },
    /// The model's API failed; with the number of the retry and how many there
    /// will be, if it is tried again.
    ApiError {
        kind: Option<String>,
        retry: Option<(u64, u64)>,
    },
    /// A prompt enters or leaves the queue: `enqueue`, `dequeue`, …
    Queue {
        operation: String,
    },
    PermissionMode {
        mode: String,
    },
    /// The turn is over; so many agents and workflows go on.
    TurnEnd {
        background: u64,
    },
    Compaction {
        trigger: Option<String>,
    },
    /// Ties a prompt to the hooks it fires.
    Prompt {
        prompt_id: String,
    },
    /// A subagent started another one.
    Started {
        agent_id: String,
    },
    /// The record is a copy of another session's.
    ForkedFrom {
        session_uuid: String,
    },
    /// Something was put to the agent, or to the CLI itself.
    Prompted(Prompted),
    /// What the CLI answered by itself, to a shell line or to a command of its own.
    Output {
        shell: bool,
    },
    Thinking,
    /// A text for the human: what its end means, and why the reply stopped, if it says so.
    Text {
        message_id: Option<String>,
        words: Words,
        stop: Option<String>,
    },
    /// A call that a person refused, with words for the agent or without.
    Refusal {
        tool_use_id: String,
        with_reason: bool,
    },
    /// What an error said to the human; it stands before its `ApiError`.
    ErrorText {
        text: String,
    },
    /// The CLI answered for an agent that was not asked.
    Filler,
    /// What a conversation was shortened to.
    Summary,
    /// A Stop hook runs or ran: the agent had come to its end.
    StopHook,
    /// The whole list of what is to do.
    Todos(Vec<Todo>),
    /// One more to do.
    TaskCreated {
        id: String,
        subject: String,
    },
    TaskUpdated {
        id: String,
        status: String,
    },
}

/// What a text's last words mean, and these words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Words {
    pub mean: Meaning,
    pub last: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Meaning {
    /// A step is announced, or more follows.
    Announces,
    /// The person is to decide, to say something, or to allow something.
    Asks,
    Reports,
}

/// What an agent means to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Todo {
    /// None if the list is always written as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// At most 200 characters.
    pub content: String,
    /// `pending`, `in_progress`, `completed`, …
    pub status: String,
}

/// What was put in, and by what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompted {
    pub kind: PromptKind,
    pub by: Origin,
    /// The words' beginning, at most 400 characters; of a command its name.
    pub text: String,
    pub prompt_id: Option<String>,
    pub uuid: Option<String>,
    /// A program waits for the answer, and no person sees a dialog.
    pub headless: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PromptKind {
    Words,
    /// A command that becomes a prompt: a skill, a command of the project.
    Skill,
    /// A command that the CLI carries out by itself.
    BuiltIn,
    /// A line for the shell.
    Shell,
    /// It was queued, and reached the agent at work.
    MidTurn,
    /// What the CLI put in: a skill's words, what a Stop hook wants, “go on”.
    Injected,
}

/// What set the agent to work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    Human,
    /// A human, while the agent was at work.
    Queued,
    /// A task in the background that ended.
    Task,
    Cron,
    /// Another agent.
    Peer,
    /// A Stop hook.
    Hook,
    Unknown,
}

impl Origin {
    pub fn as_str(self) -> &'static str {
        match self {
            Origin::Human => "human",
            Origin::Queued => "queued",
            Origin::Task => "task",
            Origin::Cron => "cron",
            Origin::Peer => "peer",
            Origin::Hook => "hook",
            Origin::Unknown => "unknown",
        }
    }
}

/// The fields of a tool's input that say most about its call, the most telling first.
pub const TELLING: [&str; 12] = [
    "command",
    "file_path",
    "notebook_path",
    "pattern",
    "path",
    "url",
    "query",
    "questions",
    "plan",
    "skill",
    "description",
    "prompt",
];

/// How a tool's call ended, as far as its result says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToolOutcome {
    Ok,
    Error,
    Denied,
}

/// Where a title comes from: the strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TitleKind {
    Custom,
    Ai,
    Agent,
    /// The first line of the first prompt.
    Prompt,
}

/// What one message cost, in tokens. Its last record counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    pub message_id: String,
    pub model: Option<String>,
    pub input: u64,
    pub output: u64,
    pub cache_read: u64,
    pub cache_write: u64,
}
