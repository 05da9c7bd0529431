//! What the lines of an input mean.
//!
//! In: lines with their positions, as `tail` gives them.
//! Out: [`Entry`](crate::event::Entry)s: events, sessions seen, rejections.
//!
//! Promises
//! - a line that is no record is a rejection that keeps its bytes and names the
//!   reason; the next line goes on
//! - an unknown record type is counted, and is no error
//! - memory is bounded by the limits, not by the length of a line
//!
//! Not here: reading (`tail`), what a second copy means (`derive`). An input of
//! another kind is a module beside [`claude`].

pub mod claude;
pub mod reject;
pub mod spool;

use std::collections::HashSet;

/// Which sessions are watched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Watched {
    #[default]
    All,
    /// Those that a program registered.
    Registered(HashSet<String>),
}

impl Watched {
    /// A subagent is watched with its session.
    pub fn includes(&self, session: &str) -> bool {
        let main = session.split('/').next().unwrap_or(session);
        match self {
            Watched::All => true,
            Watched::Registered(sessions) => sessions.contains(main),
        }
    }
}

/// What a path is to us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    Session,
    /// A subagent's transcript, with its id.
    Subagent(String),
    /// A segment of the intake spool.
    Spool,
    /// A folder in which transcripts may appear.
    Folder,
    Nothing,
}
