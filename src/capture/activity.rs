//! When sessions are over: no activity for a while, measured by a clock that
//! never jumps.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

pub struct Activity {
    timeout: Duration,
    /// When each open session will have been inactive for too long.
    due: HashMap<String, Instant>,
}

impl Activity {
    pub fn new(timeout: Duration) -> Activity {
        Activity {
            timeout,
            due: HashMap::new(),
        }
    }

    /// From now on; sessions already seen keep their time.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    /// A session was active `idle` ago.
    pub fn seen(&mut self, session: &str, idle: Duration, now: Instant) {
        let due = now + self.timeout.saturating_sub(idle);
        match self.due.get_mut(session) {
            Some(known) => *known = (*known).max(due),
            None => {
                self.due.insert(session.to_owned(), due);
            }
        }
    }

    /// A session was not over, though it was time: it is given again after this long.
    pub fn declined(&mut self, session: &str, pause: Duration, now: Instant) {
        let due = now + pause.min(self.timeout);
        self.due.entry(session.to_owned()).or_insert(due);
    }

    /// A session is over.
    pub fn ended(&mut self, session: &str) {
        self.due.remove(session);
    }

    /// Sessions that are over by now, at most so many; each is given once.
    pub fn take_over(&mut self, now: Instant, most: usize) -> Vec<String> {
        let over: Vec<String> = self
            .due
            .iter()
            .filter(|(_, due)| **due <= now)
            .map(|(session, _)| session.clone())
            .take(most)
            .collect();
        for session in &over {
            self.due.remove(session);
        }
        over
    }

    pub fn is_any_over(&self, now: Instant) -> bool {
        self.due.values().any(|due| *due <= now)
    }

    /// When the next session will be over, if nothing happens in it.
    pub fn next_over(&self) -> Option<Instant> {
        self.due.values().min().copied()
    }

    /// How many sessions are open.
    pub fn open(&self) -> u64 {
        self.due.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_over_when_its_latest_activity_is_old_enough() {
        let now = Instant::now();
        let hour = Duration::from_secs(3600);
        let mut activity = Activity::new(hour);
        activity.seen("a", Duration::ZERO, now);
        activity.seen("a", hour, now);
        activity.seen("b", hour * 2, now);
        assert_eq!(activity.take_over(now, 9), ["b"]);
        assert!(activity.take_over(now, 9).is_empty());
        assert_eq!(activity.open(), 1);
        assert_eq!(activity.next_over(), Some(now + hour));
        assert!(!activity.is_any_over(now + hour / 2) && activity.is_any_over(now + hour));
        assert_eq!(activity.take_over(now + hour, 9), ["a"]);
        // It lives: it is judged again, and not at once.
        let pause = Duration::from_secs(300);
        activity.declined("a", pause, now + hour);
        assert!(activity.take_over(now + hour, 9).is_empty());
        assert_eq!(activity.next_over(), Some(now + hour + pause));
        assert_eq!(activity.take_over(now + hour + pause, 9), ["a"]);
    }
}
