//! Transcripts to events in the store.
//!
//! In: files that Claude Code appends to, moves, rewrites and deletes.
//! Out: [`Segment`](crate::store::Segment)s, stored in the order of the input.
//!
//! ```text
//! discover → hints → tail (file → lines → record → translate) → store
//! ```
//!
//! Promises
//! - every complete line is read once it is there, whatever happened to the
//!   file meanwhile; an unfinished line waits
//! - a file is recognised by its content; what cannot be recognised is read
//!   again, and the store knows what it has
//! - a malformed line is a rejection with file and offset, and the next goes on
//! - memory is bounded by the limits, not by the input
//! - nothing is written to the input, and nothing ever waits for us
//!
//! Not here: what a second copy means (`store`), sessions' states.

mod activity;
mod batch;
mod deliver;
mod discover;
mod git;
mod hints;
mod json;
mod known_types;
mod pulse;
mod queue;
mod record;
mod reject;
mod reread;
mod retry;
mod roots;
mod run;
mod translate;

pub use batch::Limits;
pub use discover::{Place, place};
pub use reread::{Reread, reread};
pub use retry::Schedule;
pub use roots::Roots;
pub use run::{Capture, Options, Sign, Status, TICK};
