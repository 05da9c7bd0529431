//! From what is read to inputs: evidence of a transcript, hooks, observations.

use serde_json::{Map, Value};

use crate::{
    event::{
        Evidence, HookReceived, ObservedStatus, SessionObserved, Shows, TELLING, Timestamp,
        ToolOutcome,
    },
    meaning,
};

use super::input::{Call, Input, Prompt, Queue, Running, Says, Stop, Text, Witness};

/// The longest words that are kept of what is asked.
const MAX_CHARS: usize = 200;

/// Which agent an input is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    Session,
    /// A subagent of it, by its id.
    Child(String),
}

/// What a transcript's evidence says.
pub fn evidence(evidence: &Evidence) -> Option<Input> {
    let is_origin = matches!(evidence.shows, Shows::ForkedFrom { .. });
    if evidence.in_sidechain || (evidence.is_copied && !is_origin) {
        return None;
    }
    let says = match &evidence.shows {
        Shows::Prompted(prompted) => Says::Prompt(Prompt {
            kind: prompted.kind,
            by: prompted.by,
            text: prompted.text.clone(),
            prompt_id: prompted.prompt_id.clone(),
            uuid: prompted.uuid.clone(),
            headless: prompted.headless,
        }),
        Shows::ToolCall {
            tool_use_id,
            name,
            argument,
        } => Says::Called(Call {
            id: tool_use_id.clone(),
            name: name.clone(),
            asks: argument.clone(),
        }),
        Shows::Refusal {
            tool_use_id,
            with_reason,
        } => Says::Refused {
            id: tool_use_id.clone(),
            with_reason: *with_reason,
        },
        // Its refusal says it.
        Shows::ToolResult {
            outcome: ToolOutcome::Denied,
            ..
        } => return None,
        Shows::ToolResult { tool_use_id, .. } => Says::Returned {
            id: tool_use_id.clone(),
        },
        Shows::Interruption { .. } => Says::Interrupted,
        Shows::Thinking => Says::Thought,
        Shows::Text {
            message_id,
            words,
            stop,
        } => Says::Text(Text {
            message_id: message_id.clone(),
            stop: stop_of(stop.as_deref()),
            words: words.clone(),
        }),
        Shows::ApiError {
            retry: Some((number, of)),
            ..
        } => Says::Retrying {
            number: *number,
            of: *of,
        },
        Shows::ApiError { kind, retry: None } => Says::Failed {
            kind: kind.clone(),
            text: None,
        },
        Shows::ErrorText { text } => Says::Failed {
            kind: None,
            text: Some(text.clone()),
        },
        Shows::Queue { operation } => Says::Queue(match operation.as_str() {
            "enqueue" => Queue::Enqueue,
            "dequeue" => Queue::Dequeue,
            _ => Queue::Remove,
        }),
        Shows::TurnEnd { background } => ended(Some(Running {
            tasks: Vec::new(),
            working: *background,
        })),
        Shows::StopHook => ended(None),
        Shows::Compaction { .. } => Says::Compacted,
        Shows::Output { shell } => Says::Output { shell: *shell },
        Shows::Filler => Says::Filler,
        _ => return None,
    };
    Some(Input {
        at: evidence.moment.at,
        witness: Witness::Transcript,
        says,
    })
}

fn ended(background: Option<Running>) -> Says {
    Says::Ended {
        prompt_id: None,
        last: None,
        background,
    }
}

fn stop_of(reason: Option<&str>) -> Stop {
    match reason {
        None => Stop::Unsaid,
        Some("tool_use" | "pause_turn") => Stop::GoesOn,
        Some(_) => Stop::Ends,
    }
}

/// What a hook says, of its session and of a subagent.
pub fn hook(hook: &HookReceived, at: Timestamp) -> Vec<(Whose, Input)> {
    let field = |name: &str| text(&hook.fields, name);
    let child = field("agent_id");
    let input = |says| Input {
        at,
        witness: Witness::Hook,
        says,
    };
    if child.is_some() && field("agent_type").is_some_and(|kind| kind.is_empty()) {
        // An agent of the CLI's own: it shortens a conversation, or warms up.
        return Vec::new();
    }
    let own = own(hook);
    let Some(agent) = child else {
        return own
            .into_iter()
            .map(|says| (Whose::Session, input(says)))
            .collect();
    };
    let of_session = match (&own, hook.hook_type.as_str()) {
        (Some(Says::Asked { tool, asks, .. }), _) => Some(Says::Asked {
            agent: Some(agent.clone()),
            tool: tool.clone(),
            asks: asks.clone(),
        }),
        (_, "SubagentStop") => Some(Says::ChildEnded {
            agent: agent.clone(),
        }),
        (_, "PostToolUse" | "PostToolUseFailure" | "PermissionDenied") => Some(Says::ChildActs {
            agent: agent.clone(),
        }),
        _ => None,
    };
    let of_session = of_session.map(|says| (Whose::Session, input(says)));
    let of_child = own.map(|says| (Whose::Child(agent), input(says)));
    of_session.into_iter().chain(of_child).collect()
}

