//! What a transcript holds beside its turns, read back when a person wants to see it.
//!
//! In: an agent's row; a call of a tool, or a span of the transcript.
//! Out: a call with its input and its result ([`call`]); what an agent thought, and where
//! its context was compacted ([`marks`]); the whole file, byte for byte ([`whole`]).
//!
//! ```text
//! archive, else the file itself ─▶ Kept ─▶ lines ─▶ record ─▶ Call, Marks
//! ```
//!
//! Promises
//! - what is read for one answer, and what is given, has bounds, whatever a line holds
//! - the archive is asked first; the file itself only where the archive has nothing of it,
//!   and the session is of this machine
//! - text is given as it stands in the transcript; where it is shown it is made harmless
//!
//! Not here: turns and the calls' own rows (`store`), how it looks (`web`).

mod call;
mod kept;
mod marks;
mod record;
#[cfg(test)]
mod tests;
mod whole;

pub use call::call;
pub use kept::{Kept, Lost};
pub use marks::{Mark, MarkedAt, Marks, marks, origin};
pub use record::{Call, Part, Parts};
pub use whole::{Whole, whole};
