//! What goes into the log together, and what comes back.

use serde::{Deserialize, Serialize};
use sqlx::types::Json;

use crate::{
    archive::Piece,
    derive::Process,
    event::{EndReason, Entry, Timestamp, What},
    tail::Position,
};

/// The version of what is read from an input beside its events. Files whose rows come
/// from an older one are read once more.
pub const READING: i64 = 2;

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
    /// Its bytes, as far as they are kept.
    pub pieces: Vec<Piece>,
}

impl Segment {
    /// The path that the file's checkpoint stands under.
    pub fn checkpoint_path(&self) -> &str {
        self.moved_from.as_deref().unwrap_or(&self.path)
    }

    /// How many entries it has beside evidence.
    pub fn events(&self) -> usize {
        let is_event = |entry: &&Entry| !matches!(entry.what, What::Evidence(_));
        self.entries.iter().filter(is_event).count()
    }

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

/// What an append did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Appended {
    pub stored: u64,
    pub rejected: u64,
    pub last_id: Option<i64>,
    /// Files with facts that are stored already.
    pub duplicates: Vec<Duplicates>,
    /// Sessions that were registered, or registered again.
    pub registered: Vec<String>,
    /// Sessions that ended, and why.
    pub ended: Vec<(String, EndReason)>,
    /// Sessions at their prompt whose turn has no end yet, and since when.
    pub quiet: Vec<(String, Timestamp)>,
    /// Sessions that no clock ends: they live, or wait.
    pub declined: Vec<String>,
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
    /// Its rows come from an older version of reading, or it is being read once more:
    pub is_outdated: bool,
    /// up to here.
    pub known_until: u64,
}

impl CheckpointRow {
    /// It is being read once more.
    pub fn is_begun(&self) -> bool {
        self.position.offset < self.known_until
    }

    /// Up to where all of it was read.
    pub fn until(&self) -> u64 {
        self.position.offset.max(self.known_until)
    }
}

/// A session that has not ended.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct OpenSession {
    pub session_uuid: String,
    pub transcript_path: Option<String>,
    /// It is at its prompt, and its turn has no end yet.
    pub is_quiet: bool,
    /// Processes of the CLI that were seen in it and are not gone.
    processes: Option<Json<Vec<Process>>>,
}

impl OpenSession {
    pub fn processes(&self) -> &[Process] {
        self.processes.as_ref().map_or(&[], |known| &known.0)
    }
}

/// The watcher's row: that it lives, and what it has done since it started.
#[derive(Debug, Clone, PartialEq)]
pub struct WatcherBeat {
    pub state_dir: String,
    pub pid: u32,
    pub version: &'static str,
    pub started_at: Timestamp,
    pub last_write_at: Option<Timestamp>,
    pub counters: Counters,
    pub state: &'static str,
    pub reason: Option<String>,
}

/// What a watcher counts: one column of its row, as JSON. A counter that another
/// version does not write is 0, one that this version does not know is passed over.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counters {
    pub events_written: u64,
    pub duplicates: u64,
    pub failed_writes: u64,
    /// Writes of the watcher's row that failed; no event is lost with one.
    pub failed_beats: u64,
    pub retries: u64,
    pub rejected: u64,
    /// Bytes of the inputs that are not stored yet.
    pub bytes_behind: u64,
    pub sessions: u64,
}

impl Counters {
    pub(super) fn json(&self) -> String {
        serde_json::to_string(self).expect("numbers are JSON")
    }
}
