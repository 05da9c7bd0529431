//! Bytes to lines, in bounded memory.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    ops::ControlFlow,
    os::unix::fs::FileExt,
};

use sha2::{Digest, Sha256};

use super::hex;

/// A line up to this length is read into memory as a whole.
pub const BUFFER_BYTES: usize = 256 * 1024;
/// What is kept of a longer one.
pub const EXCERPT_BYTES: usize = 64 * 1024;

/// A complete line, without its newline.
#[derive(Debug)]
pub struct Line<'a> {
    pub offset: u64,
    pub length: u64,
    pub body: Body<'a>,
    pub(super) file: &'a File,
}

impl<'a> Line<'a> {
    /// Reads the line from the file, as often as it is asked to.
    pub fn reader(&self) -> BufReader<FilePart<'a>> {
        part(self.file, self.offset, self.length)
    }
}

#[derive(Debug)]
pub enum Body<'a> {
    Here(&'a [u8]),
    /// Too long to keep, but to be read.
    InFile(Measured),
    /// Longer than a line may be.
    TooLong(Measured),
}

/// What one pass over a long line found out.
#[derive(Debug)]
pub struct Measured {
    pub sha256: String,
    pub is_utf8: bool,
    /// Its first bytes, at most [`EXCERPT_BYTES`].
    pub excerpt: Vec<u8>,
}

/// Gives every complete line between `from` and `size` to `each`, until it
/// breaks. Returns where the last line given ends, behind its newline.
pub fn read(
    file: &File,
    from: u64,
    size: u64,
    max_line_bytes: u64,
    buffer: &mut Vec<u8>,
    mut each: impl FnMut(Line<'_>) -> io::Result<ControlFlow<()>>,
) -> io::Result<u64> {
    let mut at = from;
    while at < size {
        fill(file, at, size, buffer)?;
        let (used, broke) = split(file, buffer, at, &mut each)?;
        at += used;
        if broke || buffer.is_empty() {
            return Ok(at);
        }
        if used == 0 {
            let Some(line) = long_line(file, at, size, max_line_bytes)? else {
                return Ok(at);
            };
            let next = at + line.length + 1;
            let broke = each(line)?.is_break();
            at = next;
            if broke {
                return Ok(at);
            }
        }
    }
    Ok(at)
}

/// Whether there is a newline between `from` and `size`.
pub fn has_newline(file: &File, from: u64, size: u64, buffer: &mut Vec<u8>) -> io::Result<bool> {
    let mut at = from;
    while at < size {
        fill(file, at, size, buffer)?;
        if buffer.is_empty() {
            break;
        }
        if memchr::memchr(b'\n', buffer).is_some() {
            return Ok(true);
        }
        at += buffer.len() as u64;
    }
    Ok(false)
}

fn part(file: &File, offset: u64, length: u64) -> BufReader<FilePart<'_>> {
    BufReader::with_capacity(
        64 * 1024,
        FilePart {
            file,
            at: offset,
            left: length,
        },
    )
}

pub struct FilePart<'f> {
    file: &'f File,
    at: u64,
    left: u64,
}

impl Read for FilePart<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let want = into
            .len()
            .min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let read = self.file.read_at(&mut into[..want], self.at)?;
        self.at += read as u64;
        self.left -= read as u64;
        Ok(read)
    }
}

