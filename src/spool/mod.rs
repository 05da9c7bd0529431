//! The intake spool: a folder of files that take in what no transcript says.
//!
//! In: lines, from any number of processes at once.
//! Out: segments, `<time>.jsonl`, each a file of lines in the order they came.
//!
//! ```text
//! append: lock → newest segment → one write → unlock → flush to disk
//! ```
//!
//! Promises
//! - a line is on disk when `append` returns
//! - lines never mix; a process that is killed in its append leaves a torn line
//!   at worst, which the next append ends
//! - a write that fails takes back what it wrote
//! - no append waits for another one beyond its deadline
//! - a segment is removed only when all of it was taken in and a newer one is there
//!
//! Not here: what a line says (`line`, `dialect`), how segments are read (`tail`).

mod hook;
mod line;

use std::{
    fs::{self, DirBuilder, File, TryLockError},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

pub use hook::{HOOK_NEEDS, LAUNCHER_START, MAX_HOOK, SELF_TEST, is_of_cli, text};
pub use line::{Body, Line, Observation, Registration, Repository, Sender};

/// From this size on the next line begins a new segment.
const SEGMENT_BYTES: u64 = 1024 * 1024;
/// How soon a held lock is tried again.
const LOCK_RETRY: Duration = Duration::from_millis(1);

/// The spool of a state folder.
#[derive(Debug, Clone)]
pub struct Spool {
    folder: PathBuf,
}

impl Spool {
    /// The spool of the state folder `state`; nothing is made before the first append.
    pub fn of(state: &Path) -> Spool {
        Spool {
            folder: state.join("spool"),
        }
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Appends one line, which holds no newline, and flushes it to disk.
    pub fn append(&self, line: &[u8], deadline: Instant) -> io::Result<()> {
        let is_new = self.make_folder()?;
        let lock = self.lock(deadline)?;
        let (segment, is_first) = self.newest_or_new()?;
        write_line(&segment, line)?;
        // The flush is the slow part, and others need not wait for it.
        drop(lock);
        segment.sync_data()?;
        if is_first {
            File::open(&self.folder)?.sync_all()?;
        }
        if is_new && let Some(parent) = self.folder.parent() {
            File::open(parent)?.sync_all()?;
        }
        Ok(())
    }

    /// Makes the folder, so that it can be watched.
    pub fn prepare(&self) -> io::Result<()> {
        self.make_folder().map(drop)
    }

    /// Whether a path is one of its segments.
    pub fn holds(&self, path: &Path) -> bool {
        path.parent() == Some(&self.folder) && number(path).is_some()
    }

    /// All segments, oldest first.
    pub fn segments(&self) -> io::Result<Vec<PathBuf>> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut segments: Vec<PathBuf> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| number(path).is_some())
            .collect();
        segments.sort();
        Ok(segments)
    }

    /// Removes a segment of which `taken` bytes were taken in, if these are all
    /// and a newer segment takes the lines that come. Whether it is gone now.
    pub fn remove(&self, segment: &Path, taken: u64, deadline: Instant) -> io::Result<bool> {
        let _lock = self.lock(deadline)?;
        if self
            .segments()?
            .last()
            .is_none_or(|newest| newest == segment)
        {
            return Ok(false);
        }
        match fs::symlink_metadata(segment) {
            Ok(found) if found.size() != taken => return Ok(false),
            Ok(_) => fs::remove_file(segment)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(true)
    }

    /// Makes the folder for this user alone; whether it was missing.
    fn make_folder(&self) -> io::Result<bool> {
        if self.folder.is_dir() {
            return Ok(false);
        }
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.folder)?;
        Ok(true)
    }

    /// One process appends at a time. The lock goes with the process.
    fn lock(&self, deadline: Instant) -> io::Result<File> {
        let file = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(self.folder.join("lock"))?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::Error(error)) => return Err(error),
                Err(TryLockError::WouldBlock) if Instant::now() >= deadline => {
                    let message = "timed out: another process holds the lock of the spool";
                    return Err(io::Error::new(io::ErrorKind::TimedOut, message));
                }
                #[allow(
                    clippy::disallowed_methods,
                    reason = "the kernel wakes no waiter for a lock at a deadline"
                )]
                Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_RETRY),
            }
        }
    }

    /// The segment that takes the next line, and whether it was made for it.
    fn newest_or_new(&self) -> io::Result<(File, bool)> {
        let newest = self.segments()?.pop();
        if let Some(path) = &newest {
            let file = open(path, false)?;
            let size = file.metadata()?.size();
            if size < SEGMENT_BYTES {
                return Ok((file, false));
            }
            // It takes no more lines, so nothing else would end a torn one.
            if !ends_with_newline(&file, size)? {
                (&file).write_all(b"\n")?;
            }
        }
        let path = self.folder.join(name_after(newest.as_deref()));
        Ok((open(&path, true)?, true))
    }
}

fn open(path: &Path, is_new: bool) -> io::Result<File> {
    File::options()
        .read(true)
        .append(true)
        .create_new(is_new)
        .mode(0o600)
        .open(path)
}

