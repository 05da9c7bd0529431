//! Any append-only file, as lines with their positions.
//!
//! In: a regular file that others append to, move, rewrite and delete.
//! Out: complete lines with their offsets, and the [`Position`] behind them.
//!
//! Promises
//! - memory is bounded by the limits, not by the length of a line or a file
//! - a file is recognised by its content, never by its path or inode
//! - a FIFO, a folder or a link is not opened, and nothing is written
//!
//! Not here: what a line means, where a position is kept.

pub mod file;
pub mod lines;
mod position;

pub use position::Position;

/// Lower-case hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
