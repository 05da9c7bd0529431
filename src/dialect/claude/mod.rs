//! Claude Code's transcripts.
//!
//! ```text
//! Line ─ record ▶ Record ┬ said ▶ Said ─ translate ▶ Event ─┬ batch ▶ Entry
//!                        └ evidence ▶ Shows ────────────────┘
//! ```

mod batch;
mod context;
mod detail;
mod evidence;
mod git;
mod json;
mod known_types;
mod place;
mod record;
mod repair;
mod said;
mod shorten;
mod translate;

pub use batch::{Batch, Limits};
pub use context::Context;
pub use git::describe as repository_of;
pub use place::{place, session_of};
