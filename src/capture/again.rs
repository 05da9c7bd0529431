//! Files whose rows come from an older version of reading are read once more, when
//! nothing newer waits.
//!
//! In: the files that the store names; where they stand.
//! Out: their checkpoints at the start, in one transaction, and the files in the backlog.
//!
//! Promises
//! - a file that is gone is read in a copy from the archive; without a whole one, and if
//!   it is another file by now, it keeps its checkpoint as it is
//! - what is live goes first, and a process that is killed goes on where it was

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use crate::{
    dialect::Place,
    store::{CheckpointRow, Failure},
    tail::Position,
};

use super::{
    copy::{self, Lack},
    retry::Work,
    run::Capture,
};

/// Files that are set back together.
const MAX_FILES: usize = 16;

/// Where a file's bytes are.
enum Bytes {
    There,
    Copied(File),
}

impl Capture {
    /// Sets some files back; false if there are none.
    pub(super) async fn read_again(&mut self) -> bool {
        let mut outdated = self.positions.take_outdated(MAX_FILES);
        if outdated.is_empty() {
            return false;
        }
        let mut found = Vec::new();
        while let Some(row) = outdated.pop() {
            match self.bytes_of(&row).await {
                Ok(Some(bytes)) => found.push((row, bytes)),
                Ok(None) => {}
                Err(failure) => return self.not_set_back(&failure),
            }
            // A copy takes its time and its room: the next one waits.
            if matches!(found.last(), Some((_, Bytes::Copied(_)))) {
                self.positions.put_back(outdated);
                break;
            }
        }
        if found.is_empty() {
            return true;
        }
        let rows: Vec<CheckpointRow> = found.iter().map(|(row, _)| row.clone()).collect();
        if let Err(failure) = self.writer.read_again(&rows).await {
            return self.not_set_back(&failure);
        }
        self.succeeded(Work::Write);
        for (row, bytes) in found {
            let path = PathBuf::from(&row.path);
            if row.is_begun() {
                self.positions.moved(&path, row.position.clone());
            } else {
                self.positions.moved(&path, Position::default());
            }
            if let Bytes::Copied(copy) = bytes {
                self.positions.read_in(&path, copy);
            }
            self.backlog.queue.push_backlog(path, row.until());
        }
        true
    }

    fn not_set_back(&mut self, failure: &Failure) -> bool {
        // The next connection names them anew.
        self.positions.distrust();
        self.failed(Work::Write, failure, "read files once more")
    }

    /// None if the file stays as it is.
    async fn bytes_of(&mut self, row: &CheckpointRow) -> Result<Option<Bytes>, Failure> {
        let path = Path::new(&row.path);
        if !matches!(
            self.discovery.place(path),
            Place::Session | Place::Subagent(_)
        ) {
            return Ok(None);
        }
        match self.positions.tail().standing(path) {
            // What was begun goes on by itself.
            Ok(Some(_)) if !row.is_begun() => Ok(Some(Bytes::There)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.copied(row).await,
            Ok(_) | Err(_) => Ok(None),
        }
    }

    async fn copied(&mut self, row: &CheckpointRow) -> Result<Option<Bytes>, Failure> {
        let (path, folder) = (&row.path, Path::new(&self.options.state_dir));
        match copy::of(&mut self.writer, path, row.until(), folder).await {
            Ok(copy) => Ok(Some(Bytes::Copied(copy))),
            Err(Lack::Gap) => {
                tracing::debug!(
                    transcript = %path,
                    "a transcript is gone and not archived: what an earlier version read of it stays"
                );
                Ok(None)
            }
            Err(Lack::Broken(error)) => {
                tracing::warn!(
                    transcript = %path, %error,
                    "the archive of {path} cannot be read: {error}; what an earlier version read of it stays"
                );
                Ok(None)
            }
            Err(Lack::Store(failure)) => Err(failure),
        }
    }
}
