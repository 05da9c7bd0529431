//! Files whose rows come from an older version of reading are read once more, when
//! nothing newer waits.
//!
//! In: the files that the store names; where they stand.
//! Out: their checkpoints at the start, in one transaction, and the files in the backlog.
//!
//! Promises
//! - a file that is gone, or is another one by now, keeps its checkpoint as it is
//! - what is live goes first, and a process that is killed goes on where it was

use std::path::{Path, PathBuf};

use crate::{dialect::Place, store::CheckpointRow, tail::Position};

use super::{retry::Work, run::Capture};

/// Files that are set back together.
const MAX_FILES: usize = 16;

impl Capture {
    /// Sets some files back; false if there are none.
    pub(super) async fn read_again(&mut self) -> bool {
        let outdated = self.positions.take_outdated(MAX_FILES);
        if outdated.is_empty() {
            return false;
        }
        let rows: Vec<CheckpointRow> = outdated
            .iter()
            .filter_map(|path| self.standing(path))
            .collect();
        if let Err(failure) = self.writer.read_again(&rows).await {
            // The next connection names them anew.
            self.positions.distrust();
            return self.failed(Work::Write, &failure, "read files once more");
        }
        self.succeeded(Work::Write);
        for row in rows {
            let path = PathBuf::from(row.path);
            self.positions.moved(&path, Position::default());
            self.backlog.queue.push_backlog(path, row.position.offset);
        }
        true
    }

    fn standing(&mut self, path: &Path) -> Option<CheckpointRow> {
        if !matches!(
            self.discovery.place(path),
            Place::Session | Place::Subagent(_)
        ) {
            return None;
        }
        let position = self.positions.tail().standing(path).ok()??;
        Some(CheckpointRow {
            path: path.to_string_lossy().into_owned(),
            position,
            is_outdated: true,
        })
    }
}
