//! Files of which the database refused something: pure.
//!
//! Such a file is read alone and event by event, up to the end of what was
//! refused, until the event that cannot be stored stands alone.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

#[derive(Default)]
pub struct Quarantine(HashMap<PathBuf, Held>);

struct Held {
    /// Up to where the file's events are stored one by one.
    until: u64,
    /// How often its next event was tried alone.
    tries: u32,
}

impl Quarantine {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn holds(&self, path: &Path) -> bool {
        self.0.contains_key(path)
    }

    /// Something before `until` was refused.
    pub fn refused(&mut self, path: &Path, until: u64) {
        let held = self
            .0
            .entry(path.to_owned())
            .or_insert(Held { until: 0, tries: 0 });
        held.until = held.until.max(until);
    }

    /// The file's next event was refused on its own; says how often so far.
    pub fn refused_alone(&mut self, path: &Path) -> u32 {
        self.0.get_mut(path).map_or(0, |held| {
            held.tries += 1;
            held.tries
        })
    }

    /// The file is stored up to `offset`: what comes next has all its tries.
    pub fn stored(&mut self, path: &Path, offset: u64) {
        if let Some(held) = self.0.get_mut(path) {
            held.tries = 0;
            if offset >= held.until {
                self.0.remove(path);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_leaves_the_quarantine_behind_what_was_refused() {
        let path = Path::new("a");
        let mut quarantine = Quarantine::default();
        assert_eq!(quarantine.refused_alone(path), 0);
        quarantine.refused(path, 100);
        quarantine.refused(path, 40);
        assert_eq!(quarantine.refused_alone(path), 1);
        assert_eq!(quarantine.refused_alone(path), 2);
        quarantine.stored(path, 50);
        assert!(quarantine.holds(path));
        assert_eq!(quarantine.refused_alone(path), 1);
        quarantine.stored(path, 100);
        assert!(!quarantine.holds(path));
    }
}
