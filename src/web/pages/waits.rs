//! How long sessions waited for a person today: moves of their states, added up.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::Deserialize;

use crate::{
    event::EventType,
    store::{
        Filter, Stored,
        read::{PAGE_EVENTS, ReadError, Reader},
    },
};

/// The most pages of moves that are read at once; of a longer day, the newest.
const PAGES: usize = 20;

/// What is known of a day; only what is new is read.
#[derive(Debug, Clone)]
pub struct Waits {
    from: Timestamp,
    /// The newest event that is in.
    upto: i64,
    agents: HashMap<i64, Wait>,
    seconds: i64,
}

#[derive(Debug, Clone, Copy)]
enum Wait {
    Since(Timestamp),
    Over,
}

#[derive(Deserialize)]
struct Move {
    from_state: String,
    to_state: String,
    needs: Option<String>,
}

impl Waits {
    pub fn since(from: Timestamp) -> Waits {
        Waits {
            from,
            upto: 0,
            agents: HashMap::new(),
            seconds: 0,
        }
    }

    /// The same, if it is of this day.
    pub fn of(self, from: Timestamp) -> Waits {
        match self.from == from {
            true => self,
            false => Waits::since(from),
        }
    }

    /// Takes in what is new.
    pub async fn read(&mut self, reader: &Reader) -> Result<(), ReadError> {
        let filter = Filter {
            types: vec![EventType::StateTransition, EventType::SessionEnded],
            ..Filter::default()
        };
        let (mut new, mut before) = (Vec::new(), None);
        let from = format!("{:.6}", self.from);
        for _ in 0..PAGES {
            let page = reader
                .page(&filter, before, Some(self.upto), PAGE_EVENTS)
                .await?;
            before = page.events.last().map(|event| event.id);
            let more = page.more
                && page
                    .events
                    .last()
                    .is_some_and(|event| event.timestamp >= from);
            new.extend(page.events);
            if !more {
                break;
            }
        }
        for event in new.iter().rev() {
            self.take(event);
        }
        Ok(())
    }

    fn take(&mut self, event: &Stored) {
        self.upto = self.upto.max(event.id);
        let (Some(agent), Ok(at)) = (event.agent_id, event.timestamp.parse::<Timestamp>()) else {
            return;
        };
        if at < self.from {
            return;
        }
        let (was, is) = match serde_json::from_str::<Move>(event.payload.get()) {
            Ok(one) => (one.from_state == "awaiting_input", one.waits()),
            // Its end.
            Err(_) => (false, false),
        };
        let before = match self.agents.get(&agent) {
            Some(Wait::Since(since)) => Some(*since),
            Some(Wait::Over) => None,
            // It began to wait before this day.
            None => was.then_some(self.from),
        };
        let now = match (before, is) {
            (Some(since), true) => Wait::Since(since),
            (None, true) => Wait::Since(at),
            (Some(since), false) => {
                self.seconds += at.duration_since(since).as_secs().max(0);
                Wait::Over
            }
            (None, false) => Wait::Over,
        };
        self.agents.insert(agent, now);
    }

    /// All waits together, those that last among these agents until now.
    pub fn total(&self, now: Timestamp, lasts: impl Fn(i64) -> bool) -> i64 {
        let lasting = self.agents.iter().filter_map(|(agent, wait)| match wait {
            Wait::Since(since) if lasts(*agent) => {
                Some(now.duration_since(*since).as_secs().max(0))
            }
            _ => None,
        });
        self.seconds + lasting.sum::<i64>()
    }
}

impl Move {
    fn waits(&self) -> bool {
        let needs = self.needs.as_deref().unwrap_or("none");
        needs != "none" || self.to_state == "awaiting_input"
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{json, value::RawValue};

    use super::*;

    fn at(clock: &str) -> String {
        format!("2026-11-30T{clock}:00.000000Z")
    }

    fn event(id: i64, agent: i64, clock: &str, from: &str, to: &str, needs: &str) -> Stored {
        let payload = json!({"from_state": from, "to_state": to, "needs": needs});
        Stored {
            id,
            event_type: "state_transition".into(),
            timestamp: at(clock),
            recorded_at: at(clock),
            project_id: None,
            agent_id: Some(agent),
            command_id: None,
            turn_id: None,
            payload: RawValue::from_string(payload.to_string()).unwrap(),
        }
    }

    #[test]
    fn waits_are_added_up_from_midnight_to_now() {
        let mut waits = Waits::since(at("00:00").parse().unwrap());
        let (works, waiting) = ("processing", "awaiting_input");
        for event in [
            // One that waits since yesterday is answered at one.
            event(1, 1, "01:00", waiting, works, "none"),
            // Ten minutes, in which what it needs changes.
            event(2, 2, "10:00", works, waiting, "question"),
            event(3, 2, "10:05", waiting, waiting, "permission"),
            event(4, 2, "10:10", waiting, works, "none"),
            // An error leaves the state as it is, and lasts.
            event(5, 3, "11:00", works, "idle", "error"),
            event(6, 4, "11:30", works, waiting, "asked"),
        ] {
            waits.take(&event);
        }
        let now = at("12:00").parse().unwrap();
        assert_eq!(waits.total(now, |_| false), 70 * 60);
        assert_eq!(waits.total(now, |agent| agent == 3), 130 * 60);
        assert_eq!(waits.total(now, |_| true), 160 * 60);
        let tomorrow: Timestamp = "2026-12-01T00:00:00Z".parse().unwrap();
        assert_eq!(waits.of(tomorrow).total(tomorrow, |_| true), 0);
    }
}
