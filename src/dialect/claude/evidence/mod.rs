//! What a record shows that is no event: pure functions of one record.

#[cfg(test)]
mod tests;

use crate::event::{Shows, TitleKind, ToolOutcome, Usage, storable};

use super::{
    detail::{ErrorType, Full, Maybe, Scalar},
    json::{Block, Content},
    record::{Message, Record, Tokens},
};

const INTERRUPTED: &str = "[Request interrupted by user";
/// How a refused call begins that the CLI does not mark as such yet.
const REFUSED: &str = "The user doesn't want to proceed with this tool use";

/// All that a record shows.
pub fn of(record: &Record<Full>) -> Vec<Shows> {
    let mut all = Vec::new();
    match record.kind.as_deref() {
        Some("assistant") => reply(record, &mut all),
        Some("user") => prompt(record, &mut all),
        Some("system") => all.extend(system(record)),
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
    all.extend(forked(record));
    all
}

fn reply(record: &Record<Full>, all: &mut Vec<Shows>) {
    let Some(message) = &record.message else {
        return;
    };
    if record.is_api_error == Some(true) {
        all.push(Shows::ApiError {
            kind: record.error.as_ref().and_then(kind_of),
            retry: None,
        });
        return;
    }
    for block in blocks(message).iter().filter(|block| is(block, "tool_use")) {
        all.extend(call(block));
    }
    all.extend(usage(message));
    all.extend(text(&message.stop_reason).map(|reason| Shows::Stop { reason }));
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
        model: message
            .model
            .as_ref()
            .and_then(|model| model.0.clone())
            .map(storable),
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
        all.extend(result(record, block));
    }
    if starts_with(message, INTERRUPTED) {
        all.push(Shows::Interruption {
            message_id: text(&record.interrupted),
        });
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

fn system(record: &Record<Full>) -> Option<Shows> {
    match record.subtype.as_ref()?.text()? {
        "turn_duration" | "stop_hook_summary" => Some(Shows::TurnEnd {
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
    let text = text(field)?;
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

fn number(field: &Option<Scalar>) -> u64 {
    field.as_ref().and_then(Scalar::number).unwrap_or(0)
}
