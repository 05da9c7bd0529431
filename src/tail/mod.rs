//! Any append-only file, as lines with their positions.
//!
//! In: files that others append to, move, rewrite and delete; where reading
//! stopped the last time.
//! Out: complete lines with their offsets, given to a [`Consumer`]; the
//! [`Stretch`] they fill, for the caller to keep.
//!
//! ```text
//! path → Tail::read → Reading → lines::read → Consumer::line
//!          ↑ committed, moved: the caller says where the file stands
//! ```
//!
//! Promises
//! - every complete line is given once it is there, whatever happened to the
//!   file meanwhile; an unfinished line waits
//! - a file is recognised by its content, never by its path or inode; one that
//!   cannot be recognised is read again from its start
//! - a position moves only when the caller says so: what was not committed is
//!   read again
//! - a file that is deleted while it is read is read to its end
//! - memory is bounded by the limits, not by the length of a line or a file
//! - a FIFO, a folder or a link is not opened, and nothing is written
//!
//! Not here: what a line means, where a position is kept, when to read.

pub mod file;
mod files;
pub mod lines;
mod position;
mod prefix;
mod reading;

use std::{io, ops::ControlFlow, path::PathBuf, time::Duration};

pub use file::Snapshot;
pub use files::Tail;
pub use lines::{Body, Line, Measured};
pub use position::Position;
pub use reading::{give_tail, tail_bytes};

/// What takes in the lines of one read.
pub trait Consumer {
    /// So many bytes are there to read; comes before the first line.
    fn start(&mut self, pending: u64);
    /// Takes in a complete line; breaks when it has enough.
    fn line(&mut self, line: Line<'_>) -> io::Result<ControlFlow<()>>;
    /// Whether it has enough.
    fn is_full(&self) -> bool;
    /// Whether bytes without a newline are a whole line all the same.
    fn is_whole(&self, bytes: &[u8]) -> bool;
    /// Whether the lines taken so far make sense only with those that follow.
    fn needs_more(&self) -> bool;
}

/// How a file is read.
#[derive(Debug, Clone, Copy)]
pub struct ReadLimits {
    pub max_line_bytes: u64,
    /// Also take a last line that lacks only its newline.
    pub take_tail: bool,
}

/// What a read found.
#[derive(Debug, Default)]
pub struct Found {
    /// What was read; nothing if the file has nothing new.
    pub stretch: Option<Stretch>,
    /// There is more to read at once.
    pub more: bool,
    /// The file ends with a whole line that only lacks its newline.
    pub whole_tail: bool,
    /// How long ago the file was written; nothing if it is gone.
    pub idle: Option<Duration>,
    /// Bytes that vanished with the file before they could be read.
    pub lost_bytes: u64,
}

/// A part of a file that was read, and the positions around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    pub path: PathBuf,
    /// The path its position stands under, if the file was moved since.
    pub moved_from: Option<PathBuf>,
    pub before: Position,
    pub after: Position,
    /// What stood before the position has changed: read from the start.
    pub rewritten: bool,
}

impl Stretch {
    /// How many bytes it has.
    pub fn bytes(&self) -> u64 {
        let start = if self.rewritten {
            0
        } else {
            self.before.offset
        };
        self.after.offset - start
    }

    /// The path under which its position is kept.
    pub fn source(&self) -> &std::path::Path {
        self.moved_from.as_deref().unwrap_or(&self.path)
    }
}

/// Lower-case hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
