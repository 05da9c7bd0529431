//! What an agent does and what it needs, from what its witnesses say.
//!
//! ```text
//! Evidence, hooks, observations ─▶ Input ─▶ open facts ─▶ View: state, needs, asks
//!                                                     └──▶ commands and their outcomes
//! ```
//!
//! In: [`Input`]s of one agent, each witness's in its own order.
//! Out: the facts that hold now, to be kept with the agent's row, and their [`View`].
//!
//! Promises
//! - what the facts are in the end does not depend on which witness came first,
//!   as long as none is further behind than [`OpenFacts::KEPT`] inputs
//! - the same input again changes nothing
//! - a flood of any input keeps the facts at a bounded size
//!
//! Not here: a clock, a file, a database; reading what the witnesses say.

mod facts;
mod hooks;
mod input;
mod merge;
mod parts;
mod prompts;
mod registry;
mod rules;
mod shown;
mod witness;
mod work;

pub use facts::Facts;
pub use input::{Call, Input, Prompt, Queue, Running, Says, Stop, Text, Witness};
pub use merge::OpenFacts;
pub use parts::{Command, Dialog, DialogKind, Outcome};
pub use registry::{passed, rest};
pub use rules::{RULES, Rule};
pub use shown::{Needs, State, View, view};
pub use witness::{Whose, evidence, hook, observation, of_child, of_session};

use crate::event::Timestamp;

/// Takes one input into the facts, by the rule whose number it gives.
fn take_in(facts: &mut Facts, input: &Input) -> u8 {
    let (at, is_hook) = (input.at, input.witness == Witness::Hook);
    let settled = registry::settle(facts, at);
    let rule = match &input.says {
        Says::Prompt(prompt) => prompts::prompt(facts, at, prompt),
        Says::Submitted { prompt_id, text } => {
            hooks::submitted(facts, at, prompt_id.as_ref(), text)
        }
        Says::Called(call) => work::called(facts, at, call),
        Says::Returned { id } => work::returned(facts, at, id),
        Says::Refused { id, with_reason } => work::refused(facts, at, id, *with_reason),
        Says::Interrupted => work::interrupted(facts, at),
        Says::Thought => work::thought(facts, at),
        Says::Text(text) => work::text(facts, at, text),
        Says::Ended {
            prompt_id,
            last,
            background,
        } => {
            let (last, background) = (last.as_ref(), background.as_ref());
            hooks::ended(facts, at, prompt_id.as_ref(), last, background, is_hook)
        }
        Says::Failed { kind, text } => work::failed(facts, at, kind.as_ref(), text.as_ref()),
        Says::Retrying { number, of } => work::retries(facts, at, *number, *of),
        Says::Asked { agent, tool, asks } => {
            hooks::asked(facts, at, agent.as_ref(), tool, asks.as_ref())
        }
        Says::Notified { kind } => hooks::notified(facts, at, kind),
        Says::Status {
            status,
            waiting_for,
            process,
        } => registry::status(facts, at, process, *status, waiting_for.as_deref()),
        Says::Gone { process } => registry::gone(facts, at, process),
        Says::Queue(queue) => prompts::queue(facts, at, *queue),
        Says::Output { shell } => prompts::output(facts, at, *shell),
        Says::Filler => prompts::filler(facts, at),
        Says::Started => hooks::started(facts, at),
        Says::Begun { source } => hooks::begun(facts, at, source),
        Says::Over => hooks::over(facts, at, 40),
        Says::TimedOut => hooks::over(facts, at, 44),
        Says::Exited => registry::exited(facts, at),
        says => others(facts, at, says),
    };
    if rule == 0 || rule == 46 {
        settled
    } else {
        rule
    }
}

fn others(facts: &mut Facts, at: Timestamp, says: &Says) -> u8 {
    match says {
        Says::Compacting => {
            facts.compacting = Some(at);
            32
        }
        Says::Compacted => {
            facts.compacting = None;
            facts.text_is_last = false;
            32
        }
        Says::ChildActs { agent } => {
            facts.close_dialogs(Some(agent), at);
            36
        }
        Says::ChildEnded { agent } => {
            prompts::child_ended(facts, agent);
            34
        }
        Says::Looked => {
            facts.unseen = false;
            0
        }
        _ => 0,
    }
}
