//! What makes a file the same file: its content, never its path or inode.

use std::{
    fs::{File, Metadata, OpenOptions},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
    time::{Duration, SystemTime},
};

use super::{Position, prefix::Prefix};

/// A file system stamps changes with the time of its last clock tick. A file
/// changed this recently may change again under the same stamp.
const TICK: Duration = Duration::from_millis(50);

/// A file's metadata at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot {
    pub device: u64,
    pub inode: u64,
    pub size: u64,
    mtime: (i64, i64),
    ctime: (i64, i64),
}

/// What happened to a file since its checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The bytes before the checkpoint are as they were: read on from it.
    ReadOn,
    /// They are not: the file was truncated, rewritten or replaced.
    ReadAgain,
}

/// Decides from the size and from what stands before the checkpoint now.
pub fn judge(checkpoint: &Position, size: u64, identity_now: &str) -> Verdict {
    if size >= checkpoint.offset && identity_now == checkpoint.identity {
        Verdict::ReadOn
    } else {
        Verdict::ReadAgain
    }
}

/// Recognises the bytes before `offset`.
pub fn identity(file: &File, offset: u64) -> io::Result<String> {
    Ok(Prefix::read(file, offset)?.identity())
}

/// Opens a regular file for reading; a FIFO never makes this wait, and
/// anything that is no regular file is none of ours.
pub fn open(path: &Path) -> io::Result<Option<(File, Snapshot)>> {
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOFOLLOW;
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path);
    let file = match opened {
        Ok(file) => file,
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Ok(None);
    }
    Ok(Some((file, Snapshot::of(&metadata))))
}

impl Snapshot {
    pub fn of(metadata: &Metadata) -> Snapshot {
        Snapshot {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.len(),
            mtime: (metadata.mtime(), metadata.mtime_nsec()),
            ctime: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Whether this is of the same file, by device and inode.
    pub fn is_of(&self, metadata: &Metadata) -> bool {
        (self.device, self.inode) == (metadata.dev(), metadata.ino())
    }

    /// Whether an equal snapshot later on proves that nothing has changed.
    pub fn is_settled(&self, now: SystemTime) -> bool {
        self.age(now) > TICK
    }

    /// How long ago the file was last changed, by the wall clock.
    pub fn age(&self, now: SystemTime) -> Duration {
        let (seconds, nanos) = self.mtime.max(self.ctime);
        let changed = SystemTime::UNIX_EPOCH
            + Duration::new(
                u64::try_from(seconds).unwrap_or(0),
                u32::try_from(nanos).unwrap_or(0),
            );
        now.duration_since(changed).unwrap_or_default()
    }

    /// How long ago the file was last written.
    pub fn idle(&self, now: SystemTime) -> Duration {
        Snapshot {
            ctime: self.mtime,
            ..*self
        }
        .age(now)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::prefix::HEAD_BYTES, *};
    use std::io::Write;

    fn file_of(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    #[test]
    fn a_change_before_the_offset_shows_and_one_behind_it_does_not() {
        let text: Vec<u8> = (0..100_000u32).flat_map(u32::to_le_bytes).collect();
        for offset in [1u64, 100, HEAD_BYTES, HEAD_BYTES + 1, 50_000, 399_999] {
            let before = identity(&file_of(&text), offset).unwrap();
            let mut longer = text.clone();
            longer.extend(b"more");
            assert_eq!(identity(&file_of(&longer), offset).unwrap(), before);
            for changed in [0, offset - 1] {
                let mut other = text.clone();
                other[usize::try_from(changed).unwrap()] ^= 1;
                assert_ne!(
                    identity(&file_of(&other), offset).unwrap(),
                    before,
                    "{offset} {changed}"
                );
            }
            let mut shifted = text.clone();
            shifted.drain(0..8);
            assert_ne!(identity(&file_of(&shifted), offset).unwrap(), before);
        }
    }

    #[test]
    fn the_verdict_needs_both_size_and_content() {
        let at = |offset, identity: &str| Position {
            offset,
            identity: identity.into(),
        };
        assert_eq!(judge(&at(0, ""), 0, ""), Verdict::ReadOn);
        assert_eq!(judge(&at(10, "a"), 10, "a"), Verdict::ReadOn);
        assert_eq!(judge(&at(10, "a"), 9, "a"), Verdict::ReadAgain);
        assert_eq!(judge(&at(10, "a"), 20, "b"), Verdict::ReadAgain);
    }

    #[test]
    fn a_fifo_or_a_link_is_not_opened() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("fifo");
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        assert!(open(&fifo).unwrap().is_none());
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&fifo, &link).unwrap();
        assert!(open(&link).unwrap().is_none());
        assert!(open(dir.path()).unwrap().is_none());
    }
}
