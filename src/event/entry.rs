//! What an input says, line by line: events, activity, evidence, lines that are
//! rejected.

use super::{EndReason, Event, Evidence, Timestamp};

#[derive(Debug, Clone)]
pub struct Entry {
    /// Where the line begins in its file.
    pub offset: u64,
    pub what: What,
}

#[derive(Debug, Clone)]
pub enum What {
    Seen(SessionSeen),
    Event(Box<Event>),
    Ended(Ending),
    Followed(Followed),
    /// Only if the reader asked for it.
    Evidence(Box<Evidence>),
    Rejected(Rejection),
}

/// Activity of a session. It registers the session if it is unknown or had ended.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionSeen {
    pub session_uuid: String,
    /// The session this one works for, if it is a subagent's.
    pub parent: Option<String>,
    pub project_path: String,
    /// Nothing if no record named it since we look.
    pub working_directory: Option<String>,
    /// The session's own file; none if it was seen in another's.
    pub transcript_path: Option<String>,
    pub cli: &'static str,
    pub git_remote: Option<String>,
    pub git_branch: Option<String>,
    pub iterm_pane_id: Option<String>,
    /// A program asks for it to be watched.
    pub registered: bool,
    pub by: Sign,
    /// The least and the greatest time among the records seen.
    pub first: Timestamp,
    pub last: Timestamp,
}

/// What shows that a session is active: whether it opens one that is over again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sign {
    /// Words, or a hook: a little after an end they belong to that.
    Words,
    /// The session begins, or goes on.
    Start,
    /// A process of the CLI is in it; one that was there at its end is on its way out.
    Process { pid: u32, started: Option<String> },
    /// It ends: that opens nothing.
    End,
}

impl SessionSeen {
    /// Where the session works, as far as that is known.
    pub fn working_directory(&self) -> &str {
        self.working_directory
            .as_deref()
            .unwrap_or(&self.project_path)
    }
}

/// The last folder of a project's path.
pub fn project_name(path: &str) -> &str {
    let path = path.trim_end_matches(['/', '\\']);
    path.rsplit(['/', '\\'])
        .next()
        .filter(|name| !name.is_empty())
        .unwrap_or("/")
}

/// A line that is no event, kept with its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    pub length: u64,
    /// SHA-256 of the whole line, in hex.
    pub sha256: String,
    pub reason: String,
    /// The line's first bytes, at most [`Rejection::EXCERPT_BYTES`].
    pub excerpt: Vec<u8>,
}

impl Rejection {
    pub const EXCERPT_BYTES: usize = 64 * 1024;
}

/// A session that is over.
#[derive(Debug, Clone)]
pub struct Ending {
    pub session_uuid: String,
    pub reason: EndReason,
    pub detail: Option<String>,
    pub at: EndsAt,
}

#[derive(Debug, Clone, Copy)]
pub enum EndsAt {
    /// So many seconds after its last activity.
    Idle(u64),
    /// When a program said so.
    Moment(Timestamp),
    /// When the program that it ran in was over.
    Exit(Timestamp),
}

/// A process of the CLI that went on in another session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Followed {
    pub session_uuid: String,
    pub successor_uuid: String,
    pub pid: u32,
    pub process_started: Option<String>,
    pub at: Timestamp,
}
