//! Records as lines on standard error.

use std::fmt;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::{self, Writer};
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::visible::{is_hidden, visible};

/// `2026-11-21T01:02:03.123Z  INFO watch: message key=value`, without the fields
/// that the message has already.
pub(super) struct TextLine {
    pub(super) colour: bool,
}

impl<S, N> FormatEvent<S, N> for TextLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'w> FormatFields<'w> + 'static,
{
    fn format_event(
        &self,
        _context: &FmtContext<'_, S, N>,
        mut line: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let (level, target) = (event.metadata().level(), event.metadata().target());
        let mut fields = LineFields::default();
        event.record(&mut fields);

        Clock.format_time(&mut line)?;
        match self.colour {
            true => write!(line, " \u{1b}[{}m{level:>5}\u{1b}[0m", colour(*level))?,
            false => write!(line, " {level:>5}")?,
        }
        writeln!(line, " {}: {}", stage(target), visible(&fields.line()))
    }
}

/// A record's message and its fields, in their order.
#[derive(Default)]
struct LineFields {
    message: String,
    fields: Vec<(&'static str, String)>,
}

impl LineFields {
    fn line(self) -> String {
        let mut line = self.message.clone();
        for (name, value) in self.fields {
            if !has_word(&self.message, &value) {
                line.push_str(&format!(" {name}={value}"));
            }
        }
        line
    }
}

/// Whether the message has the value in it as a word, or words, of its own.
fn has_word(message: &str, value: &str) -> bool {
    let is_inside = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    message.match_indices(value).any(|(at, found)| {
        let before = message[..at].chars().next_back();
        let after = message[at + found.len()..].chars().next();
        !is_inside(before) && !is_inside(after)
    })
}

impl Visit for LineFields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            name => self.fields.push((name, format!("{value:?}"))),
        }
    }
}

fn colour(level: Level) -> u8 {
    match level {
        Level::ERROR => 31,
        Level::WARN => 33,
        Level::INFO => 32,
        _ => 2,
    }
}

/// `capture` of `headspace::capture::lines`; another crate's target as it is.
fn stage(target: &str) -> &str {
    match target.strip_prefix("headspace::") {
        Some(inner) => inner.split("::").next().unwrap_or(inner),
        None => target,
    }
}

/// JSON itself escapes only what is below U+0020. Every other hidden character
/// stands inside a string, where JSON takes an escape as well.
pub(super) struct Json(pub(super) format::Format<format::Json, Clock>);

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'w> FormatFields<'w> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut line: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut text = String::new();
        self.0
            .format_event(context, Writer::new(&mut text), event)?;
        for c in text.trim_end().chars() {
            if is_hidden(c) {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(line, "\\u{unit:04x}")?;
                }
            } else {
                line.write_char(c)?;
            }
        }
        writeln!(line)
    }
}

/// UTC with milliseconds.
pub(super) struct Clock;

impl FormatTime for Clock {
    fn format_time(&self, line: &mut Writer<'_>) -> fmt::Result {
        write!(line, "{:.3}", jiff::Timestamp::now())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::{fs, io, sync::Arc};

    use tracing_subscriber::{layer::SubscriberExt, registry};

    use super::super::{Format, output};

    /// The line that one record makes, and why it is not in the journal.
    pub(in super::super) fn logged(
        format: Format,
        journal: impl FnOnce() -> io::Result<tracing_journald::Layer>,
        log: impl FnOnce(),
    ) -> (String, Option<io::Error>) {
        let file = tempfile::NamedTempFile::new().expect("file");
        let writer = Arc::new(file.reopen().expect("opened"));
        let (output, unreachable) = output(format, journal, writer);
        tracing::subscriber::with_default(registry().with(output), log);
        let line = fs::read_to_string(file.path()).expect("text");
        assert_eq!(line.lines().count(), 1, "{line}");
        (line, unreachable)
    }

    fn line(format: Format, log: impl FnOnce()) -> String {
        logged(format, || unreachable!("no journal was asked for"), log).0
    }

    const TEXT: Format = Format::TextLine { colour: false };
    const HOSTILE: &str = "a\n2026 ERROR x: forged\u{1b}[2J\u{202e}\u{85}\u{2028}";

    fn log_hostile() {
        tracing::warn!(shown = %HOSTILE, quoted = HOSTILE, "{HOSTILE}");
    }

    #[test]
    fn a_text_line_reads_alone() {
        let line = line(TEXT, || tracing::info!(count = 12, file = %"a", "appended"));
        let (time, rest) = line.split_at("2026-11-21T01:02:03.123Z".len());
        assert!(time.parse::<jiff::Timestamp>().is_ok(), "{time}");
        assert_eq!(rest, "  INFO telemetry: appended count=12 file=a\n");
    }

    #[test]
    fn a_field_that_the_message_has_is_not_repeated() {
        let line = line(TEXT, || {
            let (count, file) = (1, "/a b");
            tracing::info!(count, %file, size = 12, "{count} of 12: /a b");
        });
        assert!(line.ends_with(": 1 of 12: /a b\n"), "{line}");
        assert!(!has_word("12 events", "1") && !has_word("appended", "a"));
    }

    #[test]
    fn hostile_text_stays_on_its_line() {
        let text = line(TEXT, log_hostile);
        let field = r"a\n2026 ERROR x: forged\u{1b}[2J\u{202e}\u{85}\u{2028}";
        let expected = format!("  WARN telemetry: {field} quoted=\"{field}\"\n");
        assert!(text.ends_with(&expected), "{text}");

        let json = line(Format::Json, log_hostile);
        assert!(!json.trim_end().contains(is_hidden), "{json:?}");
        let read: serde_json::Value = serde_json::from_str(&json).expect("json");
        for key in ["message", "shown", "quoted"] {
            assert_eq!(read[key], HOSTILE);
        }
    }

    #[test]
    fn only_the_level_is_coloured() {
        let line = line(Format::TextLine { colour: true }, log_hostile);
        let level = " \u{1b}[33m WARN\u{1b}[0m ";
        assert!(line.contains(level), "{line:?}");
        assert!(!line.replace(level, "").trim_end().contains(is_hidden));
    }

    #[test]
    fn a_json_line_is_flat_and_keeps_types() {
        let line = line(Format::Json, || tracing::info!(n = 1, done = true, "ready"));
        let (time, rest) = line.split_at(r#"{"timestamp":"2026-11-21T01:02:03.123Z"#.len());
        assert!(time.ends_with('Z'), "{time}");
        assert_eq!(
            rest,
            concat!(
                r#"","level":"INFO","message":"ready","n":1,"done":true,"#,
                r#""target":"headspace::telemetry::lines::tests"}"#,
                "\n"
            )
        );
    }

    #[test]
    fn a_target_is_shown_as_its_stage() {
        assert_eq!(stage("headspace::capture::lines"), "capture");
        assert_eq!(stage("headspace"), "headspace");
        assert_eq!(stage("sqlx::pool"), "sqlx::pool");
    }
}
