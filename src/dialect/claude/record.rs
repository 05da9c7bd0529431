//! From a line to a record: the fields we know of it.

use std::io::BufRead;

use crate::event::storable;

use super::{
    detail::{Detail, ErrorType, Maybe, Plain, Scalar, TaskResult, TextHead},
    json::{Content, Kind, Lenient, object},
    known_types,
    repair::Repaired,
};

object! {
    /// The fields we know of a record; the format has many more and will grow.
    pub struct Record<D: Detail> {
        kind: String = "type",
        uuid: String = "uuid",
        timestamp: Lenient = "timestamp",
        session_id: String = "sessionId",
        cwd: String = "cwd",
        agent_id: String = "agentId",
        is_sidechain: bool = "isSidechain",
        is_meta: bool = "isMeta",
        is_summary: bool = "isCompactSummary",
        is_transcript_only: bool = "isVisibleInTranscriptOnly",
        is_api_error: bool = "isApiErrorMessage",
        source_tool_use: Lenient = "sourceToolUseID",
        prompt_source: Lenient = "promptSource",
        origin: Kind = "origin",
        message: Message<D> = "message",
        attachment: Attachment = "attachment",
        subtype: D::Of<Scalar> = "subtype",
        interrupted: D::Of<Scalar> = "interruptedMessageId",
        denial: D::Of<Scalar> = "toolDenialKind",
        error: D::Of<ErrorType> = "error",
        retry_attempt: D::Of<Scalar> = "retryAttempt",
        max_retries: D::Of<Scalar> = "maxRetries",
        background_agents: D::Of<Scalar> = "pendingBackgroundAgentCount",
        background_workflows: D::Of<Scalar> = "pendingWorkflowCount",
        compaction: D::Of<Maybe<Compaction>> = "compactMetadata",
        operation: D::Of<Scalar> = "operation",
        permission_mode: D::Of<Scalar> = "permissionMode",
        prompt_id: Scalar = "promptId",
        custom_title: D::Of<Scalar> = "customTitle",
        ai_title: D::Of<Scalar> = "aiTitle",
        agent_name: D::Of<Scalar> = "agentName",
        forked_from: D::Of<Maybe<Fork>> = "forkedFrom",
        content: D::Of<TextHead> = "content",
        data: D::Of<Maybe<Progress>> = "data",
        entrypoint: D::Of<Scalar> = "entrypoint",
        tool_result: D::Of<Maybe<TaskResult>> = "toolUseResult",
    }
}

object! {
    /// The message of a user or assistant record.
    pub struct Message<D: Detail> {
        id: String = "id",
        model: Lenient = "model",
        content: Content<D> = "content",
        stop_reason: D::Of<Scalar> = "stop_reason",
        usage: D::Of<Maybe<Tokens>> = "usage",
    }
}

object! {
    /// What the CLI put beside the conversation.
    pub struct Attachment {
        kind: String = "type",
        mode: Lenient = "commandMode",
        origin: Kind = "origin",
        prompt: Content<Plain> = "prompt",
        hook_event: Lenient = "hookEvent",
    }
}

object! {
    /// What goes on while the agent works.
    pub struct Progress {
        hook_event: Scalar = "hookEvent",
    }
}

object! {
    /// What a reply cost.
    pub struct Tokens {
        input: Scalar = "input_tokens",
        output: Scalar = "output_tokens",
        cache_read: Scalar = "cache_read_input_tokens",
        cache_write: Scalar = "cache_creation_input_tokens",
    }
}

object! {
    pub struct Compaction {
        trigger: Scalar = "trigger",
    }
}

object! {
    /// Where a copied record was copied from.
    pub struct Fork {
        session_id: Scalar = "sessionId",
    }
}

/// Why a line is no record.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("not UTF-8")]
    NotUtf8,
    #[error("not JSON: {0}")]
    NotJson(String),
    #[error("not a JSON object")]
    NotAnObject,
    #[error("field {0} has the wrong type")]
    WrongType(String),
}

impl<D: Detail> Record<D> {
    /// A type that is not known yet: `cost-forecast`, `attachment/map`.
    pub fn unknown_type(&self) -> Option<String> {
        let kind = self.kind.as_deref().unwrap_or("(none)");
        if !known_types::RECORDS.contains(&kind) {
            return Some(kind.to_owned());
        }
        let attachment = self.attachment.as_ref()?.kind.as_deref()?;
        (!known_types::ATTACHMENTS.contains(&attachment))
            .then(|| format!("attachment/{attachment}"))
    }

    /// Reads a line that is in memory.
    pub fn parse(line: &[u8]) -> Result<Self, Malformed> {
        let text = std::str::from_utf8(line).map_err(|_| Malformed::NotUtf8)?;
        serde_json::from_str(text)
            .or_else(|_| Self::parse_again(|| Ok(text.as_bytes())))
            .map(Self::with_storable_names)
    }

