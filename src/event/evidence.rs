//! What a line shows that is no event: what states, tools and usage are derived
//! from.

use super::Moment;

/// Something that a line shows of a session.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// The session or the subagent it is about.
    pub session_uuid: String,
    pub moment: Moment,
    /// It stands in a subagent's chain inside the session's own file.
    pub in_sidechain: bool,
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
    /// The record is a copy of another session's.
    ForkedFrom {
        session_uuid: String,
    },
}

/// How a tool's call ended, as far as its result says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToolOutcome {
    Ok,
    Error,
    Denied,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TitleKind {
    Custom,
    Ai,
    Agent,
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
