//! A consumer that keeps the bytes of the lines it passes on.

use std::{
    io::{self, BufRead},
    ops::ControlFlow,
};

use crate::tail::{Body, Consumer, Line, Stretch};

use super::{Packer, Piece};

/// Stands between a read and its consumer; without a packer it keeps nothing.
pub struct Keep<'a, C> {
    inner: C,
    packer: Option<&'a mut Packer>,
    is_begun: bool,
    /// A line was taken, and it is not known yet whether a newline ends it.
    in_line: bool,
}

impl<'a, C: Consumer> Keep<'a, C> {
    pub fn new(inner: C, packer: Option<&'a mut Packer>) -> Keep<'a, C> {
        Keep {
            inner,
            packer,
            is_begun: false,
            in_line: false,
        }
    }

    /// The consumer, and the pieces of what it took; nothing is kept if there is
    /// nothing to store.
    pub fn finish(mut self, read: Option<&Stretch>) -> io::Result<(C, Vec<Piece>)> {
        let mut pieces = Vec::new();
        if let (Some(packer), Some(read)) = (self.packer.as_deref_mut(), read)
            && self.is_begun
        {
            if self.in_line {
                end_line(packer, read.after.offset)?;
            }
            pieces = packer.finish()?;
        }
        Ok((self.inner, pieces))
    }

    fn keep(&mut self, line: &Line<'_>) -> io::Result<()> {
        let Some(packer) = self.packer.as_deref_mut() else {
            return Ok(());
        };
        if self.in_line {
            end_line(packer, line.offset)?;
        }
        if self.is_begun {
            packer.skip_to(line.offset)?;
        } else {
            packer.restart(line.offset);
        }
        self.is_begun = true;
        self.in_line = !matches!(line.body, Body::TooLong(_));
        match line.body {
            Body::Here(bytes) => packer.push(bytes),
            Body::InFile(_) => push_all(packer, line),
            Body::TooLong(_) => Ok(()),
        }
    }
}

/// A newline stands between a line and the next offset, unless the line is the last
/// one and lacks it.
fn end_line(packer: &mut Packer, next: u64) -> io::Result<()> {
    match next == packer.end() + 1 {
        true => packer.push(b"\n"),
        false => Ok(()),
    }
}

fn push_all(packer: &mut Packer, line: &Line<'_>) -> io::Result<()> {
    let mut reader = line.reader();
    loop {
        let bytes = reader.fill_buf()?;
        if bytes.is_empty() {
            return Ok(());
        }
        let length = bytes.len();
        packer.push(bytes)?;
        reader.consume(length);
    }
}

impl<C: Consumer> Consumer for Keep<'_, C> {
    fn start(&mut self, pending: u64) {
        self.inner.start(pending);
    }

    fn line(&mut self, line: Line<'_>) -> io::Result<ControlFlow<()>> {
        self.keep(&line)?;
        self.inner.line(line)
    }

    fn is_full(&self) -> bool {
        self.inner.is_full()
    }

    fn is_whole(&self, bytes: &[u8]) -> bool {
        self.inner.is_whole(bytes)
    }

    fn needs_more(&self) -> bool {
        self.inner.needs_more()
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, time::SystemTime};

    use super::{super::unpack, *};
    use crate::tail::{ReadLimits, Tail, lines::BUFFER_BYTES};

    /// Takes in everything, some lines a time.
    struct Few(u32);

    impl Consumer for Few {
        fn start(&mut self, _: u64) {}
        fn line(&mut self, _: Line<'_>) -> io::Result<ControlFlow<()>> {
            self.0 = self.0.saturating_sub(1);
            Ok(match self.is_full() {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            })
        }
        fn is_full(&self) -> bool {
            self.0 == 0
        }
        fn is_whole(&self, bytes: &[u8]) -> bool {
            bytes.ends_with(b"}")
        }
        fn needs_more(&self) -> bool {
            false
        }
    }

    /// Everything that is kept of a file that is read to its end.
    fn kept(bytes: &[u8], lines_a_read: u32, max_line_bytes: u64) -> (Vec<Piece>, u64) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.jsonl");
        fs::write(&path, bytes).unwrap();
        let limits = ReadLimits {
            max_line_bytes,
            take_tail: true,
        };
        let (mut tail, mut packer) = (Tail::default(), Packer::default());
        let (mut all, mut end) = (Vec::new(), 0);
        loop {
            let mut keep = Keep::new(Few(lines_a_read), Some(&mut packer));
            let found = tail.read(&path, &mut keep, limits, SystemTime::now());
            let found = found.unwrap();
            let (_, pieces) = keep.finish(found.stretch.as_ref()).unwrap();
            all.extend(pieces);
            if let Some(stretch) = found.stretch {
                end = stretch.after.offset;
                tail.committed(&stretch);
            } else if !found.more {
                return (all, end);
            }
        }
    }

    fn bytes_of(pieces: &[Piece]) -> Vec<u8> {
        let all = pieces.iter().flat_map(|piece| unpack(piece).unwrap());
        all.collect()
    }

    /// Where pieces do not follow each other.
    fn gaps_of(pieces: &[Piece], end: u64) -> Vec<(u64, u64)> {
        let starts = pieces.iter().map(|piece| piece.offset).chain([end]);
        let ends = pieces.iter().map(|piece| piece.offset + piece.length);
        let places = [0].into_iter().chain(ends).zip(starts);
        places.filter(|(end, start)| end != start).collect()
    }

    #[test]
    fn what_is_kept_is_the_file_byte_for_byte() {
        let long = "x".repeat(BUFFER_BYTES * 5);
        for text in [
            "one\ntwo\n".to_owned(),
            "\n\none\r\n\n{\"half\":1}".to_owned(),
            format!("a\n{long}\nb\n{long}\n"),
            "waits for its end\nwait".to_owned(),
            String::new(),
        ] {
            for lines in [1, 2, u32::MAX] {
                let (pieces, end) = kept(text.as_bytes(), lines, 1 << 30);
                let expected = &text.as_bytes()[..usize::try_from(end).unwrap()];
                assert!(bytes_of(&pieces) == expected, "{lines} lines a read");
                assert_eq!(gaps_of(&pieces, end), []);
            }
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_a_gap() {
        let long = "x".repeat(BUFFER_BYTES + 1);
        let text = format!("a\n{long}\nb\n{long}\n");
        let length = long.len() as u64 + 1;
        for lines in [1, u32::MAX] {
            let (pieces, end) = kept(text.as_bytes(), lines, BUFFER_BYTES as u64);
            assert_eq!(bytes_of(&pieces), b"a\nb\n");
            let gaps = [(2, 2 + length), (4 + length, end)];
            assert_eq!(gaps_of(&pieces, end), gaps);
        }
    }
}