    /// Reads a line that is too long to be kept, known to be UTF-8. `open`
    /// starts it again from its beginning.
    pub fn parse_long<R: BufRead>(
        open: impl Fn() -> std::io::Result<R>,
    ) -> std::io::Result<Result<Self, Malformed>> {
        match serde_json::from_reader::<_, Self>(open()?) {
            Ok(record) => Ok(Ok(record.with_storable_names())),
            Err(error) if error.is_io() => Err(error.into()),
            Err(_) => Ok(Self::parse_again(open).map(Self::with_storable_names)),
        }
    }

    /// What becomes a column or a key, as every database can hold it.
    fn with_storable_names(mut self) -> Self {
        let message_id = self.message.as_mut().map(|message| &mut message.id);
        let names = [
            &mut self.uuid,
            &mut self.session_id,
            &mut self.cwd,
            &mut self.agent_id,
        ];
        for name in names.into_iter().chain(message_id) {
            *name = name.take().map(storable);
        }
        self
    }

    /// The second, slower reading: replaces what no text can hold, and finds
    /// out which field is wrong. Its messages never carry the line's text.
    fn parse_again<R: BufRead>(open: impl Fn() -> std::io::Result<R>) -> Result<Self, Malformed> {
        let unreadable = |error: std::io::Error| Malformed::NotJson(error.to_string());
        let repaired = Repaired::new(open().map_err(unreadable)?);
        let mut json = serde_json::Deserializer::from_reader(repaired);
        let record = match serde_path_to_error::deserialize::<_, Self>(&mut json) {
            Ok(record) => record,
            Err(error) if error.inner().is_data() => {
                return Err(match error.path().to_string().as_str() {
                    "." => Malformed::NotAnObject,
                    path => Malformed::WrongType(path.to_owned()),
                });
            }
            Err(error) => return Err(Malformed::NotJson(error.into_inner().to_string())),
        };
        match json.end() {
            Ok(()) => Ok(record),
            Err(error) => Err(Malformed::NotJson(error.to_string())),
        }
    }

    /// The record's own time, as written.
    pub fn time(&self) -> Option<&str> {
        self.timestamp.as_ref()?.0.as_deref()
    }
}

/// Whether an unfinished line is a whole record that only lacks its newline.
pub fn is_whole(tail: &[u8]) -> bool {
    tail.trim_ascii_end().last() == Some(&b'}') && Record::<Plain>::parse(tail).is_ok()
}

#[cfg(test)]
mod tests {
    use super::{super::said::Said, *};

    type Record = super::Record<Plain>;

    #[test]
    fn malformed_lines_say_why_without_their_text() {
        let reason = |line: &[u8]| Record::parse(line).unwrap_err().to_string();
        assert_eq!(reason(b"\xff{}"), "not UTF-8");
        assert_eq!(reason(b"[\"secret\"]"), "not a JSON object");
        assert_eq!(reason(b"\"secret\""), "not a JSON object");
        assert!(reason(b"{\"a\":1}{\"b\":2}").starts_with("not JSON: trailing characters"));
        assert!(reason(&[0; 30]).starts_with("not JSON: "));
        let wrong = reason(br#"{"type":"user","message":{"content":{"text":"secret"}}}"#);
        assert_eq!(wrong, "field message.content has the wrong type");
        let wrong = reason(br#"{"cwd":"ok","sessionId":["secret"]}"#);
        assert_eq!(wrong, "field sessionId has the wrong type");
    }

    #[test]
    fn only_types_that_are_not_in_the_list_are_unknown() {
        let unknown = |json: &str| Record::parse(json.as_bytes()).unwrap().unknown_type();
        assert_eq!(unknown(r#"{"type":"progress"}"#), None);
        assert_eq!(unknown(r#"{"type":"later"}"#).as_deref(), Some("later"));
        assert_eq!(unknown("{}").as_deref(), Some("(none)"));
        let map = r#"{"type":"attachment","attachment":{"type":"map"}}"#;
        assert_eq!(unknown(map).as_deref(), Some("attachment/map"));
    }

    #[test]
    fn a_long_line_reads_as_a_short_one() {
        let json = r#"{"type":"user","message":{"content":"a\ud83d"}}"#;
        let record = Record::parse_long(|| Ok(json.as_bytes())).unwrap().unwrap();
        assert_eq!(record.said(false), Said::User("a\u{FFFD}".into()));
        let bad = Record::parse_long(|| Ok(&b"{\"a\":"[..])).unwrap();
        assert!(matches!(bad, Err(Malformed::NotJson(_))));
    }
}
