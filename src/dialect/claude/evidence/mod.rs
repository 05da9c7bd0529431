//! What a record shows that is no event: pure functions of one record.

mod prompt;
#[cfg(test)]
mod tests;
mod work;

use crate::{
    event::{Shows, TitleKind, ToolOutcome, Usage, storable},
    meaning,
};

use super::{
    detail::{ErrorType, Full, Maybe, Scalar},
    json::{Block, Content},
    record::{Message, Record, Tokens},
    said::Said,
};

/// The model's name in what the CLI itself wrote in the agent's place.
const SYNTHETIC: &str = "<synthetic>";
const INTERRUPTED: &str = "[Request interrupted by user";
/// How a refused call begins that the CLI does not mark as such yet.
const REFUSED: &str = "The user doesn't want to proceed with this tool use";
/// What a refused call says if the agent is to go on.
const REASON: [&str; 2] = [
    "The user provided the following reason",
    "To tell you how to proceed, the user said",
];
/// What the CLI answers for an agent that was not asked.
const FILLER: &str = "No response requested.";
/// The end of a text that is kept: what it asks or announces stands there.
const END_CHARS: usize = 1000;

/// All that a record shows beside what it says.
pub fn of(record: &Record<Full>, said: &Said) -> Vec<Shows> {
    let mut all: Vec<Shows> = forked(record).into_iter().collect();
    match record.kind.as_deref() {
        Some("assistant") => reply(record, &mut all),
        Some("user") => prompt(record, &mut all),
        Some("system") => all.extend(system(record)),
        Some("attachment") => attachment(record, &mut all),
        Some("progress") if is_stop_hook(record) => all.push(Shows::StopHook),
        Some("queue-operation") => {
            all.extend(text(&record.operation).map(|operation| Shows::Queue { operation }));
        }
        Some("custom-title") => all.extend(title(TitleKind::Custom, &record.custom_title)),
        Some("ai-title") => all.extend(title(TitleKind::Ai, &record.ai_title)),
        Some("agent-name") => all.extend(title(TitleKind::Agent, &record.agent_name)),
        Some("permission-mode") => {
            all.extend(text(&record.permission_mode).map(|mode| Shows::PermissionMode { mode }));
        }
        _ => {}
    }
    all.extend(work::title(record, said));
    all
}

fn reply(record: &Record<Full>, all: &mut Vec<Shows>) {
    let Some(message) = &record.message else {
        return;
    };
    if record.is_api_error == Some(true) {
        let said = texts(message).next().map(|text| head(text, 200));
        all.extend(said.map(|text| Shows::ErrorText { text }));
        all.push(Shows::ApiError {
            kind: record.error.as_ref().and_then(kind_of),
            retry: None,
        });
        return;
    }
    for block in blocks(message).iter().filter(|block| is(block, "tool_use")) {
        all.extend(call(block));
        all.extend(work::todos(block));
    }
    all.extend(usage(message));
    all.extend(text(&message.stop_reason).map(|reason| Shows::Stop { reason }));
    said(message, all);
}

/// What a reply says and thinks. A text without words is only a sign of life.
fn said(message: &Message<Full>, all: &mut Vec<Shows>) {
    let model = message.model.as_ref().and_then(|model| model.0.as_deref());
    let by_cli = model == Some(SYNTHETIC);
    let thinks = |block: &Block<Full>| {
        let kind = block.kind.as_deref().unwrap_or_default();
        kind.ends_with("thinking")
    };
    if blocks(message).iter().any(thinks) {
        all.push(Shows::Thinking);
    }
    for words in texts(message) {
        all.push(match words.trim() {
            "" => Shows::Thinking,
            FILLER if by_cli => Shows::Filler,
            words => Shows::Text {
                message_id: message.id.clone(),
                words: meaning::of(&tail(words, END_CHARS)),
                // It says `stop_sequence` of what was cut by an interruption.
                stop: text(&message.stop_reason).filter(|_| !by_cli),
            },
        });
    }
}

fn call(block: &Block<Full>) -> Option<Shows> {
    let argument = match &block.input {
        Some(Maybe(Some(input))) => input.first().map(|text| storable(text.to_owned())),
        _ => None,
    };
    Some(Shows::ToolCall {
        tool_use_id: text(&block.id)?,
        name: text(&block.name)?,
        argument,
    })
}

/// The last of a message's records counts; copies of it count once.
fn usage(message: &Message<Full>) -> Option<Shows> {
    let model = message.model.as_ref().and_then(|model| model.0.clone());
    if model.as_deref() == Some(SYNTHETIC) {
        return None;
    }
    let Some(Maybe(Some(tokens))) = &message.usage else {
        return None;
    };
    let Tokens {
        input,
        output,
        cache_read,
        cache_write,
    } = tokens;
    Some(Shows::Usage(Usage {
        message_id: message.id.clone()?,
        model: model.map(storable),
        input: number(input),
        output: number(output),
        cache_read: number(cache_read),
        cache_write: number(cache_write),
    }))
}

fn prompt(record: &Record<Full>, all: &mut Vec<Shows>) {
    let Some(message) = &record.message else {
        return;
    };
    for block in blocks(message)
        .iter()
        .filter(|block| is(block, "tool_result"))
    {
        let result = result(record, block);
        all.extend(refusal(block, &result));
        all.extend(result);
    }
    all.extend(work::task(record));
    all.extend(work::started(record));
    if starts_with(message, INTERRUPTED) {
        all.push(Shows::Interruption {
            message_id: text(&record.interrupted),
        });
    } else {
        all.extend(prompt::of_record(record));
    }
    all.extend(text(&record.prompt_id).map(|prompt_id| Shows::Prompt { prompt_id }));
    all.extend(text(&record.permission_mode).map(|mode| Shows::PermissionMode { mode }));
}

