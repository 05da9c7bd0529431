//! Records as lines on standard error.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use serde_json::Value;
use tracing::Level;

use super::record::{Fields, Record, Sink};
use super::visible::{is_hidden, visible};

/// Standard error, one line a record, each in a single write.
pub(super) struct Stderr {
    line: fn(&Record) -> String,
}

impl Stderr {
    pub(super) fn plain(colour: bool) -> Stderr {
        let line = if colour { coloured } else { uncoloured };
        Stderr { line }
    }

    pub(super) fn json() -> Stderr {
        Stderr { line: json }
    }
}

impl Sink for Stderr {
    fn take(&self, record: &Record) {
        // Nobody is left to tell when standard error is gone.
        let _ = io::stderr()
            .lock()
            .write_all((self.line)(record).as_bytes());
    }
}

fn uncoloured(record: &Record) -> String {
    plain(record, record.level.as_str())
}

fn coloured(record: &Record) -> String {
    let code = match record.level {
        Level::ERROR => 31,
        Level::WARN => 33,
        Level::INFO => 32,
        _ => 2,
    };
    plain(record, &format!("\u{1b}[{code}m{}\u{1b}[0m", record.level))
}

/// `2026-11-21T01:02:03.123Z INFO watch: message key=value`
fn plain(record: &Record, level: &str) -> String {
    let (time, stage) = (time(record.at), stage(record.target));
    let mut line = format!("{time} {level} {stage}: {}", visible(&record.message));
    for (name, value) in &record.fields {
        let _ = write!(line, " {name}={}", plain_value(value));
    }
    line.push('\n');
    line
}

/// Quoted only where the end of the value would be in doubt.
fn plain_value(value: &Value) -> String {
    let Value::String(text) = value else {
        return value.to_string();
    };
    let in_doubt = |c: char| c.is_whitespace() || c == '"' || c == '=';
    if !text.is_empty() && !text.contains(in_doubt) {
        return visible(text).into_owned();
    }
    let quoted = text.replace('\\', r"\\").replace('"', r#"\""#);
    format!("\"{}\"", visible(&quoted))
}

#[derive(Serialize)]
struct JsonLine<'a> {
    timestamp: String,
    level: &'static str,
    target: &'static str,
    message: &'a str,
    #[serde(serialize_with = "in_order")]
    fields: &'a Fields,
}

fn json(record: &Record) -> String {
    let line = JsonLine {
        timestamp: time(record.at),
        level: record.level.as_str(),
        target: record.target,
        message: &record.message,
        fields: &record.fields,
    };
    let text = serde_json::to_string(&line).unwrap_or_default();
    let mut shown = String::with_capacity(text.len() + 1);
    for c in text.chars() {
        if is_hidden(c) {
            // Such a character stands inside a string, where JSON takes escapes.
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(shown, "\\u{unit:04x}");
            }
        } else {
            shown.push(c);
        }
    }
    shown.push('\n');
    shown
}

fn in_order<S: Serializer>(fields: &&Fields, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(fields.iter().map(|(name, value)| (name, value)))
}

fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// `capture` of `headspace::capture::lines`; another crate's target as it is.
fn stage(target: &str) -> &str {
    match target.strip_prefix("headspace::") {
        Some(inner) => inner.split("::").next().unwrap_or(inner),
        None => target,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(message: &str, fields: &[(&'static str, Value)]) -> Record {
        Record {
            at: "2026-11-21T01:02:03.1234Z".parse().expect("time"),
            level: Level::INFO,
            target: "headspace::watch::tail",
            message: message.into(),
            fields: fields.to_vec(),
        }
    }

    #[test]
    fn a_plain_line_reads_alone() {
        let fields = [
            ("count", 12.into()),
            ("file", "a.jsonl".into()),
            ("why", "two words".into()),
            ("empty", "".into()),
            ("quote", r#"a"b\"#.into()),
        ];
        assert_eq!(
            uncoloured(&record("appended", &fields)),
            "2026-11-21T01:02:03.123Z INFO watch: appended count=12 file=a.jsonl \
             why=\"two words\" empty=\"\" quote=\"a\\\"b\\\\\"\n"
        );
    }

    #[test]
    fn hostile_text_stays_on_its_line() {
        let hostile = "a\n2026 ERROR x: forged\u{1b}[2J\u{202e}\u{85}\u{2028}";
        let record = record(
            hostile,
            &[("field", hostile.into()), ("bare", "\u{1b}c".into())],
        );
        for line in [uncoloured(&record), json(&record)] {
            assert_eq!(line.lines().count(), 1, "{line}");
            let text = line.strip_suffix('\n').expect("line end");
            assert!(!text.contains(is_hidden), "{text:?}");
        }
        let read: Value = serde_json::from_str(&json(&record)).expect("json");
        assert_eq!(read["message"], hostile);
        assert_eq!(read["fields"]["field"], hostile);
    }

    #[test]
    fn a_json_line_keeps_types_and_order() {
        let record = record("ready", &[("zeta", 1.into()), ("alpha", true.into())]);
        assert_eq!(
            json(&record),
            concat!(
                r#"{"timestamp":"2026-11-21T01:02:03.123Z","level":"INFO","#,
                r#""target":"headspace::watch::tail","message":"ready","#,
                r#""fields":{"zeta":1,"alpha":true}}"#,
                "\n"
            )
        );
    }

    #[test]
    fn only_the_level_is_coloured() {
        let record = record("ready", &[]);
        let expected = uncoloured(&record).replace("INFO", "\u{1b}[32mINFO\u{1b}[0m");
        assert_eq!(coloured(&record), expected);
    }

    #[test]
    fn a_target_is_shown_as_its_stage() {
        assert_eq!(stage("headspace::capture::lines"), "capture");
        assert_eq!(stage("headspace"), "headspace");
        assert_eq!(stage("sqlx::pool"), "sqlx::pool");
    }
}