/// What a hook says of the agent it names.
fn own(hook: &HookReceived) -> Option<Says> {
    let field = |name: &str| text(&hook.fields, name);
    let tool = || field("tool_name");
    let call = || field("tool_use_id");
    let asks = || {
        let input = hook.fields.get("tool_input").and_then(Value::as_object);
        input.and_then(telling)
    };
    Some(match hook.hook_type.as_str() {
        "UserPromptSubmit" => {
            let text = field("prompt").filter(|text| !text.starts_with("<task-notification>"))?;
            Says::Submitted {
                prompt_id: field("prompt_id"),
                text: head(&text, 400),
            }
        }
        "PreToolUse" => Says::Called(Call {
            id: call()?,
            name: tool()?,
            asks: asks(),
        }),
        "PostToolUseFailure" if hook.fields.get("is_interrupt") == Some(&Value::Bool(true)) => {
            Says::Interrupted
        }
        "PostToolUse" | "PostToolUseFailure" | "PermissionDenied" => Says::Returned { id: call()? },
        "PermissionRequest" => Says::Asked {
            agent: None,
            tool: tool()?,
            asks: asks(),
        },
        "Notification" => Says::Notified {
            kind: field("notification_type")?,
        },
        "Stop" | "SubagentStop" => Says::Ended {
            prompt_id: field("prompt_id").filter(|_| hook.hook_type == "Stop"),
            last: field("last_assistant_message").map(|text| meaning::of(&text)),
            background: (hook.hook_type == "Stop").then(|| running(&hook.fields)),
        },
        "StopFailure" => Says::Failed {
            kind: field("error"),
            text: field("last_assistant_message").map(|text| head(&text, MAX_CHARS)),
        },
        "SubagentStart" if field("agent_id").is_some() => Says::Started,
        "PreCompact" => Says::Compacting,
        "PostCompact" => Says::Compacted,
        "SessionStart" => Says::Begun {
            source: field("source").unwrap_or_default(),
        },
        "SessionEnd" => Says::Over,
        _ => return None,
    })
}

/// What the registry said of a process.
pub fn observation(observed: &SessionObserved, at: Timestamp) -> Input {
    // Early versions do not say when their process began: then its number is all.
    let started = observed.process_started.as_deref().unwrap_or_default();
    let process = format!("{}/{started}", observed.pid);
    let (witness, says) = match observed.status {
        ObservedStatus::Gone => (Witness::Process, Says::Gone { process }),
        status => {
            let waiting_for = observed.waiting_for.clone();
            let says = Says::Status {
                status,
                waiting_for,
                process,
            };
            (Witness::Registry, says)
        }
    };
    Input { at, witness, says }
}

/// A subagent's own input, as far as it says something of its session.
pub fn of_child(input: &Input, agent: &str) -> Option<Input> {
    let acts = matches!(
        input.says,
        Says::Returned { .. } | Says::Refused { .. } | Says::Thought | Says::Text(_)
    );
    acts.then(|| Input {
        says: Says::ChildActs {
            agent: agent.to_owned(),
        },
        ..input.clone()
    })
}

/// A session's own input, as far as it says something of its subagents: the
/// registry speaks of the process they share, though not of which one waits.
pub fn of_session(input: &Input) -> Option<Input> {
    let shared = match &input.says {
        Says::Status { status, .. } => {
            matches!(status, ObservedStatus::Busy | ObservedStatus::Idle)
        }
        Says::Gone { .. } | Says::Over | Says::Exited | Says::TimedOut => true,
        Says::Prompt(prompt) if prompt.leaves() => {
            return Some(Input {
                says: Says::Over,
                ..input.clone()
            });
        }
        _ => false,
    };
    shared.then(|| input.clone())
}

/// What runs on when a turn stops: a lone shell or monitor is no work.
fn running(fields: &Map<String, Value>) -> Running {
    let list = |name: &str| fields.get(name).and_then(Value::as_array).cloned();
    let tasks: Vec<(String, String)> = list("background_tasks")
        .unwrap_or_default()
        .iter()
        .filter_map(Value::as_object)
        .map(|task| {
            let field = |name: &str| text(task, name).unwrap_or_default();
            (field("id"), field("type"))
        })
        .collect();
    let at_rest = |kind: &str| matches!(kind, "shell" | "monitor" | "");
    let working = tasks.iter().filter(|(_, kind)| !at_rest(kind)).count() as u64;
    Running { tasks, working }
}

/// The field of a tool's input that says most, as a call's evidence has it.
fn telling(input: &Map<String, Value>) -> Option<String> {
    TELLING.iter().find_map(|name| match input.get(*name)? {
        Value::String(text) => Some(head(text, MAX_CHARS)),
        Value::Array(list) => list
            .iter()
            .find_map(question)
            .map(|text| head(&text, MAX_CHARS)),
        _ => None,
    })
}

/// A question, with the answers it offers.
fn question(piece: &Value) -> Option<String> {
    let piece = piece.as_object()?;
    let question = text(piece, "text").or_else(|| text(piece, "question"))?;
    let options = piece.get("options").and_then(Value::as_array);
    let labels: Vec<String> = options
        .into_iter()
        .flatten()
        .filter_map(|option| text(option.as_object()?, "label"))
        .collect();
    Some(match labels.is_empty() {
        true => question,
        false => format!("{question} ({})", labels.join(" / ")),
    })
}

fn text(fields: &Map<String, Value>, name: &str) -> Option<String> {
    fields.get(name)?.as_str().map(str::to_owned)
}

fn head(text: &str, chars: usize) -> String {
    let end = text.char_indices().nth(chars);
    text[..end.map_or(text.len(), |(at, _)| at)].to_owned()
}