fn result(record: &Record<Full>, block: &Block<Full>) -> Option<Shows> {
    let head = block.content.as_ref().and_then(|head| head.0.as_deref());
    let refused = record.denial.is_some() || head.is_some_and(|text| text.starts_with(REFUSED));
    let is_error = matches!(block.is_error, Some(Scalar::Flag(true)));
    Some(Shows::ToolResult {
        tool_use_id: text(&block.tool_use_id)?,
        outcome: match is_error {
            true if refused => ToolOutcome::Denied,
            true => ToolOutcome::Error,
            false => ToolOutcome::Ok,
        },
    })
}

/// A refusal without a reason ends the turn; with one the agent goes on.
fn refusal(block: &Block<Full>, result: &Option<Shows>) -> Option<Shows> {
    let Some(Shows::ToolResult {
        tool_use_id,
        outcome: ToolOutcome::Denied,
    }) = result
    else {
        return None;
    };
    let text = block.content.as_ref().and_then(|head| head.0.as_deref());
    let with_reason = text.is_some_and(|text| REASON.iter().any(|reason| text.contains(reason)));
    Some(Shows::Refusal {
        tool_use_id: tool_use_id.clone(),
        with_reason,
    })
}

fn attachment(record: &Record<Full>, all: &mut Vec<Shows>) {
    let hook = record
        .attachment
        .as_ref()
        .and_then(|attachment| attachment.hook_event.as_ref()?.0.as_deref());
    if hook == Some("Stop") {
        all.push(Shows::StopHook);
    }
    all.extend(prompt::of_attachment(record));
}

fn is_stop_hook(record: &Record<Full>) -> bool {
    match &record.data {
        Some(Maybe(Some(progress))) => {
            progress.hook_event.as_ref().and_then(Scalar::text) == Some("Stop")
        }
        _ => false,
    }
}

/// The oldest versions have no subtype, and say what a hook did in words.
fn hook_line(record: &Record<Full>) -> Option<Shows> {
    let line = record.content.as_ref()?.0.as_deref()?;
    let line = line.trim_start_matches("\u{1b}[1m");
    let is_stop = line.starts_with("Stop\u{1b}[22m") || line.starts_with("Stop [");
    is_stop.then_some(Shows::StopHook)
}

fn system(record: &Record<Full>) -> Option<Shows> {
    let Some(subtype) = record.subtype.as_ref() else {
        return hook_line(record);
    };
    match subtype.text()? {
        "local_command" => Some(Shows::Output { shell: false }),
        "stop_hook_summary" => Some(Shows::StopHook),
        "turn_duration" => Some(Shows::TurnEnd {
            background: number(&record.background_agents) + number(&record.background_workflows),
        }),
        "api_error" => Some(Shows::ApiError {
            kind: record.error.as_ref().and_then(kind_of),
            retry: Some((number(&record.retry_attempt), number(&record.max_retries))),
        }),
        "compact_boundary" => Some(Shows::Compaction {
            trigger: match &record.compaction {
                Some(Maybe(Some(compaction))) => text(&compaction.trigger),
                _ => None,
            },
        }),
        _ => None,
    }
}

fn title(kind: TitleKind, field: &Option<Scalar>) -> Option<Shows> {
    let text = work::first_line(&text(field)?)?;
    Some(Shows::Title { kind, text })
}

fn forked(record: &Record<Full>) -> Option<Shows> {
    let Some(Maybe(Some(fork))) = &record.forked_from else {
        return None;
    };
    let session_uuid = text(&fork.session_id)?;
    Some(Shows::ForkedFrom { session_uuid })
}

fn kind_of(error: &ErrorType) -> Option<String> {
    error.0.clone().map(storable)
}

fn blocks(message: &Message<Full>) -> &[Block<Full>] {
    match &message.content {
        Some(Content::Blocks(blocks)) => blocks,
        _ => &[],
    }
}

fn is(block: &Block<Full>, kind: &str) -> bool {
    block.kind.as_deref() == Some(kind)
}

fn texts(message: &Message<Full>) -> impl Iterator<Item = &str> {
    let whole = match &message.content {
        Some(Content::Text(text)) => Some(text.as_str()),
        _ => None,
    };
    let blocks = blocks(message).iter().filter(|block| is(block, "text"));
    let parts = blocks.filter_map(|block| block.text.as_deref());
    whole.into_iter().chain(parts)
}

fn starts_with(message: &Message<Full>, beginning: &str) -> bool {
    match &message.content {
        Some(Content::Text(text)) => text.starts_with(beginning),
        Some(Content::Blocks(blocks)) => blocks
            .iter()
            .filter_map(|block| block.text.as_deref())
            .any(|text| text.starts_with(beginning)),
        None => false,
    }
}

fn text(field: &Option<Scalar>) -> Option<String> {
    let text = field.as_ref()?.text().filter(|text| !text.is_empty())?;
    Some(storable(text.to_owned()))
}

/// The first characters, at most so many.
fn head(text: &str, chars: usize) -> String {
    let end = text.char_indices().nth(chars);
    storable(text[..end.map_or(text.len(), |(at, _)| at)].to_owned())
}

/// The last characters, at most so many.
fn tail(text: &str, chars: usize) -> String {
    let start = text.char_indices().nth_back(chars - 1);
    storable(text[start.map_or(0, |(at, _)| at)..].to_owned())
}

fn number(field: &Option<Scalar>) -> u64 {
    field.as_ref().and_then(Scalar::number).unwrap_or(0)
}
