//! Sessions that their registry says are at the prompt, though no end of their turn
//! was read: pure. So much later there will be none, and the turn is closed.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// A little longer than the rule asks for: what was written in that time is read.
const WAIT: Duration = Duration::from_millis(2200);

#[derive(Default)]
pub struct Quiet {
    due: HashMap<String, Instant>,
}

impl Quiet {
    /// A session came to its prompt; known already, it keeps its time.
    pub fn noted(&mut self, session: &str, now: Instant) {
        if !self.due.contains_key(session) {
            self.due.insert(session.to_owned(), now + WAIT);
        }
    }

    /// Sessions that were at their prompt for long enough, at most so many; each is
    /// given once.
    pub fn take_due(&mut self, now: Instant, most: usize) -> Vec<String> {
        let due = self.due.iter().filter(|(_, due)| **due <= now);
        let due: Vec<String> = due.map(|(session, _)| session.clone()).take(most).collect();
        self.due.retain(|session, _| !due.contains(session));
        due
    }

    pub fn is_any_due(&self, now: Instant) -> bool {
        self.due.values().any(|due| *due <= now)
    }

    pub fn next_due(&self) -> Option<Instant> {
        self.due.values().min().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_given_once_and_not_before_its_time() {
        let now = Instant::now();
        let mut quiet = Quiet::default();
        quiet.noted("a", now);
        quiet.noted("a", now + WAIT);
        quiet.noted("b", now + WAIT);
        assert_eq!(quiet.next_due(), Some(now + WAIT));
        assert!(!quiet.is_any_due(now) && quiet.take_due(now, 9).is_empty());
        assert_eq!(quiet.take_due(now + WAIT, 9), ["a"]);
        assert!(!quiet.is_any_due(now + WAIT));
        assert_eq!(quiet.take_due(now + WAIT * 2, 9), ["b"]);
        assert_eq!(quiet.next_due(), None);
    }
}
