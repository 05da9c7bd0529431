//! One read of an open file.

use std::{fs::File, io, os::unix::fs::FileExt, path::Path};

use super::{
    Body, Consumer, Found, Line, Position, ReadLimits, Stretch,
    file::{self, Snapshot, Verdict},
    files::KnownFile,
    lines,
    prefix::Prefix,
};

/// A beginning of a file up to this size may be held back until it makes sense.
const HELD_BYTES: u64 = 1024 * 1024;
/// An unfinished line from this length on is not read anew every time.
const LONG_BYTES: u64 = 256 * 1024;
/// An unfinished line longer than this is not looked into.
const TAIL_BYTES: u64 = 1024 * 1024;

/// A long line without an end: where it begins, and up to where no newline was
/// found.
pub struct Unfinished {
    from: u64,
    scanned: Position,
}

pub struct Reading<'a> {
    pub path: &'a Path,
    pub moved_from: Option<&'a Path>,
    pub file: &'a File,
    pub snapshot: Snapshot,
    pub limits: ReadLimits,
    pub buffer: &'a mut Vec<u8>,
}

/// How far the lines of one read went.
struct Taken {
    end: u64,
    more: bool,
    whole_tail: bool,
}

impl Reading<'_> {
    /// Gives the lines that are new to `consumer`.
    pub fn read(
        &mut self,
        known: &mut KnownFile,
        consumer: &mut impl Consumer,
    ) -> io::Result<Found> {
        let (file, size) = (self.file, self.snapshot.size);
        let before = known.reached().clone();
        let old = Prefix::read(file, before.offset)?;
        let rewritten = file::judge(&before, size, &old.identity()) == Verdict::ReadAgain;
        let start = if rewritten { 0 } else { before.offset };
        known.pending = size - if rewritten { 0 } else { known.position.offset };
        consumer.start(size - start);

        let whole = Prefix::read(file, size)?;
        let taken = self.take(known, consumer, start, rewritten, &whole)?;
        let found = Found {
            more: taken.more,
            whole_tail: taken.whole_tail,
            ..Found::default()
        };
        let end = taken.end;
        // The lines before the one that gives them sense wait for it.
        let waits = start == 0 && !rewritten && end < HELD_BYTES && consumer.needs_more();
        let unchanged = end == start && !rewritten && self.moved_from.is_none();
        if waits || unchanged {
            if waits {
                known.pending = 0;
            }
            return Ok(found);
        }
        let identity = if end == size {
            whole.identity()
        } else {
            file::identity(file, end)?
        };
        // Asked last: what was cut off or rewritten since the first question
        // must not be taken for what was read.
        let stands = (rewritten || old.still_stands(file)?) && whole.still_stands(file)?;
        if !stands {
            return Ok(Found {
                more: true,
                ..Found::default()
            });
        }
        let after = Position {
            offset: end,
            identity,
        };
        let stretch = Stretch {
            path: self.path.to_owned(),
            moved_from: self.moved_from.map(Path::to_owned),
            before,
            after,
            rewritten,
        };
        Ok(Found {
            stretch: Some(stretch),
            ..found
        })
    }

    /// Gives complete lines to the consumer, and a whole last line if it may.
    fn take(
        &mut self,
        known: &mut KnownFile,
        consumer: &mut impl Consumer,
        start: u64,
        rewritten: bool,
        whole: &Prefix,
    ) -> io::Result<Taken> {
        let (file, size) = (self.file, self.snapshot.size);
        let mut end = start;
        if rewritten || !self.is_unfinished(known.unfinished.as_ref(), start)? {
            let max = self.limits.max_line_bytes;
            end = lines::read(file, start, size, max, self.buffer, |line| {
                consumer.line(line)
            })?;
        }
        let more = consumer.is_full() && end < size;
        let mut whole_tail = false;
        if !more && end < size {
            known.unfinished = (size - end >= LONG_BYTES).then(|| Unfinished {
                from: end,
                scanned: Position {
                    offset: size,
                    identity: whole.identity(),
                },
            });
            if let Some(bytes) = tail_bytes(file, end, size)?
                && consumer.is_whole(&bytes)
            {
                whole_tail = true;
                if self.limits.take_tail {
                    give_tail(file, end, &bytes, consumer)?;
                    end = size;
                }
            }
        }
        Ok(Taken {
            end,
            more,
            whole_tail,
        })
    }

    /// Whether still no newline has come to the line at `start`, so that a long
    /// one is not read whole every time. Only if what was scanned still
    /// stands there: it may have been cut or filled in.
    fn is_unfinished(&mut self, known: Option<&Unfinished>, start: u64) -> io::Result<bool> {
        let (file, size) = (self.file, self.snapshot.size);
        let Some(Unfinished { from, scanned }) = known else {
            return Ok(false);
        };
        if *from != start || size < scanned.offset {
            return Ok(false);
        }
        let stands = file::identity(file, scanned.offset)? == scanned.identity;
        Ok(stands && !lines::has_newline(file, scanned.offset, size, self.buffer)?)
    }
}

/// What stands between `from` and the file's end, if it is short enough.
pub fn tail_bytes(file: &File, from: u64, size: u64) -> io::Result<Option<Vec<u8>>> {
    if size - from > TAIL_BYTES {
        return Ok(None);
    }
    let mut bytes = vec![0; usize::try_from(size - from).unwrap_or(0)];
    match file.read_exact_at(&mut bytes, from) {
        Ok(()) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

/// Gives a last line that lacks its newline.
pub fn give_tail(
    file: &File,
    from: u64,
    bytes: &[u8],
    consumer: &mut impl Consumer,
) -> io::Result<()> {
    let line = Line {
        offset: from,
        length: bytes.len() as u64,
        body: Body::Here(bytes),
        file,
    };
    // It is the last line: there is nothing left to break off.
    let _ = consumer.line(line)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{io::Write, ops::ControlFlow, time::SystemTime};

    use super::{
        super::{Tail, prefix::HASHES},
        *,
    };

    struct Count(u32);

    impl Consumer for Count {
        fn start(&mut self, _: u64) {}
        fn line(&mut self, _: Line<'_>) -> io::Result<ControlFlow<()>> {
            self.0 += 1;
            Ok(ControlFlow::Continue(()))
        }
        fn is_full(&self) -> bool {
            false
        }
        fn is_whole(&self, _: &[u8]) -> bool {
            false
        }
        fn needs_more(&self) -> bool {
            false
        }
    }

    #[test]
    fn a_live_read_hashes_two_identities_at_most() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.jsonl");
        let mut file = File::create(&path).unwrap();
        let mut tail = Tail::default();
        let limits = ReadLimits {
            max_line_bytes: 1 << 20,
            take_tail: false,
        };
        for n in 1..20 {
            file.write_all(&vec![b'x'; 5_000]).unwrap();
            file.write_all(b"\nhalf a li").unwrap();
            for expected in [1, 0] {
                let before = HASHES.get();
                let mut count = Count(0);
                let now = SystemTime::now();
                let found = tail.read(&path, &mut count, limits, now).unwrap();
                assert_eq!(count.0, expected);
                if let Some(stretch) = found.stretch {
                    tail.committed(&stretch);
                }
                let hashed = HASHES.get() - before;
                assert!(hashed <= 2, "read {n} hashed {hashed}");
            }
        }
    }
}
