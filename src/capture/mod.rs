//! Transcripts to events in the store.
//!
//! In: files that Claude Code appends to, moves, rewrites and deletes.
//! Out: [`Segment`](crate::store::Segment)s, stored in the order of the input.
//!
//! ```text
//! discover → backlog → gather, ahead → positions (tail, dialect) → deliver → store
//!                └────────────── run: one bounded step at a time ─────────────┘
//! ```
//!
//! Promises
//! - every complete line is read once it is there, whatever happened to the
//!   file meanwhile; an unfinished line waits
//! - a file is recognised by its content; what cannot be recognised is read
//!   again, and the store knows what it has
//! - a malformed line is a rejection with file and offset, and the next goes on
//! - memory is bounded by the limits, not by the input
//! - nothing is written to the input, and no other program waits for the watcher
//! - decisions get the time they decide by; nothing sleeps inside a step
//!
//! Not here: what a line means (`dialect`), what a second copy means (`derive`).

mod activity;
mod again;
mod ahead;
mod alarm;
mod aside;
mod backlog;
mod beat;
mod clock;
mod copy;
mod deliver;
mod discover;
mod gather;
mod hints;
mod merging;
mod options;
mod patience;
mod positions;
mod quarantine;
mod queue;
mod quiet;
mod registry;
mod reread;
mod rest;
mod retry;
mod roots;
mod row;
mod run;
mod scan;
mod status;
mod verdicts;

pub use options::{Options, Rhythm};
pub use reread::{Reread, reread, reread_from};
pub use retry::Schedule;
pub use roots::Roots;
pub use run::{Capture, Report};
pub use status::Status;
