//! Every input file and how far it was read.
//!
//! A look at a file gives the next [`Segment`] to store, or nothing. Positions
//! move only when the store says so ([`Tail::committed`], [`Tail::moved`]), so
//! what is not committed is simply read again.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    ffi::{OsStr, OsString},
    fs::File,
    io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use crate::{
    store::{CheckpointRow, Segment},
    tail::{
        Position,
        file::{self, Snapshot, Verdict},
        lines,
    },
};

use super::{
    batch::{Batch, Limits, Memory},
    discover::Place,
};

/// A transcript's beginning up to this size may be held back until it names
/// its session's folder.
const NAMELESS_BYTES: u64 = 1024 * 1024;
/// What is pending up to this size, in one file alone, is live: each event
/// commits by itself.
const LIVE_BYTES: u64 = 16 * 1024;
/// An unfinished line from this length on is not read anew at every look.
const LONG_BYTES: u64 = 256 * 1024;

#[derive(Default)]
pub struct Tail {
    files: HashMap<PathBuf, Known>,
    /// Paths by file name: `/cd` moves a transcript to another folder.
    by_name: HashMap<OsString, HashSet<PathBuf>>,
    by_inode: HashMap<(u64, u64), PathBuf>,
    memory: Memory,
    buffer: Vec<u8>,
}

/// What is known of one file.
#[derive(Default)]
struct Known {
    /// The committed position.
    position: Position,
    /// The file as it was when nothing more could be read from it.
    quiet: Option<Snapshot>,
    /// Whether it then ended with a whole record that only lacks its newline.
    whole_tail: bool,
    /// A line that had no end at the last look.
    unfinished: Unfinished,
    /// Bytes behind the position, at the last look.
    pending: u64,
    /// Kept open until all of it is read and stored: a file that is deleted
    /// meanwhile is read to its end all the same.
    handle: Option<File>,
    /// There was more to read at the last look.
    more: bool,
}

/// A line without an end: where it begins, and up to where no newline was found.
#[derive(Default)]
struct Unfinished {
    from: u64,
    scanned: Position,
}

/// What a look found.
#[derive(Debug, Default)]
pub struct Look {
    /// What to store; nothing if the file has nothing new.
    pub segment: Option<Segment>,
    /// There is more to read at once.
    pub more: bool,
    /// The file ends with a whole record that only lacks its newline.
    pub whole_tail: bool,
    /// How long ago the file was written; nothing if it is gone.
    pub idle: Option<Duration>,
    /// Bytes that vanished with the file before they could be read.
    pub lost_bytes: u64,
}

impl Tail {
    /// Starts from the checkpoints of the store. What was being read stays
    /// open: if it was deleted meanwhile, no path leads to it any more.
    pub fn load(&mut self, rows: Vec<CheckpointRow>) {
        let before = std::mem::take(self);
        self.memory = before.memory;
        for row in rows {
            self.moved(Path::new(&row.path), row.position);
        }
        for (path, known) in before.files {
            if known.handle.is_some() {
                let position = self.files.remove(&path).unwrap_or_default().position;
                let known = Known {
                    position,
                    handle: known.handle,
                    pending: known.pending,
                    ..Known::default()
                };
                self.insert(path, known);
            }
        }
    }

    /// Reads what is new in a file, as much as the limits allow.
    pub fn look(
        &mut self,
        path: &Path,
        place: &Place,
        limits: Limits,
        now: SystemTime,
    ) -> io::Result<Look> {
        let kept = self
            .files
            .get_mut(path)
            .and_then(|known| known.handle.take());
        let was_kept = kept.is_some();
        let opened = match kept {
            Some(file) => {
                let snapshot = Snapshot::of(&file.metadata()?);
                Some((file, snapshot))
            }
            None => match file::open(path) {
                Ok(opened) => opened,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(self.gone(path)),
                Err(error) => return Err(error),
            },
        };
        let Some((file, snapshot)) = opened else {
            return Ok(Look::default());
        };
        let moved_from = self.recognise(path, &file, &snapshot)?;
        let source = moved_from.as_deref().unwrap_or(path);
        let known = self
            .files
            .get_mut(source)
            .expect("a recognised file is known");
        let idle = Some(snapshot.idle(now));
        if known.quiet == Some(snapshot) && moved_from.is_none() && !limits.take_tail {
            return Ok(Look {
                idle,
                whole_tail: known.whole_tail,
                ..Look::default()
            });
        }
        let mut reading = Reading {
            path,
            place,
            file: &file,
            snapshot,
            limits,
            moved_from: moved_from.as_deref(),
        };
        let look = reading.read(known, &mut self.memory, &mut self.buffer)?;
        known.more = look.more;
        if look.more || look.segment.is_some() {
            known.handle = Some(file);
        } else if snapshot.is_settled(now) {
            known.quiet = Some(snapshot);
            known.whole_tail = look.whole_tail;
        }
        self.by_inode
            .insert((snapshot.device, snapshot.inode), source.to_owned());
        // Another file may have taken the path of one that was kept open.
        Ok(Look {
            idle,
            more: look.more || was_kept,
            ..look
        })
    }

