//! What the service manager says of the watcher, without ever waiting long.
//!
//! It is asked when a client asks for health, never by a clock: an idle process
//! starts no programs.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;

use super::{facts::PATIENCE, single_flight::SingleFlight};
use crate::supervise::unit::{self, Answer, Unit};

/// For this long the manager is not asked again.
const FRESH: Duration = Duration::from_secs(2);
/// The unit of a process that lives hardly changes: for this long an answer does
/// while the next one is on its way.
const STILL_GOOD: Duration = Duration::from_secs(10);
/// A manager that gave no answer is left in peace for this long.
const RESPITE: Duration = Duration::from_secs(30);

#[derive(Default)]
pub struct Units {
    flight: Arc<SingleFlight<Asked>>,
}

/// An answer and the process it was asked for.
#[derive(Clone)]
struct Asked {
    holder: Option<i64>,
    answer: Answer,
}

impl Units {
    /// The unit of the watcher `holder`, or the one that says why there is none.
    pub async fn of_watcher(&self, holder: Option<i64>) -> Option<Unit> {
        match self.answer(holder).await? {
            Answer::Known(unit) => Some(unit),
            Answer::Absent | Answer::Unreadable(_) => None,
        }
    }

    async fn answer(&self, holder: Option<i64>) -> Option<Answer> {
        if let Some(answer) = self.recent(holder, FRESH) {
            return Some(answer);
        }
        self.ask(holder);
        let older = self.recent(holder, STILL_GOOD);
        if holder.is_some() && older.is_some() {
            return older;
        }
        let awaited = timeout(PATIENCE, self.next(holder)).await;
        awaited.ok().or(older)
    }

    /// Waits for an answer about this process; one about another may come first.
    async fn next(&self, holder: Option<i64>) -> Answer {
        let mut answers = self.flight.subscribe();
        loop {
            if let Some(answer) = self.recent(holder, FRESH) {
                return answer;
            }
            self.ask(holder);
            // The sender is ours: it does not go away while we wait.
            let _ = answers.changed().await;
        }
    }

    fn recent(&self, holder: Option<i64>, age: Duration) -> Option<Answer> {
        let (at, asked) = self.flight.latest()?;
        asked
            .counts(holder, age, at.elapsed())
            .then_some(asked.answer)
    }

    fn ask(&self, holder: Option<i64>) {
        self.flight.ask(async move {
            let answer = unit::ask_for_watcher(holder).await;
            if let Answer::Unreadable(why) = &answer {
                tracing::debug!(%why, "the watcher's unit cannot be read");
            }
            Asked { holder, answer }
        });
    }
}

impl Asked {
    /// When another process holds the lock, or none, the unit has changed, too.
    fn counts(&self, holder: Option<i64>, limit: Duration, age: Duration) -> bool {
        match self.answer {
            Answer::Unreadable(_) => age < RESPITE,
            Answer::Known(_) | Answer::Absent => self.holder == holder && age < limit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_counts_for_its_process_and_its_time() {
        let asked = |answer| Asked {
            holder: Some(7),
            answer,
        };
        let later = Duration::from_secs;
        let absent = asked(Answer::Absent);
        assert!(absent.counts(Some(7), FRESH, later(1)));
        assert!(!absent.counts(Some(7), FRESH, later(2)));
        assert!(absent.counts(Some(7), STILL_GOOD, later(9)));
        assert!(!absent.counts(Some(8), FRESH, later(1)));
        assert!(!absent.counts(None, FRESH, later(1)));
        let silent = asked(Answer::Unreadable("no bus".into()));
        assert!(silent.counts(None, FRESH, later(29)));
        assert!(!silent.counts(None, FRESH, later(30)));
    }
}