/// Reads up to a buffer's worth from `at`, never beyond `size`.
fn fill(file: &File, at: u64, size: u64, buffer: &mut Vec<u8>) -> io::Result<()> {
    let want = BUFFER_BYTES.min(usize::try_from(size - at).unwrap_or(usize::MAX));
    buffer.resize(want, 0);
    let mut filled = 0;
    while filled < want {
        match file.read_at(&mut buffer[filled..], at + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    buffer.truncate(filled);
    Ok(())
}

/// Gives out the lines of a buffer that begins at `at` in the file; returns
/// how many bytes they took and whether `each` had enough.
fn split(
    file: &File,
    buffer: &[u8],
    at: u64,
    each: &mut impl FnMut(Line<'_>) -> io::Result<ControlFlow<()>>,
) -> io::Result<(u64, bool)> {
    let mut used = 0;
    for newline in memchr::memchr_iter(b'\n', buffer) {
        let bytes = &buffer[used..newline];
        let line = Line {
            offset: at + used as u64,
            length: bytes.len() as u64,
            body: Body::Here(bytes),
            file,
        };
        used = newline + 1;
        if each(line)?.is_break() {
            return Ok((used as u64, true));
        }
    }
    Ok((used as u64, false))
}

/// Measures a line that does not fit the buffer; nothing if it has no end yet.
fn long_line(file: &File, offset: u64, size: u64, max: u64) -> io::Result<Option<Line<'_>>> {
    let mut reader = part(file, offset, size - offset);
    let mut hash = Sha256::new();
    let mut utf8 = Utf8::default();
    let mut excerpt = Vec::new();
    let mut length = 0u64;
    loop {
        let bytes = io::BufRead::fill_buf(&mut reader)?;
        if bytes.is_empty() {
            return Ok(None);
        }
        let end = memchr::memchr(b'\n', bytes);
        let part = &bytes[..end.unwrap_or(bytes.len())];
        hash.update(part);
        utf8.take(part);
        let room = EXCERPT_BYTES - excerpt.len();
        excerpt.extend(&part[..part.len().min(room)]);
        length += part.len() as u64;
        let read = part.len();
        if end.is_some() {
            break;
        }
        io::BufRead::consume(&mut reader, read);
    }
    let measured = Measured {
        sha256: hex(&hash.finalize()),
        is_utf8: utf8.is_whole(),
        excerpt,
    };
    let body = if length > max {
        Body::TooLong(measured)
    } else {
        Body::InFile(measured)
    };
    Ok(Some(Line {
        offset,
        length,
        body,
        file,
    }))
}

/// Checks UTF-8 that comes in parts.
#[derive(Default)]
struct Utf8 {
    /// The beginning of a character that was cut at the end of a part.
    cut: Vec<u8>,
    broken: bool,
}

impl Utf8 {
    fn take(&mut self, mut part: &[u8]) {
        while !self.broken && !self.cut.is_empty() && !part.is_empty() {
            self.cut.push(part[0]);
            part = &part[1..];
            match std::str::from_utf8(&self.cut) {
                Ok(_) => self.cut.clear(),
                Err(error) => self.broken = error.error_len().is_some(),
            }
        }
        if let Err(error) = std::str::from_utf8(part) {
            match error.error_len() {
                Some(_) => self.broken = true,
                None => self.cut = part[error.valid_up_to()..].to_vec(),
            }
        }
    }

    fn is_whole(&self) -> bool {
        !self.broken && self.cut.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write;

    fn file_of(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    fn lines(bytes: &[u8], max: u64) -> (Vec<(u64, u64, &'static str)>, u64) {
        let file = file_of(bytes);
        let mut found = Vec::new();
        let end = read(&file, 0, bytes.len() as u64, max, &mut Vec::new(), |line| {
            let kind = match line.body {
                Body::Here(_) => "here",
                Body::InFile(_) => "in file",
                Body::TooLong(_) => "too long",
            };
            found.push((line.offset, line.length, kind));
            Ok(ControlFlow::Continue(()))
        });
        (found, end.unwrap())
    }

    #[test]
    fn an_unfinished_line_waits() {
        assert_eq!(
            lines(b"ab\n\ncd", 9),
            (vec![(0, 2, "here"), (3, 0, "here")], 4)
        );
        assert_eq!(lines(b"", 9), (vec![], 0));
    }

    #[test]
    fn long_lines_are_measured_and_too_long_ones_told_apart() {
        let long = BUFFER_BYTES as u64 + 5;
        let mut bytes = vec![b'x'; BUFFER_BYTES + 5];
        bytes.extend(b"\nab\n");
        assert_eq!(
            lines(&bytes, long).0,
            vec![(0, long, "in file"), (long + 1, 2, "here")]
        );
        assert_eq!(lines(&bytes, long - 1).0[0], (0, long, "too long"));
        assert_eq!(lines(&bytes[..BUFFER_BYTES + 2], long), (vec![], 0));
    }

    #[test]
    fn stopping_leaves_the_rest_for_the_next_read() {
        let file = file_of(b"a\nb\nc\n");
        let end = read(&file, 2, 6, 9, &mut Vec::new(), |_| {
            Ok(ControlFlow::Break(()))
        })
        .unwrap();
        assert_eq!(end, 4);
    }

    proptest! {
        #[test]
        fn utf8_in_parts_is_utf8(text in "\\PC{0,40}", cut in 0usize..200, noise: Option<u8>) {
            let mut bytes = text.into_bytes();
            if let Some(byte) = noise { bytes.insert(cut % (bytes.len() + 1), byte); }
            let cut = cut % (bytes.len() + 1);
            let mut utf8 = Utf8::default();
            utf8.take(&bytes[..cut]);
            utf8.take(&bytes[cut..]);
            prop_assert_eq!(utf8.is_whole(), std::str::from_utf8(&bytes).is_ok());
        }
    }
}