    /// The store has taken a segment.
    pub fn committed(&mut self, segment: &Segment) {
        let path = PathBuf::from(&segment.path);
        if let Some(old) = segment.moved_from.as_deref().map(Path::new)
            && let Some(known) = self.forget(old)
        {
            self.insert(path.clone(), known);
        }
        let known = self.files.entry(path).or_default();
        known.pending = known.pending.saturating_sub(segment.bytes());
        known.position = segment.after.clone();
        if !known.more {
            known.handle = None;
        }
    }

    /// The store's checkpoint is elsewhere: read on from there, also in a file
    /// that was deleted since.
    pub fn moved(&mut self, path: &Path, position: Position) {
        let handle = self
            .files
            .get_mut(path)
            .and_then(|known| known.handle.take());
        self.insert(
            path.to_owned(),
            Known {
                position,
                handle,
                ..Known::default()
            },
        );
    }

    /// Whether nothing has changed in a file since its last look.
    pub fn is_quiet(&self, path: &Path, now: &Snapshot) -> bool {
        self.files
            .get(path)
            .is_some_and(|known| known.quiet.as_ref() == Some(now))
    }

    /// Whether the file has a position.
    pub fn is_known(&self, path: &Path) -> bool {
        self.files.contains_key(path)
    }

    /// Files that were not read to their end and are no longer there.
    pub fn vanished(&self) -> Vec<PathBuf> {
        let unread = self.files.iter().filter(|(_, known)| known.pending > 0);
        unread
            .filter(|(path, _)| is_gone(path))
            .map(|(path, _)| path.clone())
            .collect()
    }

    /// Bytes seen in files but not yet committed.
    pub fn bytes_behind(&self) -> u64 {
        self.files.values().map(|known| known.pending).sum()
    }

    /// Record types nobody has seen yet, with how often they were read.
    pub fn unknown_types(&self) -> &BTreeMap<String, u64> {
        self.memory.unknown()
    }

    /// Forgets what the projects' repositories looked like.
    pub fn forget_repositories(&mut self) {
        self.memory.forget_repositories();
    }

    /// Makes the file known; tells the path it was moved from, if it was.
    fn recognise(
        &mut self,
        path: &Path,
        file: &File,
        now: &Snapshot,
    ) -> io::Result<Option<PathBuf>> {
        if self.files.contains_key(path) {
            return Ok(None);
        }
        let name = path.file_name().unwrap_or(OsStr::new(""));
        let same_inode = self.by_inode.get(&(now.device, now.inode)).into_iter();
        let same_name = self.by_name.get(name).into_iter().flatten();
        for old in same_inode.chain(same_name) {
            let Some(known) = self.files.get(old) else {
                continue;
            };
            // What is still open under the old path is read there to its end.
            let is_another = match &known.handle {
                Some(open) => !now.is_of(&open.metadata()?),
                None => false,
            };
            let position = &known.position;
            if position.offset > 0
                && !is_another
                && is_gone(old)
                && file::judge(position, now.size, &file::identity(file, position.offset)?)
                    == Verdict::ReadOn
            {
                return Ok(Some(old.clone()));
            }
        }
        self.insert(path.to_owned(), Known::default());
        Ok(None)
    }

    fn gone(&mut self, path: &Path) -> Look {
        let Some(known) = self.files.get_mut(path) else {
            return Look::default();
        };
        known.quiet = None;
        Look {
            lost_bytes: std::mem::take(&mut known.pending),
            ..Look::default()
        }
    }

    fn insert(&mut self, path: PathBuf, known: Known) {
        if let Some(name) = path.file_name() {
            self.by_name
                .entry(name.to_owned())
                .or_default()
                .insert(path.clone());
        }
        self.files.insert(path, known);
    }

