//! A conversation that goes on while things fail.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use super::{
    headspace::{Headspace, PATIENCE},
    transcripts::{Session, append},
};

/// How soon after a fault is over everything must be stored.
pub const RECOVERY: Duration = Duration::from_secs(5);

/// A transcript that is being written, and what was said in it.
pub struct Conversation {
    session: Session,
    pub path: PathBuf,
    pub said: Vec<String>,
}

impl Conversation {
    pub fn new(headspace: &Headspace, name: &str) -> Conversation {
        let session = Session::new(name, &format!("/home/dev/{name}"));
        let path = headspace
            .project(&format!("-home-dev-{name}"))
            .join(session.file_name());
        Conversation {
            session,
            path,
            said: Vec::new(),
        }
    }

    /// One more line, in turn from the user and from the agent.
    pub fn say(&mut self) {
        self.say_all(1);
    }

    pub fn say_all(&mut self, count: usize) {
        let mut lines = String::new();
        for _ in 0..count {
            let text = format!("word {} of {}", self.said.len(), self.session.cwd);
            lines += &match self.said.len() % 2 {
                0 => self.session.prompt(&text),
                _ => self.session.reply(&text),
            };
            self.said.push(text);
        }
        append(&self.path, lines);
    }

    /// These very words, from the user.
    pub fn say_this(&mut self, text: &str) -> String {
        let line = self.session.prompt(text);
        append(&self.path, &line);
        self.said.push(text.to_owned());
        line
    }

    /// Waits until all that was said is stored, in order; says how long it took.
    pub fn wait_until_stored(&self, headspace: &Headspace) -> Duration {
        let start = Instant::now();
        while !self.is_stored(headspace) {
            let wait = start.elapsed();
            assert!(
                wait < PATIENCE,
                "{} of {} turns are stored after {wait:?}",
                self.stored(headspace).len(),
                self.said.len()
            );
            std::thread::park_timeout(Duration::from_millis(10));
        }
        start.elapsed()
    }

    /// The same where a fault has just ended.
    pub fn wait_until_recovered(&self, headspace: &Headspace) {
        let took = self.wait_until_stored(headspace);
        println!("recovered after {} ms", took.as_millis());
        assert!(took <= RECOVERY, "it took {took:?}");
    }

    pub fn is_stored(&self, headspace: &Headspace) -> bool {
        self.stored(headspace) == self.said
    }

    fn stored(&self, headspace: &Headspace) -> Vec<String> {
        let uuid = &self.session.uuid;
        let turns = headspace.store.try_column(&format!(
            "SELECT payload ->> 'text' FROM events WHERE event_type = 'turn_detected'
             AND payload ->> 'session_uuid' = '{uuid}' ORDER BY id"
        ));
        turns.unwrap_or_default()
    }
}
