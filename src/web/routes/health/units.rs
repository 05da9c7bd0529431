//! What the service manager says of the watcher, without ever waiting long.
//!
//! It is asked when a client asks for health, never by a clock: an idle process
//! starts no programs.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{sync::watch, time::timeout};

use super::facts::PATIENCE;
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
    asker: Arc<Asker>,
}

#[derive(Default)]
struct Asker {
    asking: AtomicBool,
    answers: watch::Sender<Option<TimedAnswer>>,
}

/// An answer, when it came and which process it was asked for.
#[derive(Clone)]
struct TimedAnswer {
    at: Instant,
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
        let mut answers = self.asker.answers.subscribe();
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
        let latest = self.asker.answers.borrow();
        let heard = latest.as_ref()?;
        heard
            .counts(holder, age, Instant::now())
            .then(|| heard.answer.clone())
    }

    /// One question at a time is under way, however many ask.
    fn ask(&self, holder: Option<i64>) {
        if !self.asker.asking.swap(true, Ordering::AcqRel) {
            tokio::spawn(ask(self.asker.clone(), holder));
        }
    }
}

/// Goes on when its request has given up; the next request gets the answer.
async fn ask(asker: Arc<Asker>, holder: Option<i64>) {
    let answer = unit::ask_for_watcher(holder).await;
    if let Answer::Unreadable(why) = &answer {
        tracing::debug!(%why, "the watcher's unit cannot be asked for");
    }
    asker.asking.store(false, Ordering::Release);
    asker.answers.send_replace(Some(TimedAnswer {
        at: Instant::now(),
        holder,
        answer,
    }));
}

impl TimedAnswer {
    /// When another process holds the lock, or none, the unit has changed, too.
    fn counts(&self, holder: Option<i64>, age: Duration, now: Instant) -> bool {
        let passed = now.duration_since(self.at);
        match self.answer {
            Answer::Unreadable(_) => passed < RESPITE,
            Answer::Known(_) | Answer::Absent => self.holder == holder && passed < age,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_counts_for_its_process_and_its_time() {
        let at = Instant::now();
        let heard = |answer| TimedAnswer {
            at,
            holder: Some(7),
            answer,
        };
        let later = |seconds| at + Duration::from_secs(seconds);
        let absent = heard(Answer::Absent);
        assert!(absent.counts(Some(7), FRESH, later(1)));
        assert!(!absent.counts(Some(7), FRESH, later(2)));
        assert!(absent.counts(Some(7), STILL_GOOD, later(9)));
        assert!(!absent.counts(Some(8), FRESH, later(1)));
        assert!(!absent.counts(None, FRESH, later(1)));
        let silent = heard(Answer::Unreadable("no bus".into()));
        assert!(silent.counts(None, FRESH, later(29)));
        assert!(!silent.counts(None, FRESH, later(30)));
    }
}
