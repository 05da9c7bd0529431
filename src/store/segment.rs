//! What goes into the log together, and what comes back.

use crate::{
    event::{EndReason, Event, Timestamp},
    tail::Position,
};

/// A stretch of one input file: all of it is stored, with the position behind
/// it, or nothing.
#[derive(Debug, Clone)]
pub struct Segment {
    /// The file's absolute path.
    pub path: String,
    /// The path its checkpoint stands under, if the file was moved since.
    pub moved_from: Option<String>,
    /// Where the checkpoint is believed to be.
    pub before: Position,
    /// Where it will be.
    pub after: Position,
    /// What stood before the position was found changed: read from the start.
    pub rewritten: bool,
    pub entries: Vec<Entry>,
}

impl Segment {
    /// How many bytes of the file were read for it.
    pub fn bytes(&self) -> u64 {
        let start = if self.rewritten {
            0
        } else {
            self.before.offset
        };
        self.after.offset - start
    }
}

#[derive(Debug, Clone)]
pub struct Entry {
    /// Where the line begins in its file.
    pub offset: u64,
    pub what: What,
}

#[derive(Debug, Clone)]
pub enum What {
    Seen(Sighting),
    Event(Box<Event>),
    Rejected(Rejection),
}

/// Activity of a session. It registers the session if it is unknown or had ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Sighting {
    pub session_uuid: String,
    /// The session this one works for, if it is a subagent's.
    pub parent: Option<String>,
    pub project_path: String,
    /// Nothing if no record named it since we look.
    pub working_directory: Option<String>,
    /// The session's own file; nothing if it was met in another's.
    pub transcript_path: Option<String>,
    pub cli: &'static str,
    pub git_remote: Option<String>,
    pub git_branch: Option<String>,
    /// The least and the greatest time among the records seen.
    pub first: Timestamp,
    pub last: Timestamp,
}

impl Sighting {
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
    /// How long after its last record it ended.
    pub idle_seconds: u64,
}

/// What an append did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Appended {
    pub stored: u64,
    pub rejected: u64,
    pub last_id: Option<i64>,
    /// Files in which facts were met again.
    pub duplicates: Vec<Duplicates>,
    /// Sessions that were registered, or registered again.
    pub registered: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Duplicates {
    pub path: String,
    pub count: u64,
    /// One of the keys, to look for.
    pub key: String,
}

/// A checkpoint as it stands in the database.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckpointRow {
    pub path: String,
    pub position: Position,
}

/// A session that has not ended.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenSession {
    pub session_uuid: String,
    pub transcript_path: Option<String>,
}

/// The watcher's row: that it lives, and what it has done since it started.
#[derive(Debug, Clone, PartialEq)]
pub struct Beat {
    pub state_dir: String,
    pub pid: u32,
    pub version: &'static str,
    pub started_at: Timestamp,
    pub last_write_at: Option<Timestamp>,
    pub events_written: u64,
    pub duplicates: u64,
    pub failed_writes: u64,
    pub retries: u64,
    pub rejected: u64,
    pub bytes_behind: u64,
    pub sessions: u64,
    pub state: &'static str,
    pub reason: Option<String>,
}
