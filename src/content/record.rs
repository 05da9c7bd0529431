//! What a line says beside a turn: pure functions of one line. What is malformed says
//! nothing.

use serde::Deserialize;
use serde_json::{Map, Value, json, value::RawValue};

use super::marks::{Mark, MarkedAt, Marks};
use crate::event::Timestamp;

/// Characters of one part that are given.
const PART_CHARS: usize = 20_000;
/// The most parts of an input or a result.
const PARTS: usize = 40;
/// Characters of a thought, or of what the CLI said, that are given.
const THOUGHT_CHARS: usize = 8_000;

/// What a call was given, and what came back.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Call {
    pub input: Option<Parts>,
    /// Of an edit, the lines of its change, each with ` `, `+`, `-` or `@` before it.
    pub change: Vec<String>,
    /// How many lines of the change are left out.
    pub change_left_out: usize,
    pub result: Option<Parts>,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Parts {
    pub given: Vec<Part>,
    /// How many parts are left out.
    pub left_out: usize,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Part {
    /// The name of a field; none of a text that has none.
    pub name: Option<String>,
    pub text: String,
    /// How many characters are left out.
    pub left_out: usize,
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(default, rename = "type")]
    kind: Option<Value>,
    timestamp: Option<String>,
    #[serde(default, borrow)]
    message: Option<&'a RawValue>,
    #[serde(default)]
    subtype: Option<Value>,
    #[serde(default, rename = "compactMetadata")]
    compaction: Option<Value>,
    #[serde(default, rename = "isApiErrorMessage")]
    is_error: Option<Value>,
    #[serde(default, rename = "toolUseResult", borrow)]
    result: Option<&'a RawValue>,
    #[serde(default, rename = "forkedFrom")]
    forked: Option<Value>,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    content: Value,
}

/// The one field of a tool's result that is needed; the file's own text is passed over.
#[derive(Deserialize)]
struct Changed {
    #[serde(rename = "structuredPatch")]
    patch: Vec<Hunk>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Hunk {
    #[serde(default)]
    old_start: u64,
    #[serde(default)]
    new_start: u64,
    lines: Vec<String>,
}

/// Adds what a line says of the call of this id.
pub fn take_call(line: &[u8], id: &str, call: &mut Call) {
    let Some((line, blocks)) = read(line) else {
        return;
    };
    for block in &blocks {
        match word(block, "type") {
            Some("tool_use") if word(block, "id") == Some(id) => {
                call.input = Some(input(&block["input"]));
            }
            Some("tool_result") if word(block, "tool_use_id") == Some(id) => {
                call.result = Some(parts(&block["content"]));
                // Most calls change no lines.
                let patch = line.patch().unwrap_or_default();
                (call.change, call.change_left_out) = change(&patch);
            }
            _ => {}
        }
    }
}

/// Adds what a line says between the turns, and in words if they are wanted.
pub fn take_marks(line: &[u8], offset: u64, with_words: bool, marks: &mut Marks) {
    let Some((line, blocks)) = read(line) else {
        return;
    };
    let at = line.timestamp.as_deref().and_then(Timestamp::parse);
    let Some(at) = at else {
        return;
    };
    let mut mark = |mark| marks.marks.push(MarkedAt { offset, at, mark });
    if line.subtype.as_ref().and_then(Value::as_str) == Some("compact_boundary") {
        let about = line.compaction.as_ref();
        mark(Mark::Compaction {
            trigger: about.and_then(|about| word(about, "trigger").map(str::to_owned)),
            tokens: about.and_then(|about| about["preTokens"].as_u64()),
        });
    }
    let is_users = line.kind.as_ref().and_then(Value::as_str) == Some("user");
    for block in &blocks {
        match word(block, "type") {
            Some("thinking") => match word(block, "thinking").map(str::trim) {
                None | Some("") => {}
                Some(thought) => mark(Mark::Thought(head(thought, THOUGHT_CHARS).0)),
            },
            Some("text") if line.is_error == Some(Value::Bool(true)) => {
                let said = word(block, "text").unwrap_or_default();
                mark(Mark::Error(head(said, THOUGHT_CHARS).0));
            }
            Some("text") if with_words => match word(block, "text").map(str::trim) {
                None | Some("") => {}
                Some(text) if is_users => mark(Mark::Task(head(text, PART_CHARS).0)),
                Some(text) => mark(Mark::Said(head(text, PART_CHARS).0)),
            },
            Some("tool_result") => {
                let id = word(block, "tool_use_id");
                if let (Some(id), Some(patch)) = (id, line.patch()) {
                    marks.changes.insert(id.to_owned(), counts(&patch));
                }
            }
            _ => {}
        }
    }
}

/// The session that a copied line is from.
pub fn origin(line: &[u8]) -> Option<String> {
    let (line, _) = read(line)?;
    word(line.forked.as_ref()?, "sessionId").map(str::to_owned)
}

fn read(line: &[u8]) -> Option<(Line<'_>, Vec<Value>)> {
    let line: Line<'_> = serde_json::from_slice(line).ok()?;
    let message = line.message.map(RawValue::get);
    let message: Option<Message> = message.and_then(|text| serde_json::from_str(text).ok());
    let blocks = match message.map(|message| message.content) {
        Some(Value::Array(blocks)) => blocks,
        Some(Value::String(text)) => vec![json!({"type": "text", "text": text})],
        _ => Vec::new(),
    };
    Some((line, blocks))
}

impl Line<'_> {
    /// The change of an edit; none where nothing was there before.
    fn patch(&self) -> Option<Vec<Hunk>> {
        let changed: Changed = serde_json::from_str(self.result?.get()).ok()?;
        (!changed.patch.is_empty()).then_some(changed.patch)
    }
}

