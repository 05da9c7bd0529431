//! What comes by standard input, up to its end or the deadline.

use std::{io, time::Instant};

use crate::spool::Body;

/// More than this is read, so that the CLI can write it, but not kept.
const MAX_INPUT: usize = 16 * 1024 * 1024;

/// The hook on standard input; nothing if there is none.
pub fn read(deadline: Instant) -> io::Result<Option<Body>> {
    let (bytes, length) = read_all(deadline)?;
    Ok((!bytes.trim_ascii().is_empty()).then(|| Body::of_hook(&bytes, length)))
}

/// What is there until it ends or the deadline comes, and how much that was.
fn read_all(deadline: Instant) -> io::Result<(Vec<u8>, u64)> {
    let stdin = rustix::stdio::stdin();
    let (mut kept, mut length) = (Vec::new(), 0);
    let mut buffer = vec![0; 64 * 1024];
    while super::wait(stdin, deadline)? {
        let n = rustix::io::read(stdin, &mut buffer[..])?;
        if n == 0 {
            break;
        }
        length += n as u64;
        let room = MAX_INPUT - kept.len();
        kept.extend_from_slice(&buffer[..n.min(room)]);
    }
    Ok((kept, length))
}
