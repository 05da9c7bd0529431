//! The bytes that lead up to a place in a file, which recognise it.

use std::{fs::File, io, os::unix::fs::FileExt};

use sha2::{Digest, Sha256};

use super::hex;

pub const HEAD_BYTES: u64 = 4 * 1024;
const TAIL_BYTES: u64 = 32 * 1024;

/// What stands before an offset: all of a short file; of a long one its head
/// and what leads up to the offset. A line taken out or put in further up
/// moves everything after it, so it shows in the latter.
///
/// Whether it still stands there is asked byte by byte; only what is kept for
/// later is hashed.
pub struct Prefix {
    offset: u64,
    /// Head and tail, one after the other; nothing if the file is shorter.
    bytes: Option<Vec<u8>>,
}

impl Prefix {
    pub fn read(file: &File, offset: u64) -> io::Result<Prefix> {
        let head = HEAD_BYTES.min(offset);
        let tail = TAIL_BYTES.min(offset - head);
        let mut bytes = vec![0; usize::try_from(head + tail).unwrap_or(usize::MAX)];
        let (start, end) = bytes.split_at_mut(usize::try_from(head).unwrap_or(0));
        let read = file
            .read_exact_at(start, 0)
            .and_then(|()| file.read_exact_at(end, offset - tail));
        match read {
            Ok(()) => Ok(Prefix {
                offset,
                bytes: Some(bytes),
            }),
            // Shorter than it was when its size was taken: not the same bytes.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(Prefix {
                offset,
                bytes: None,
            }),
            Err(error) => Err(error),
        }
    }

    /// Recognises these bytes later on; empty at the start of a file.
    pub fn identity(&self) -> String {
        match &self.bytes {
            _ if self.offset == 0 => String::new(),
            None => "short".into(),
            Some(bytes) => {
                #[cfg(test)]
                HASHES.with(|hashes| hashes.set(hashes.get() + 1));
                hex(&Sha256::digest(bytes)[..16])
            }
        }
    }

    /// Whether the same bytes stand there now.
    pub fn still_stands(&self, file: &File) -> io::Result<bool> {
        Ok(self.bytes == Prefix::read(file, self.offset)?.bytes)
    }
}

#[cfg(test)]
thread_local! {
    /// How many identities this thread has hashed.
    pub static HASHES: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}