fn input(input: &Value) -> Parts {
    match input {
        Value::Object(fields) => first(fields.iter().map(field)),
        other => parts(other),
    }
}

fn first(parts: impl ExactSizeIterator<Item = Part>) -> Parts {
    Parts {
        left_out: parts.len().saturating_sub(PARTS),
        given: parts.take(PARTS).collect(),
    }
}

fn field((name, value): (&String, &Value)) -> Part {
    Part {
        name: Some(head(name, 80).0),
        ..part(value)
    }
}

/// A result is a text, or blocks of which some have text.
fn parts(content: &Value) -> Parts {
    match content {
        Value::Null => Parts::default(),
        Value::Array(blocks) => first(blocks.iter().map(block)),
        other => first(std::iter::once(part(other))),
    }
}

fn block(block: &Value) -> Part {
    match (word(block, "type"), block) {
        (Some("text"), _) => part(&block["text"]),
        (Some(kind), Value::Object(fields)) => other_block(kind, fields),
        _ => part(block),
    }
}

/// An image, say: what it is, and how long.
fn other_block(kind: &str, fields: &Map<String, Value>) -> Part {
    let source = fields.get("source");
    let media = source.and_then(|source| word(source, "media_type"));
    let data = source.and_then(|source| word(source, "data"));
    let Some(data) = data else {
        return part(&Value::Object(fields.clone()));
    };
    let kind = media.unwrap_or(kind);
    let bytes = data.len() / 4 * 3;
    Part {
        name: None,
        text: format!("[{}, {bytes} bytes]", head(kind, 80).0),
        left_out: 0,
    }
}

fn part(value: &Value) -> Part {
    let text = match value {
        Value::String(text) => text.clone(),
        other => serde_json::to_string_pretty(other).unwrap_or_default(),
    };
    let (text, left_out) = head(&text, PART_CHARS);
    Part {
        name: None,
        text,
        left_out,
    }
}

/// The first lines of a change, and how many are left out.
fn change(patch: &[Hunk]) -> (Vec<String>, usize) {
    let (mut left, mut left_out) = (PART_CHARS, 0);
    let mut lines = Vec::new();
    for hunk in patch {
        let begin = format!("@ {} → {}", hunk.old_start, hunk.new_start);
        for line in std::iter::once(&begin).chain(&hunk.lines) {
            if left == 0 {
                left_out += 1;
                continue;
            }
            let (line, _) = head(line, left);
            // The end of a line counts, so that empty ones have a bound as well.
            left -= (line.chars().count() + 1).min(left);
            lines.push(line);
        }
    }
    (lines, left_out)
}

/// Lines added and removed.
fn counts(patch: &[Hunk]) -> (usize, usize) {
    let with = |mark: char| {
        let lines = patch.iter().flat_map(|hunk| &hunk.lines);
        lines.filter(|line| line.starts_with(mark)).count()
    };
    (with('+'), with('-'))
}

fn word<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name)?.as_str()
}

/// The first characters, and how many are left out.
fn head(text: &str, chars: usize) -> (String, usize) {
    match text.char_indices().nth(chars) {
        None => (text.to_owned(), 0),
        Some((end, _)) => (text[..end].to_owned(), text[end..].chars().count()),
    }
}
