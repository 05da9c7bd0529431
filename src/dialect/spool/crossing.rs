//! Which session a process of the CLI went on in, as its hooks tell.
//!
//! In: hooks, in any order within seconds. Out: the session that was left and the one that
//! was entered, once both are known. The same hooks again say the same again.

use std::collections::VecDeque;

use crate::event::{Event, Followed, HookReceived, Payload, Timestamp};

/// Processes that are remembered.
const MAX_PROCESSES: usize = 256;
/// The hooks of one step from a session into another are no further apart.
const STEP_SECONDS: u64 = 10;

/// What hooks said of each process.
#[derive(Default)]
pub struct Crossings(VecDeque<(Process, Half)>);

/// A pid may come again: when the process began belongs to it.
#[derive(Clone, PartialEq)]
struct Process {
    pid: u32,
    started: String,
}

/// The step that a process is in.
enum Half {
    Left(String, Timestamp),
    Entered(String, Timestamp),
    Done { left: String, entered: String },
}

impl Crossings {
    pub fn heard(&mut self, event: &Event) -> Option<Followed> {
        let Payload::HookReceived(hook) = &event.payload else {
            return None;
        };
        let (process, at) = (Process::of(hook)?, event.moment.at);
        let session = hook.claude_session_id.clone();
        let new = match hook.hook_type.as_str() {
            "SessionEnd" if has(hook, "reason", &["clear", "resume"]) => Half::Left(session, at),
            "SessionStart" if has(hook, "source", &["clear", "resume", "fork"]) => {
                Half::Entered(session, at)
            }
            _ => return None,
        };
        let before = self.take(&process);
        let step = new.behind(before);
        let followed = step.followed(&process, at);
        self.0.push_back((process, step));
        followed
    }

    fn take(&mut self, process: &Process) -> Option<Half> {
        if let Some(place) = self.0.iter().position(|(known, _)| known == process) {
            return self.0.remove(place).map(|(_, half)| half);
        }
        if self.0.len() >= MAX_PROCESSES {
            self.0.pop_front();
        }
        None
    }
}

impl Half {
    /// What is known with this, after what was known before.
    fn behind(self, before: Option<Half>) -> Half {
        match (before, self) {
            (Some(Half::Left(left, from)), Half::Entered(entered, at))
            | (Some(Half::Entered(entered, at)), Half::Left(left, from))
                if left != entered && is_one_step(from, at) =>
            {
                Half::Done { left, entered }
            }
            (Some(Half::Done { left, entered }), Half::Left(session, _)) if session == left => {
                Half::Done { left, entered }
            }
            (Some(Half::Done { left, entered }), Half::Entered(session, _))
                if session == entered =>
            {
                Half::Done { left, entered }
            }
            (_, new) => new,
        }
    }

    fn followed(&self, process: &Process, at: Timestamp) -> Option<Followed> {
        let Half::Done { left, entered } = self else {
            return None;
        };
        Some(Followed {
            session_uuid: left.clone(),
            successor_uuid: entered.clone(),
            pid: process.pid,
            process_started: Some(process.started.clone()),
            at,
        })
    }
}

impl Process {
    fn of(hook: &HookReceived) -> Option<Process> {
        let pid = hook.fields.get("cli_pid")?.as_u64()?;
        Some(Process {
            pid: u32::try_from(pid).ok()?,
            started: hook.fields.get("cli_started")?.as_str()?.to_owned(),
        })
    }
}

fn has(hook: &HookReceived, name: &str, words: &[&str]) -> bool {
    let word = hook.fields.get(name).and_then(|word| word.as_str());
    word.is_some_and(|word| words.contains(&word))
}

fn is_one_step(a: Timestamp, b: Timestamp) -> bool {
    a.max(b).seconds_since(a.min(b)) <= STEP_SECONDS
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::event::{FactKey, Moment};

    fn hook(second: i64, name: &str, session: &str, why: &str, pid: u32) -> Event {
        let fields = json!({"hook_type": name, "claude_session_id": session,
            "working_directory": "/p", "reason": why, "source": why,
            "cli_pid": pid, "cli_started": "9"});
        let payload = Payload::read("hook_received", fields).unwrap();
        let moment = Moment {
            at: Timestamp::from_micros(second * 1_000_000),
            observed: false,
        };
        let keys = vec![FactKey::hook(session, second, name)];
        Event::new(payload, moment, keys, None).unwrap()
    }

    /// The steps that all these hooks tell, as `from>to`.
    fn told(hooks: &[Event]) -> Vec<String> {
        let mut crossings = Crossings::default();
        let told = hooks.iter().filter_map(|hook| crossings.heard(hook));
        told.map(|step| format!("{}>{}", step.session_uuid, step.successor_uuid))
            .collect()
    }

    fn end(second: i64, session: &str) -> Event {
        hook(second, "SessionEnd", session, "clear", 7)
    }

    fn start(second: i64, session: &str) -> Event {
        hook(second, "SessionStart", session, "clear", 7)
    }

    #[test]
    fn each_step_is_told_once_both_halves_are_known_in_either_order() {
        let steps = |hooks: &[Event], expected: &[&str]| assert_eq!(told(hooks), expected);
        steps(
            &[end(1, "a"), start(1, "b"), end(50, "b"), start(51, "c")],
            &["a>b", "b>c"],
        );
        steps(
            &[start(1, "b"), end(1, "a"), start(50, "c"), end(50, "b")],
            &["a>b", "b>c"],
        );
        // Read once more, they say the same.
        steps(
            &[end(1, "a"), start(1, "b"), end(1, "a"), start(1, "b")],
            &["a>b"; 3],
        );
        // Resumed at its start, and left an hour later.
        let resumed = hook(1, "SessionStart", "a", "resume", 7);
        steps(&[resumed, end(3600, "a"), start(3600, "b")], &["a>b"]);
    }

    #[test]
    fn what_is_no_step_of_one_process_tells_nothing() {
        for hooks in [
            [end(1, "a"), hook(1, "SessionStart", "b", "clear", 8)],
            [end(1, "a"), start(60, "b")],
            [end(1, "a"), start(1, "a")],
            [end(1, "a"), hook(1, "SessionStart", "b", "startup", 7)],
            [hook(1, "SessionEnd", "a", "other", 7), start(1, "b")],
            [start(1, "b"), end(3600, "a")],
        ] {
            assert_eq!(told(&hooks), [""; 0]);
        }
    }
}
