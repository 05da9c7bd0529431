//! An event in one line, without its session and its time.

use serde_json::Value;

use super::{Mark, first_line, moved, typed};
use crate::store::Stored;

/// What it says, and what its session shows as from then on, if it says that.
#[derive(Debug, PartialEq, Eq)]
pub struct Summary {
    pub mark: Option<Mark>,
    pub text: String,
}

pub fn summary(event: &Stored) -> Summary {
    // A payload that was damaged in the database says nothing: its line is there all the same.
    let payload: Value = serde_json::from_str(event.payload.get()).unwrap_or_default();
    // A field may be missing, and be none for a person.
    let text = |name: &str| payload[name].as_str().unwrap_or_default();
    let both = |one: &str, other: &str| format!("{} {}", text(one), text(other));
    let mut mark = None;
    let said = match event.event_type.as_str() {
        "session_registered" => format!("in {}", text("working_directory")),
        "session_ended" => {
            mark = Some(Mark::Ended);
            both("reason", "detail")
        }
        "turn_detected" => format!("{}: {}", text("actor"), first_line(&typed(text("text")))),
        "state_transition" => {
            let needs = payload["needs"].as_str();
            mark = Some(Mark::moved_to(text("to_state"), needs));
            let moved = moved(text("from_state"), text("to_state"), needs);
            format!("{moved}, by {}", text("trigger"))
        }
        "hook_received" => both("hook_type", "tool_name"),
        "session_observed" => both("status", "waiting_for"),
        "session_viewed" => match text("snoozed_until") {
            "" => "seen".to_owned(),
            until => format!("put off until {until}"),
        },
        other => other.to_owned(),
    };
    Summary {
        mark,
        text: said.trim_end().to_owned(),
    }
}
