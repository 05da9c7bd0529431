//! What is kept of a line that is no event.

use std::{io, ops::ControlFlow, path::Path};

use sha2::{Digest, Sha256};

use crate::{
    event::{Rejection, hex},
    tail::{
        file,
        lines::{self, Body, EXCERPT_BYTES, Measured},
    },
};

const _: () = assert!(EXCERPT_BYTES == Rejection::EXCERPT_BYTES);

/// Of a line that is in memory.
pub fn line(line: &[u8], reason: String) -> Rejection {
    Rejection {
        length: line.len() as u64,
        sha256: hex(&Sha256::digest(line)),
        reason,
        excerpt: line[..line.len().min(EXCERPT_BYTES)].to_vec(),
    }
}

/// Of a line that was too long to keep.
pub fn long(measured: &Measured, length: u64, reason: String) -> Rejection {
    Rejection {
        length,
        sha256: measured.sha256.clone(),
        reason,
        excerpt: measured.excerpt.clone(),
    }
}

/// Of the line that begins at `offset` of a file.
pub fn at(path: &Path, offset: u64, reason: &str) -> io::Result<Rejection> {
    let (file, snapshot) = file::open(path)?.ok_or_else(|| io::Error::other("no regular file"))?;
    let mut buffer = Vec::new();
    let mut found = None;
    let size = snapshot.size;
    lines::read(&file, offset, size, u64::MAX, &mut buffer, |read| {
        found = Some(match read.body {
            Body::Here(bytes) => line(bytes, reason.to_owned()),
            Body::InFile(measured) | Body::TooLong(measured) => {
                long(&measured, read.length, reason.to_owned())
            }
        });
        Ok(ControlFlow::Break(()))
    })?;
    // No newline: a last line that was taken as it is.
    Ok(found.unwrap_or_else(|| line(&buffer, reason.to_owned())))
}
