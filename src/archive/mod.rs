//! What was read, compressed.
//!
//! In: the lines of a read, on their way to another consumer.
//! Out: [`Piece`]s: bytes with their place in the file; and the way back.
//!
//! ```text
//! tail → Keep → the consumer          Piece → unpack → bytes
//!          └─ Packer → Piece
//! ```
//!
//! Promises
//! - the bytes that are kept are those that were given as lines, newline and all
//! - a piece holds [`PIECE_BYTES`] at most, however long a line or a file is
//! - a line that is longer than a line may be is left out: there is a gap between the
//!   pieces
//! - unpacking takes no more memory than the piece says, whatever its content is
//!
//! Not here: where pieces are kept (`store`), when they are merged (`capture`).

mod extent;
mod keep;
mod pack;

pub use extent::{Extent, mergeable};
pub use keep::Keep;
pub use pack::{PIECE_BYTES, Packer, unpack};

/// A part of a file, compressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    pub offset: u64,
    /// How many bytes of the file it holds.
    pub length: u64,
    /// One zstd frame.
    pub content: Vec<u8>,
}
