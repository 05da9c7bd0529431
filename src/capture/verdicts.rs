//! What the watcher decides by the clock: which turns had no end, which sessions are
//! over.
//!
//! In: the time; what the loop knows of sessions; what the store answers.
//! Out: their ends, each in the store.
//!
//! Promises
//! - after a start, a sleep or a time without a database the processes that are there
//!   are looked at first, and for a minute no session is over by the clock
//! - one that lives or waits is judged again, and not at once
//! - all that is there is read before a verdict

use std::time::{Duration, Instant};

use crate::event::{EndReason, Ending, EndsAt, EventType};

use super::{retry::Work, run::Capture};

/// Sessions that are judged in one transaction.
const MAX_SESSIONS: usize = 16;
/// How long there is no verdict after what may have hidden a sign of life.
const HOLD: Duration = Duration::from_secs(60);
/// When a session that was not over is judged again.
const AGAIN: Duration = Duration::from_secs(300);

/// When there may be verdicts.
pub struct Verdicts {
    from: Instant,
    /// The processes of open sessions were compared with those that are there.
    compared: bool,
}

impl Verdicts {
    pub fn new(from: Instant) -> Verdicts {
        Verdicts {
            from,
            compared: false,
        }
    }
}

/// Not longer than a session may be silent at all.
pub fn hold(timeout: Duration) -> Duration {
    HOLD.min(timeout)
}

impl Capture {
    /// Something may have been missed: first what is there is looked at.
    pub(super) fn hold_verdicts(&mut self, now: Instant) {
        self.verdicts = Verdicts::new(now + hold(self.options.inactivity_timeout));
    }

    /// One verdict, or one look before it; false if it is time for none.
    pub(super) async fn judge(&mut self, now: Instant) -> bool {
        if self.caught_up && !self.verdicts.compared {
            return self.compare_processes().await;
        }
        if self.quiet.is_any_due(now) {
            self.close_turns(now).await;
            return true;
        }
        if now >= self.verdicts.from && self.activity.is_any_over(now) {
            self.end_sessions(now).await;
            return true;
        }
        false
    }

    /// When it is time for the next one, if nothing happens before.
    pub(super) fn next_verdict(&self) -> Option<Instant> {
        let over = self.activity.next_over();
        let over = over.map(|over| over.max(self.verdicts.from));
        over.into_iter().chain(self.quiet.next_due()).min()
    }

    /// A process that ended, or went on in another session, while this did not run is
    /// said to be gone. False if that was not said of all of them.
    async fn compare_processes(&mut self) -> bool {
        match self.writer.open_sessions().await {
            Ok(open) => {
                self.succeeded(Work::Load);
                self.verdicts.compared = self.discovery.compare(&open);
                self.verdicts.compared
            }
            Err(failure) => self.failed(Work::Load, &failure, "load sessions"),
        }
    }

    /// Closes the turns of sessions that stay at their prompt.
    async fn close_turns(&mut self, now: Instant) {
        let sessions = self.quiet.take_due(now, MAX_SESSIONS);
        match self.writer.settle(&sessions).await {
            Ok(appended) => {
                self.succeeded(Work::Write);
                (self.options.wake)();
                self.tally.status.counters.events_written += appended.stored;
            }
            Err(failure) => {
                self.failed(Work::Write, &failure, "close turns");
                sessions
                    .iter()
                    .for_each(|session| self.quiet.noted(session, None, now));
            }
        }
    }

    async fn end_sessions(&mut self, now: Instant) {
        let over = self.activity.take_over(now, MAX_SESSIONS);
        let idle_seconds = self.options.inactivity_timeout.as_secs();
        let ending = |session: &String| Ending {
            session_uuid: session.clone(),
            reason: EndReason::Timeout,
            detail: None,
            at: EndsAt::Idle(idle_seconds),
        };
        let endings: Vec<Ending> = over.iter().map(ending).collect();
        match self.writer.end(&endings).await {
            Ok(appended) => {
                self.succeeded(Work::Write);
                (self.options.wake)();
                self.tally.status.counters.events_written += appended.stored;
                appended.ended.iter().for_each(log_ending);
                for session in &appended.declined {
                    tracing::debug!(session, "session {session} lives or waits: it is not over");
                    self.activity.declined(session, AGAIN, now);
                    // It may have ended without a trace.
                    self.verdicts.compared = false;
                }
            }
            Err(failure) => {
                self.failed(Work::Write, &failure, "end sessions");
                let timeout = self.options.inactivity_timeout;
                for session in over {
                    self.activity.seen(&session, timeout, now);
                }
            }
        }
    }
}

fn log_ending((session, reason): &(String, EndReason)) {
    let reason = reason.as_str();
    tracing::info!(
        event_type = EventType::SessionEnded.as_str(),
        session,
        reason,
        "session {session} ended after inactivity"
    );
}
