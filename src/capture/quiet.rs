//! Sessions that their registry says are at the prompt, though no end of their turn
//! was read: pure. So much later there will be none, and the turn is closed.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use crate::event::Timestamp;

/// A little longer than the rule asks for: what was written in that time is read.
const WAIT: Duration = Duration::from_millis(2200);

#[derive(Default)]
pub struct Quiet {
    at_prompt: HashMap<String, Rest>,
}

struct Rest {
    /// By the registry; none if only the store knows.
    since: Option<Timestamp>,
    due: Instant,
}

impl Quiet {
    /// A session is at its prompt. Of the same rest it keeps its time; one that worked in
    /// between waits anew.
    pub fn noted(&mut self, session: &str, since: Option<Timestamp>, now: Instant) {
        let known = self.at_prompt.get(session);
        if known.is_none_or(|rest| since.is_some() && since != rest.since) {
            let due = now + WAIT;
            self.at_prompt
                .insert(session.to_owned(), Rest { since, due });
        }
    }

    /// Sessions that were at their prompt for long enough, at most so many; each is
    /// given once.
    pub fn take_due(&mut self, now: Instant, most: usize) -> Vec<String> {
        let due = self.at_prompt.iter().filter(|(_, rest)| rest.due <= now);
        let due: Vec<String> = due.map(|(session, _)| session.clone()).take(most).collect();
        self.at_prompt.retain(|session, _| !due.contains(session));
        due
    }

    pub fn is_any_due(&self, now: Instant) -> bool {
        self.at_prompt.values().any(|rest| rest.due <= now)
    }

    pub fn next_due(&self) -> Option<Instant> {
        self.at_prompt.values().map(|rest| rest.due).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_given_once_and_not_before_its_time() {
        let now = Instant::now();
        let since = Some(Timestamp::UNIX_EPOCH);
        let mut quiet = Quiet::default();
        quiet.noted("a", since, now);
        quiet.noted("a", since, now + WAIT);
        quiet.noted("b", None, now + WAIT);
        assert_eq!(quiet.next_due(), Some(now + WAIT));
        assert!(!quiet.is_any_due(now) && quiet.take_due(now, 9).is_empty());
        assert_eq!(quiet.take_due(now + WAIT, 9), ["a"]);
        assert!(!quiet.is_any_due(now + WAIT));
        assert_eq!(quiet.take_due(now + WAIT * 2, 9), ["b"]);
        assert_eq!(quiet.next_due(), None);
    }
    #[test]
    fn one_that_worked_in_between_waits_anew() {
        let now = Instant::now();
        let second = Duration::from_secs(1);
        let at = |seconds| Some(Timestamp::UNIX_EPOCH.plus_seconds(seconds));
        let mut quiet = Quiet::default();
        quiet.noted("a", at(0), now);
        quiet.noted("a", at(2), now + 2 * second);
        assert_eq!(quiet.next_due(), Some(now + 2 * second + WAIT));
        // The store has it as quiet, and not since when.
        quiet.noted("a", None, now + 3 * second);
        assert_eq!(quiet.next_due(), Some(now + 2 * second + WAIT));
    }
}
