//! Every file and how far it was read.
//!
//! A read gives the next [`Stretch`], or nothing. Positions move only when the
//! caller says so ([`Tail::committed`], [`Tail::moved`]), so what is not
//! committed is simply read again. What is [`Tail::taken`] is read on behind until then.

use std::{
    collections::{HashMap, VecDeque},
    ffi::{OsStr, OsString},
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use super::{
    Consumer, Found, Position, ReadLimits, Stretch,
    file::{self, Snapshot, Verdict},
    reading::{Reading, Unfinished},
};

/// So many files are kept open behind the one that is read under their path.
const MAX_BEHIND: usize = 4;

#[derive(Default)]
pub struct Tail {
    files: HashMap<Arc<Path>, KnownFile>,
    /// Paths by file name: a file may be moved to another folder.
    by_name: HashMap<OsString, Vec<Arc<Path>>>,
    by_inode: HashMap<(u64, u64), Arc<Path>>,
    buffer: Vec<u8>,
}

/// What is known of one file.
#[derive(Default)]
pub(super) struct KnownFile {
    /// The committed position.
    pub position: Position,
    /// Behind what was taken and is not committed yet.
    taken_to: Option<Position>,
    /// Behind what was read last.
    read_to: Option<Position>,
    /// The file as it was when nothing more could be read from it.
    quiet: Option<Snapshot>,
    /// Whether it then ended with a whole line that only lacks its newline.
    whole_tail: bool,
    /// A line that had no end at the last read.
    pub unfinished: Option<Unfinished>,
    /// Bytes behind the position, at the last read.
    pub pending: u64,
    /// Kept open until all of it is read and stored: a file that is deleted
    /// meanwhile is read to its end all the same. Behind it what took its path
    /// until then, in that order.
    handles: VecDeque<Open>,
    /// There was more to read at the last read.
    more: bool,
}

/// An open file.
struct Open {
    file: File,
    /// A copy of all that was read of a file that is gone: its last line is whole.
    is_copy: bool,
}

impl Tail {
    /// Starts from positions that were kept. What was being read stays open:
    /// if it was deleted meanwhile, no path leads to it any more.
    pub fn load(&mut self, positions: impl IntoIterator<Item = (PathBuf, Position)>) {
        let before = std::mem::take(self);
        for (path, position) in positions {
            self.moved(&path, position);
        }
        for (path, known) in before.files {
            if !known.handles.is_empty() {
                let position = self.files.remove(&path).unwrap_or_default().position;
                let known = KnownFile {
                    position,
                    handles: known.handles,
                    pending: known.pending,
                    ..KnownFile::default()
                };
                self.insert(path, known);
            }
        }
    }

    /// Reads what is new in a file, as much as the limits allow.
    pub fn read(
        &mut self,
        path: &Path,
        consumer: &mut impl Consumer,
        limits: ReadLimits,
        now: SystemTime,
    ) -> io::Result<Found> {
        let kept = self.files.get_mut(path).and_then(|known| {
            known.keep_what_took(path);
            known.handles.pop_front()
        });
        let was_kept = kept.is_some();
        let opened = match kept {
            Some(open) => {
                let snapshot = Snapshot::of(&open.file.metadata()?);
                Some((open, snapshot))
            }
            None => match file::open(path) {
                Ok(opened) => opened.map(|(file, snapshot)| (Open::there(file), snapshot)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(self.gone(path)),
                Err(error) => return Err(error),
            },
        };
        let Some((Open { file, is_copy }, snapshot)) = opened else {
            return Ok(Found::default());
        };
        let moved_from = self.recognise(path, &file, &snapshot)?;
        let source = moved_from.as_deref().unwrap_or(path);
        let known = self
            .files
            .get_mut(source)
            .expect("a recognised file is known");
        let idle = Some(snapshot.idle(now));
        let limits = ReadLimits {
            take_tail: limits.take_tail || is_copy,
            ..limits
        };
        if known.quiet == Some(snapshot) && moved_from.is_none() && !limits.take_tail {
            return Ok(Found {
                idle,
                more: was_kept,
                whole_tail: known.whole_tail,
                ..Found::default()
            });
        }
        let mut reading = Reading {
            path,
            file: &file,
            snapshot,
            limits,
            moved_from: moved_from.as_deref(),
            buffer: &mut self.buffer,
        };
        let found = reading.read(known, consumer)?;
        known.more = found.more;
        if let Some(stretch) = &found.stretch {
            known.read_to = Some(stretch.after.clone());
        }
        if found.more || found.stretch.is_some() || known.taken_to.is_some() {
            known.handles.push_front(Open { file, is_copy });
        } else if snapshot.is_settled(now) {
            known.quiet = Some(snapshot);
            known.whole_tail = found.whole_tail;
        }
        let source = self.key(source);
        self.by_inode
            .insert((snapshot.device, snapshot.inode), source);
        // Another file may have taken the path of one that was kept open.
        Ok(Found {
            idle,
            more: found.more || was_kept,
            ..found
        })
    }

    /// The caller stores a stretch later: until then what follows it is read. It is none of
    /// a file that was moved.
    pub fn taken(&mut self, stretch: &Stretch) {
        if let Some(known) = self.files.get_mut(&*stretch.path) {
            known.taken_to = Some(stretch.after.clone());
        }
    }

    /// What was taken and is not committed is read again.
    pub fn give_back(&mut self) {
        for known in self.files.values_mut() {
            known.taken_to = None;
        }
    }

    /// The caller has stored a stretch.
    pub fn committed(&mut self, stretch: &Stretch) {
        if let Some(old) = &stretch.moved_from
            && let Some(known) = self.forget(old)
        {
            self.insert(stretch.path.as_path().into(), known);
        }
        let path = self.key(&stretch.path);
        let known = self.files.entry(path).or_default();
        known.pending = known.pending.saturating_sub(stretch.bytes());
        known.position = stretch.after.clone();
        if known.taken_to.as_ref() == Some(&known.position) {
            known.taken_to = None;
        }
        let is_all = known.read_to.as_ref() == Some(&known.position);
        if !known.more && is_all {
            known.handles.pop_front();
        }
    }

    /// The kept position is elsewhere: read on from there, also in a file
    /// that was deleted since.
    pub fn moved(&mut self, path: &Path, position: Position) {
        let handles = self
            .files
            .get_mut(path)
            .map_or_else(VecDeque::new, |known| std::mem::take(&mut known.handles));
        self.insert(
            path.into(),
            KnownFile {
                position,
                handles,
                ..KnownFile::default()
            },
        );
    }

    /// A file that is gone is read in this copy, as one that is still open.
    pub fn read_in(&mut self, path: &Path, copy: File) {
        if let Some(known) = self.files.get_mut(path) {
            let is_copy = true;
            known.handles = [Open {
                file: copy,
                is_copy,
            }]
            .into();
        }
    }

    /// Whether nothing has changed in a file since all of it was read.
    pub fn is_quiet(&self, path: &Path, now: &Snapshot) -> bool {
        self.files
            .get(path)
            .is_some_and(|known| known.quiet.as_ref() == Some(now))
    }

    /// Whether the file has a position.
    pub fn is_known(&self, path: &Path) -> bool {
        self.files.contains_key(path)
    }

    /// The file's position, if the file is there and still has what was read of it.
    pub fn standing(&self, path: &Path) -> io::Result<Option<Position>> {
        let Some(known) = self.files.get(path) else {
            return Ok(None);
        };
        let Some((file, snapshot)) = file::open(path)? else {
            return Ok(None);
        };
        let position = &known.position;
        let identity = file::identity(&file, position.offset)?;
        let verdict = file::judge(position, snapshot.size, &identity);
        Ok((verdict == Verdict::ReadOn).then(|| position.clone()))
    }

    /// Up to where a file is committed.
    pub fn offset(&self, path: &Path) -> Option<u64> {
        self.files.get(path).map(|known| known.position.offset)
    }

    /// Files that were not read to their end and are no longer there.
    pub fn vanished(&self) -> Vec<PathBuf> {
        let unread = self.files.iter().filter(|(_, known)| known.pending > 0);
        unread
            .filter(|(path, _)| is_gone(path))
            .map(|(path, _)| path.to_path_buf())
            .collect()
    }

    /// Bytes seen in files but not yet committed.
    pub fn bytes_behind(&self) -> u64 {
        self.files.values().map(|known| known.pending).sum()
    }

    /// Makes the file known; returns the path it was moved from, if it was.
    fn recognise(
        &mut self,
        path: &Path,
        file: &File,
        now: &Snapshot,
    ) -> io::Result<Option<Arc<Path>>> {
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
            let is_another = match known.handles.front() {
                Some(open) => !now.is_of(&open.file.metadata()?),
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
        self.insert(path.into(), KnownFile::default());
        Ok(None)
    }

    fn gone(&mut self, path: &Path) -> Found {
        let Some(known) = self.files.get_mut(path) else {
            return Found::default();
        };
        known.quiet = None;
        Found {
            lost_bytes: std::mem::take(&mut known.pending),
            ..Found::default()
        }
    }

    /// The path as it is known, so that it is kept in memory once.
    fn key(&self, path: &Path) -> Arc<Path> {
        self.files
            .get_key_value(path)
            .map_or_else(|| path.into(), |(key, _)| key.clone())
    }

    fn insert(&mut self, path: Arc<Path>, known: KnownFile) {
        if let Some(name) = path.file_name()
            && !self.files.contains_key(&path)
        {
            let same = self.by_name.entry(name.to_owned()).or_default();
            same.push(path.clone());
        }
        self.files.insert(path, known);
    }

    fn forget(&mut self, path: &Path) -> Option<KnownFile> {
        if let Some(paths) = path.file_name().and_then(|name| self.by_name.get_mut(name)) {
            paths.retain(|known| &**known != path);
        }
        self.files.remove(path)
    }
}

impl KnownFile {
    /// Where the next read begins.
    pub fn reached(&self) -> &Position {
        self.taken_to.as_ref().unwrap_or(&self.position)
    }

    /// Another file stands under the path of one that is still read: it is opened now,
    /// for it may be gone when its turn comes.
    fn keep_what_took(&mut self, path: &Path) {
        if self.handles.is_empty() || self.handles.len() > MAX_BEHIND {
            return;
        }
        // What cannot be opened now is found when its path is looked at.
        let Ok(Some((file, snapshot))) = file::open(path) else {
            return;
        };
        let is_known = |open: &Open| open.file.metadata().is_ok_and(|open| snapshot.is_of(&open));
        if !self.handles.iter().any(is_known) {
            self.handles.push_back(Open::there(file));
        }
    }
}

impl Open {
    fn there(file: File) -> Open {
        Open {
            file,
            is_copy: false,
        }
    }
}

/// Nothing stands under the path. A folder we may not look into is no proof.
fn is_gone(path: &Path) -> bool {
    path.symlink_metadata()
        .is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}
