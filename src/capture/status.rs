//! What the watcher has done since it started, counted and logged.

use std::{collections::HashMap, path::Path};

use crate::{
    event::Timestamp,
    store::{Appended, Counters, Duplicates},
};

/// What the watcher says of itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Status {
    pub counters: Counters,
    pub last_write_at: Option<Timestamp>,
    /// Why it is degraded; nothing if it is not.
    pub reason: Option<String>,
    /// All that was there at the start is read.
    pub caught_up: bool,
}

/// Counts what happens, and logs it in summaries.
#[derive(Default)]
pub struct Tally {
    pub status: Status,
    /// How many events the summaries in the log account for.
    summarised: u64,
    /// Duplicates since a file was last at its end.
    duplicates: HashMap<String, Duplicates>,
}

impl Tally {
    pub fn stored(&mut self, appended: &Appended, now: Timestamp) {
        self.status.counters.events_written += appended.stored;
        self.status.counters.rejected += appended.rejected;
        if appended.stored > 0 {
            self.status.last_write_at = Some(now);
        }
        for found in &appended.duplicates {
            self.status.counters.duplicates += found.count;
            match self.duplicates.get_mut(&found.path) {
                Some(known) => known.count += found.count,
                None => {
                    self.duplicates.insert(found.path.clone(), found.clone());
                }
            }
        }
    }

    /// All of a file is read: logs its duplicates, if it had any.
    pub fn at_end_of(&mut self, path: &Path) {
        let Some(duplicates) = self.duplicates.remove(&*path.to_string_lossy()) else {
            return;
        };
        let (transcript, count) = (path.display(), duplicates.count);
        tracing::warn!(
            %transcript, count, key = %duplicates.key,
            "{count} duplicates in {transcript}: facts that are stored already; each is kept once"
        );
    }

    /// Logs how much was stored since the last time, if anything was.
    pub fn summarise(&mut self) {
        let count = self.status.counters.events_written - self.summarised;
        self.summarised = self.status.counters.events_written;
        if count > 0 {
            let bytes_behind = self.status.counters.bytes_behind;
            tracing::info!(count, bytes_behind, "{count} events stored");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicates_of_a_file_add_up_until_its_end() {
        let appended = |stored, count| Appended {
            stored,
            duplicates: vec![Duplicates {
                path: "a".into(),
                count,
                key: "k".into(),
            }],
            ..Appended::default()
        };
        let mut tally = Tally::default();
        tally.stored(&appended(0, 2), Timestamp::UNIX_EPOCH);
        assert_eq!(tally.status.last_write_at, None);
        tally.stored(&appended(1, 3), Timestamp::UNIX_EPOCH);
        assert_eq!(tally.status.last_write_at, Some(Timestamp::UNIX_EPOCH));
        assert_eq!(
            (
                tally.status.counters.events_written,
                tally.status.counters.duplicates
            ),
            (1, 5)
        );
        assert_eq!(tally.duplicates["a"].count, 5);
        tally.at_end_of(Path::new("a"));
        assert!(tally.duplicates.is_empty());
    }
}