/// Writes the line as one write; if that fails, the file is as it was.
fn write_line(mut segment: &File, line: &[u8]) -> io::Result<()> {
    let before = segment.metadata()?.size();
    let mut bytes = Vec::with_capacity(line.len() + 2);
    if !ends_with_newline(segment, before)? {
        bytes.push(b'\n');
    }
    bytes.extend_from_slice(line);
    bytes.push(b'\n');
    segment.write_all(&bytes).inspect_err(|_| {
        // If this fails as well, a torn line is left: the next append ends it.
        let _ = segment.set_len(before);
    })
}

/// Whether nothing is left of an append that was killed.
fn ends_with_newline(mut segment: &File, size: u64) -> io::Result<bool> {
    if size == 0 {
        return Ok(true);
    }
    let mut last = [0];
    segment.seek(SeekFrom::Start(size - 1))?;
    segment.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

/// Microseconds since 1970, and in any case after the newest segment's.
fn name_after(newest: Option<&Path>) -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |now| now.as_micros());
    let newest = newest.and_then(number).unwrap_or(0);
    format!("{:020}.jsonl", now.max(newest + 1))
}

fn number(path: &Path) -> Option<u128> {
    let name = path.file_name()?.to_str()?.strip_suffix(".jsonl")?;
    (name.len() == 20 && name.bytes().all(|b| b.is_ascii_digit())).then(|| name.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(20)
    }

    fn lines(spool: &Spool) -> Vec<String> {
        let text = |path| fs::read_to_string(path).unwrap();
        let all: String = spool.segments().unwrap().into_iter().map(text).collect();
        assert!(all.is_empty() || all.ends_with('\n'));
        all.lines().map(str::to_owned).collect()
    }

    fn spool() -> (tempfile::TempDir, Spool) {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::of(&dir.path().join("state"));
        (dir, spool)
    }

    #[test]
    fn lines_of_many_threads_are_there_once_and_in_each_ones_order() {
        let (_dir, spool) = spool();
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let spool = &spool;
                scope.spawn(move || {
                    for n in 0..50 {
                        let line = format!("{thread} {n} {}", "x".repeat(n * 7));
                        spool.append(line.as_bytes(), soon()).unwrap();
                    }
                });
            }
        });
        let lines = lines(&spool);
        assert_eq!(lines.len(), 400);
        for thread in 0..8 {
            let own = lines
                .iter()
                .filter(|l| l.starts_with(&format!("{thread} ")));
            let numbers: Vec<usize> = own
                .map(|line| line.split(' ').nth(1).unwrap().parse().unwrap())
                .collect();
            assert_eq!(numbers, Vec::from_iter(0..50));
        }
    }

    #[test]
    fn a_torn_line_is_ended_and_costs_itself_only() {
        let (_dir, spool) = spool();
        spool.append(b"one", soon()).unwrap();
        let segment = spool.segments().unwrap().remove(0);
        let mut file = File::options().append(true).open(&segment).unwrap();
        file.write_all(b"tor").unwrap();
        spool.append(b"two", soon()).unwrap();
        assert_eq!(lines(&spool), ["one", "tor", "two"]);
    }

    #[test]
    fn a_full_segment_is_followed_by_a_newer_one_and_then_removed_when_it_was_taken_in() {
        let (_dir, spool) = spool();
        let long = vec![b'x'; SEGMENT_BYTES as usize];
        spool.append(&long, soon()).unwrap();
        let first = spool.segments().unwrap().remove(0);
        let size = SEGMENT_BYTES + 1;
        assert!(
            !spool.remove(&first, size, soon()).unwrap(),
            "it is the newest"
        );
        spool.append(b"next", soon()).unwrap();
        assert_eq!(spool.segments().unwrap().len(), 2);
        assert!(
            !spool.remove(&first, size - 1, soon()).unwrap(),
            "not all was taken in"
        );
        assert!(spool.remove(&first, size, soon()).unwrap());
        assert!(spool.remove(&first, size, soon()).unwrap(), "gone already");
        assert_eq!(lines(&spool), ["next"]);
    }

    #[test]
    fn a_lock_that_is_held_is_waited_for_until_the_deadline() {
        let (_dir, spool) = spool();
        spool.append(b"one", soon()).unwrap();
        let lock = spool.lock(soon()).unwrap();
        let error = spool.append(b"two", Instant::now()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| spool.append(b"two", soon()));
            drop(lock);
            waiting.join().unwrap().unwrap();
        });
        assert_eq!(lines(&spool), ["one", "two"]);
    }

    #[test]
    fn only_this_user_may_read_it_and_other_files_are_no_segments() {
        let (_dir, spool) = spool();
        assert!(spool.segments().unwrap().is_empty());
        spool.append(b"one", soon()).unwrap();
        fs::write(spool.folder().join("note.jsonl"), "").unwrap();
        let segments = spool.segments().unwrap();
        assert_eq!(segments.len(), 1);
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!((mode(spool.folder()), mode(&segments[0])), (0o700, 0o600));
    }

    #[test]
    fn names_grow_although_the_clock_goes_back() {
        let late = PathBuf::from("99999999999999999990.jsonl");
        assert_eq!(name_after(Some(&late)), "99999999999999999991.jsonl");
        assert!(number(Path::new(&name_after(None))).is_some());
    }
}