    fn forget(&mut self, path: &Path) -> Option<Known> {
        if let Some(paths) = path.file_name().and_then(|name| self.by_name.get_mut(name)) {
            paths.remove(path);
        }
        self.files.remove(path)
    }
}

/// One look at an open file.
struct Reading<'a> {
    path: &'a Path,
    place: &'a Place,
    moved_from: Option<&'a Path>,
    file: &'a File,
    snapshot: Snapshot,
    limits: Limits,
}

/// How far the lines of one look went.
struct Taken {
    end: u64,
    more: bool,
    whole_tail: bool,
}

impl Reading<'_> {
    fn read(
        &mut self,
        known: &mut Known,
        memory: &mut Memory,
        buffer: &mut Vec<u8>,
    ) -> io::Result<Look> {
        let (file, size) = (self.file, self.snapshot.size);
        let before = known.position.clone();
        let verdict = file::judge(&before, size, &file::identity(file, before.offset)?);
        let rewritten = verdict == Verdict::ReadAgain;
        let start = if rewritten { 0 } else { before.offset };
        known.pending = size - start;
        if self.limits.alone && known.pending <= LIVE_BYTES {
            self.limits.max_events = 1;
        }

        let seen = file::identity(file, size)?;
        let mut batch = Batch::new(self.path, self.place.clone(), file, memory, self.limits);
        let Taken {
            end,
            more,
            whole_tail,
        } = self.take(known, &mut batch, start, rewritten, buffer)?;
        // A session can only be registered with its folder, and the lines before
        // it tell when the session began: they wait until it is named.
        let waits = start == 0 && !rewritten && end < NAMELESS_BYTES && batch.is_nameless();
        let unchanged = end == start && !rewritten && self.moved_from.is_none();
        if waits || unchanged {
            if waits {
                known.pending = 0;
            }
            return Ok(Look {
                more,
                whole_tail,
                ..Look::default()
            });
        }
        let after = Position {
            offset: end,
            identity: file::identity(file, end)?,
        };
        // Asked last: what was cut off or rewritten since the first question
        // must not be taken for what was read.
        let broken = !rewritten && file::identity(file, before.offset)? != before.identity;
        if broken || file::identity(file, size)? != seen {
            return Ok(Look {
                more: true,
                ..Look::default()
            });
        }
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let segment = Segment {
            path: text(self.path),
            moved_from: self.moved_from.map(text),
            before,
            after,
            rewritten,
            entries: batch.finish(),
        };
        Ok(Look {
            more,
            whole_tail,
            segment: Some(segment),
            ..Look::default()
        })
    }

    /// Takes complete lines into the batch, and a whole last line if it may.
    fn take(
        &self,
        known: &mut Known,
        batch: &mut Batch<'_>,
        start: u64,
        rewritten: bool,
        buffer: &mut Vec<u8>,
    ) -> io::Result<Taken> {
        let (file, size) = (self.file, self.snapshot.size);
        let mut end = start;
        if rewritten || !self.is_unfinished(&known.unfinished, start, buffer)? {
            let max = self.limits.max_line_bytes;
            end = lines::read(file, start, size, max, buffer, |line| batch.line(line))?;
        }
        let more = batch.is_full() && end < size;
        let mut whole_tail = false;
        if !more && end < size {
            known.unfinished = Unfinished {
                from: end,
                scanned: Position {
                    offset: size,
                    identity: file::identity(file, size)?,
                },
            };
            whole_tail = batch.has_whole_tail(end, size)?;
            if whole_tail && self.limits.take_tail {
                batch.tail(end, size)?;
                end = size;
            }
        }
        Ok(Taken {
            end,
            more,
            whole_tail,
        })
    }

    /// Whether still no newline has come to the line at `start`, so that a long
    /// one is not read whole at every look. Only if what was scanned still
    /// stands there: it may have been cut or filled in.
    fn is_unfinished(
        &self,
        known: &Unfinished,
        start: u64,
        buffer: &mut Vec<u8>,
    ) -> io::Result<bool> {
        let (file, size, scanned) = (self.file, self.snapshot.size, &known.scanned);
        let is_long = scanned.offset.saturating_sub(start) >= LONG_BYTES;
        if known.from != start || !is_long || size < scanned.offset {
            return Ok(false);
        }
        let stands = file::identity(file, scanned.offset)? == scanned.identity;
        Ok(stands && !lines::has_newline(file, scanned.offset, size, buffer)?)
    }
}

/// Nothing stands under the path. A folder we may not look into is no proof.
fn is_gone(path: &Path) -> bool {
    path.symlink_metadata()
        .is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}
