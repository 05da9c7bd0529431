//! What was put to the agent, and by what: a pure function of one record.

use crate::event::{Origin, PromptKind, Prompted, Shows, storable};

use super::{
    super::{
        detail::{Detail, Full},
        json::{Block, Content, Kind, Lenient},
        record::Record,
    },
    head, text,
};

/// The words' beginning that is kept.
const MAX_CHARS: usize = 400;
const CONTINUED: &str = "This session is being continued from a previous conversation";
/// Words of the CLI that begin so tell the agent what it must do now.
const WANTED: [&str; 2] = ["Stop hook feedback", "A session-scoped Stop hook"];
/// Words of the CLI that begin so set nothing to work.
const ASIDE: [&str; 4] = [
    "<",
    "Caveat:",
    "[Image",
    // It stands before what the CLI answers by itself, after a resume.
    "Continue from where you left off",
];
const OUTPUTS: [(&str, bool); 4] = [
    ("<bash-stdout>", true),
    ("<bash-stderr>", true),
    ("<local-command-stdout>", false),
    ("<local-command-stderr>", false),
];

/// What a user record puts in, if it is no tool's result.
pub fn of_record(record: &Record<Full>) -> Option<Shows> {
    let content = record.message.as_ref()?.content.as_ref()?;
    let is = |flag: Option<bool>| flag == Some(true);
    if is(record.is_summary) || is(record.is_transcript_only) {
        return Some(Shows::Summary);
    }
    if lenient(&record.source_tool_use).is_some() || has(content, "tool_result") {
        return None;
    }
    let words = words(content);
    let start = words.trim_start();
    if start.is_empty() && (is(record.is_meta) || !has_picture(content)) {
        return None;
    }
    if is(record.is_meta) {
        return injected(record, start);
    }
    if start.starts_with(CONTINUED) {
        return Some(Shows::Summary);
    }
    if let Some((_, shell)) = OUTPUTS.iter().find(|(tag, _)| start.starts_with(tag)) {
        return Some(Shows::Output { shell: *shell });
    }
    typed(record, start)
}

/// What reached the agent at work: it exists only as an attachment.
pub fn of_attachment(record: &Record<Full>) -> Option<Shows> {
    let attachment = record.attachment.as_ref()?;
    if attachment.kind.as_deref() != Some("queued_command") {
        return None;
    }
    let words = words(attachment.prompt.as_ref()?);
    let by = match lenient(&attachment.mode) {
        Some("task-notification") => Origin::Task,
        _ => origin(&attachment.origin, Origin::Queued),
    };
    Some(prompted(
        record,
        PromptKind::MidTurn,
        by,
        words.trim_start(),
    ))
}

fn injected(record: &Record<Full>, start: &str) -> Option<Shows> {
    if ASIDE.iter().any(|aside| start.starts_with(aside)) {
        return None;
    }
    let wanted = WANTED.iter().any(|wanted| start.starts_with(wanted));
    let by = if wanted {
        Origin::Hook
    } else {
        Origin::Unknown
    };
    Some(prompted(record, PromptKind::Injected, by, start))
}

fn typed(record: &Record<Full>, start: &str) -> Option<Shows> {
    let by = match lenient(&record.prompt_source) {
        Some("queued") => Origin::Queued,
        Some("system") => origin(&record.origin, Origin::Unknown),
        _ => origin(&record.origin, Origin::Human),
    };
    let command = || tagged(start, "<command-name>").unwrap_or_default();
    let (kind, by, words) = match start {
        _ if start.starts_with("<task-notification>") => (PromptKind::Words, Origin::Task, start),
        _ if start.starts_with("<teammate-message") => (PromptKind::Words, Origin::Peer, start),
        _ if start.starts_with("<command-message>") => (PromptKind::Skill, by, command()),
        _ if start.starts_with("<command-name>") => (PromptKind::BuiltIn, by, command()),
        _ if start.starts_with("<user-memory-input>") => (PromptKind::BuiltIn, by, "#"),
        _ if start.starts_with("<bash-input>") => (PromptKind::Shell, by, start),
        _ if [
            "<system-reminder>",
            "<local-command-caveat>",
            "Caveat: The messages below",
        ]
        .iter()
        .any(|aside| start.starts_with(aside)) =>
        {
            return None;
        }
        _ => (PromptKind::Words, by, start),
    };
    Some(prompted(record, kind, by, words))
}

fn prompted(record: &Record<Full>, kind: PromptKind, by: Origin, words: &str) -> Shows {
    Shows::Prompted(Prompted {
        kind,
        by,
        text: head(words, MAX_CHARS),
        prompt_id: text(&record.prompt_id),
        uuid: record.uuid.clone().map(storable),
        headless: lenient(&record.prompt_source) == Some("sdk")
            || text(&record.entrypoint).is_some_and(|name| name.starts_with("sdk")),
    })
}

/// What newer versions say of where a prompt came from.
fn origin(field: &Option<Kind>, unsaid: Origin) -> Origin {
    let kind = field.as_ref().and_then(|origin| origin.0.as_deref());
    match kind {
        None | Some("human") => unsaid,
        Some("task-notification") => Origin::Task,
        Some("peer" | "coordinator" | "channel" | "teammate") => Origin::Peer,
        Some(kind) if kind.contains("schedule") || kind.contains("cron") => Origin::Cron,
        Some(_) => Origin::Unknown,
    }
}

/// The text blocks, without what the editor added.
fn words<D: Detail>(content: &Content<D>) -> String {
    match content {
        Content::Text(text) => text.clone(),
        Content::Blocks(blocks) => blocks
            .iter()
            .filter(|block| is(block, "text"))
            .filter_map(|block| block.text.as_deref())
            .filter(|text| !text.starts_with("<ide_"))
            .collect(),
    }
}

/// What stands behind a tag, up to the next.
fn tagged<'a>(text: &'a str, tag: &str) -> Option<&'a str> {
    let rest = &text[text.find(tag)? + tag.len()..];
    Some(rest[..rest.find('<').unwrap_or(rest.len())].trim())
}

fn has_picture(content: &Content<Full>) -> bool {
    has(content, "image") || has(content, "document")
}

fn has(content: &Content<Full>, kind: &str) -> bool {
    match content {
        Content::Blocks(blocks) => blocks.iter().any(|block| is(block, kind)),
        Content::Text(_) => false,
    }
}

fn is<D: Detail>(block: &Block<D>, kind: &str) -> bool {
    block.kind.as_deref() == Some(kind)
}

fn lenient(field: &Option<Lenient>) -> Option<&str> {
    field.as_ref()?.0.as_deref()
}
