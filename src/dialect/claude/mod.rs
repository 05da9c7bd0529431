//! Claude Code's transcripts.
//!
//! ```text
//! Line → record → translate → batch: Entry
//! ```

mod batch;
mod git;
mod json;
mod known_types;
mod place;
mod record;
mod translate;

pub use batch::{Batch, Context, Limits};
pub use place::{Place, place};
