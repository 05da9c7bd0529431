//! Is every key known, and does it hold what it may hold?

use figment::value::{Dict, Num, Value};

use super::keys::{self, Key, Kind};
use super::layer::{Layer, Origin};
use super::places::Base;
use super::{DatabaseUrl, Listen, Problem, unknown};

/// The layer with its paths expanded, and what is wrong with it.
pub(super) fn layer(layer: Layer, base: &Base) -> (Layer, Vec<Problem>) {
    let Layer { origin, sections } = layer;
    let mut problems = Vec::new();
    let mut good = Dict::new();
    for (name, section) in sections {
        match section {
            _ if !keys::sections().contains(&name.as_str()) => {
                problems.extend(unknown::section(&origin, &name, &section));
            }
            Value::Dict(_, values) => {
                let values = check_section(&origin, &name, values, base, &mut problems);
                good.insert(name, Value::from(values));
            }
            // A section whose keys are all commented out.
            Value::Empty(..) => {}
            other => {
                // Only the shape: it may be a URL that slipped a level up.
                let message = format!("expected a section with keys, got {}", shape(&other));
                problems.push(Problem::new(origin.name(&name), name, message));
            }
        }
    }
    (Layer::new(origin, good), problems)
}

fn check_section(
    origin: &Origin,
    section: &str,
    values: Dict,
    base: &Base,
    problems: &mut Vec<Problem>,
) -> Dict {
    let mut good = Dict::new();
    for (name, value) in values {
        let path = format!("{section}.{name}");
        let checked = match keys::find(&path) {
            Some(key) => check_value(key, value, origin, base),
            None => Err(unknown::key(origin, section, &name)),
        };
        match checked {
            Ok(value) => {
                good.insert(name, value);
            }
            Err(message) => problems.push(Problem::new(origin.name(&path), path, message)),
        }
    }
    good
}

fn check_value(key: &Key, value: Value, origin: &Origin, base: &Base) -> Result<Value, String> {
    if matches!(value, Value::Empty(..)) {
        return Err("has no value; give it one or remove the line".into());
    }
    let value = match key.kind {
        Kind::Count(least, most) => count(value, least, most)?,
        Kind::Switch => switch(value)?,
        Kind::Choice(words) => choice(value, words)?,
        Kind::Database => database(value, origin, base)?,
        Kind::Folders => list(value, |folder| Ok(text(base.expand(folder)?.display())))?,
        Kind::Addresses => list(value, |address| {
            Ok(text(Listen::parse(address, |path| base.expand(path))?))
        })?,
        Kind::Hosts => list(value, host)?,
        Kind::Patterns => list(value, |pattern| Ok(pattern.to_string()))?,
    };
    available(key.path, &value)?;
    Ok(value)
}

fn count(value: Value, least: u64, most: u64) -> Result<Value, String> {
    match value
        .to_u128()
        .and_then(|number| u64::try_from(number).ok())
    {
        Some(number) if (least..=most).contains(&number) => Ok(Value::from(number)),
        _ => {
            let got = describe(&value);
            Err(format!(
                "expected a whole number from {least} to {most}, got {got}"
            ))
        }
    }
}

fn switch(value: Value) -> Result<Value, String> {
    match value {
        Value::Bool(..) => Ok(value),
        other => Err(format!("expected true or false, got {}", describe(&other))),
    }
}

fn choice(value: Value, words: &[&str]) -> Result<Value, String> {
    match &value {
        Value::String(_, word) if words.contains(&word.as_str()) => Ok(value),
        other => {
            let words = words.join(", ");
            Err(format!("expected one of {words}; got {}", describe(other)))
        }
    }
}

/// What was given is not repeated in the message: it may hold a password.
fn database(value: Value, origin: &Origin, base: &Base) -> Result<Value, String> {
    let Value::String(_, given) = &value else {
        return Err("expected a URL, sqlite:<path> or postgres://…".into());
    };
    let url = DatabaseUrl::parse(given, |path| base.expand(path))?;
    // Every user of the machine can read a command line.
    if matches!(origin, Origin::Flags) && url.has_password() {
        return Err("a password does not belong on the command line; \
                    put the URL into config.yaml or HEADSPACE_DATABASE__URL"
            .into());
    }
    Ok(Value::from(url.secret_text()))
}

fn list(value: Value, check: impl Fn(&str) -> Result<String, String>) -> Result<Value, String> {
    let expected = |got: &Value| {
        let got = describe(got);
        Err(format!(
            r#"expected a list of texts such as ["a", "b"], got {got}"#
        ))
    };
    let Value::Array(_, items) = &value else {
        return expected(&value);
    };
    let mut good = Vec::with_capacity(items.len());
    for item in items {
        let Value::String(_, item) = item else {
            return expected(item).map_err(|wrong: String| format!("{wrong} in the list"));
        };
        good.push(check(item)?);
    }
    Ok(Value::from(good))
}

/// A name exactly as a browser sends it, port included where there is one.
fn host(name: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-_:[]".contains(c);
    if !name.is_empty() && name.len() <= 255 && name.chars().all(allowed) {
        return Ok(name.to_string());
    }
    let got = describe(&Value::from(name));
    Err(format!(
        "expected a host name in lower case such as box.example, without scheme or path, got {got}"
    ))
}

/// Choices that the settings know and this version cannot honour yet. Taking
/// them in silence would promise something that does not happen.
fn available(path: &str, value: &Value) -> Result<(), String> {
    let wrong = match path {
        "watch.sessions" if value.as_str() == Some("registered") => {
            "registering sessions is not available in this version; set it to all"
        }
        "web.allow_remote" if value.to_bool() == Some(true) => {
            "remote access needs tokens and TLS, which are not available in this version; set it to false"
        }
        "redact.mode" if value.as_str() != Some("off") => {
            "redaction is not available in this version; set it to off"
        }
        "redact.patterns" if value.as_array().is_none_or(|list| !list.is_empty()) => {
            "redaction is not available in this version; leave the list empty"
        }
        "retention.days" if value.to_u128() != Some(0) => {
            "removing old events is not available in this version; set it to 0"
        }
        _ => return Ok(()),
    };
    Err(wrong.into())
}

/// A value as a message may show it: short, on one line.
fn describe(value: &Value) -> String {
    match value {
        Value::String(_, text) => {
            let short: String = text.chars().take(60).collect();
            let more = if short.len() < text.len() { "…" } else { "" };
            format!("the text {:?}", format!("{short}{more}"))
        }
        Value::Char(_, c) => format!("the text {:?}", c.to_string()),
        Value::Bool(_, on) => on.to_string(),
        Value::Num(_, Num::F32(number)) => number.to_string(),
        Value::Num(_, Num::F64(number)) => number.to_string(),
        Value::Num(_, number) => match (number.to_u128(), number.to_i128()) {
            (Some(number), _) => number.to_string(),
            (None, Some(number)) => number.to_string(),
            _ => "a number".into(),
        },
        other => shape(other).into(),
    }
}

fn shape(value: &Value) -> &'static str {
    match value {
        Value::String(..) | Value::Char(..) => "a text",
        Value::Bool(..) => "true or false",
        Value::Num(..) => "a number",
        Value::Empty(..) => "nothing",
        Value::Dict(..) => "a section",
        Value::Array(..) => "a list",
    }
}

fn text(value: impl std::fmt::Display) -> String {
    value.to_string()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::config::places::Places;
    use std::path::PathBuf;

    fn problems(origin: Origin, json: &str) -> Vec<String> {
        let sections: Dict = serde_json::from_str(json).expect("json");
        let places = Places {
            state: "/state".into(),
            run: "/run/h".into(),
            ..Places::default()
        };
        let base = Base::new(Some("/home/a"), &places).expect("base");
        let (_, problems) = layer(Layer::new(origin, sections), &base);
        problems.iter().map(Problem::to_string).collect()
    }

    pub(in super::super) fn in_file(json: &str) -> Vec<String> {
        problems(Origin::File(PathBuf::from("c.yaml")), json)
    }

    #[test]
    fn a_wrong_type_or_range_says_what_was_expected_and_found() {
        for (section, value, expected) in [
            ("sse", r#"{"max_connections": 0}"#, "from 1 to 10000, got 0"),
            (
                "sse",
                r#"{"max_connections": -1}"#,
                "from 1 to 10000, got -1",
            ),
            ("sse", r#"{"max_connections": 1e30}"#, "got 1"),
            ("sse", r#"{"max_connections": 1.5}"#, "got 1.5"),
            (
                "sse",
                r#"{"max_connections": 18446744073709551615}"#,
                "got 18446744073709551615",
            ),
            ("sse", r#"{"max_connections": "5"}"#, r#"got the text "5""#),
            ("sse", r#"{"max_connections": null}"#, "has no value"),
            ("sse", r#"{"max_connections": [5]}"#, "got a list"),
            (
                "hooks",
                r#"{"enabled": "yes"}"#,
                "expected true or false, got the text \"yes\"",
            ),
            (
                "watch",
                r#"{"sessions": "some"}"#,
                "expected one of all, registered; got the text",
            ),
            ("claude", r#"{"roots": "/a"}"#, "expected a list of texts"),
            ("claude", r#"{"roots": ["/a", 5]}"#, "got 5 in the list"),
            ("claude", r#"{"roots": ["/a/../b"]}"#, "`..`"),
            ("web", r#"{"listen": ["0.0.0.0:1"]}"#, "remote access"),
            ("web", r#"{"hosts": ["http://x/"]}"#, "host name"),
            ("web", r#"{"hosts": ["*"]}"#, "host name"),
            (
                "logging",
                r#"{"level": "loud"}"#,
                "error, warn, info, debug, trace",
            ),
        ] {
            let found = in_file(&format!(r#"{{"{section}": {value}}}"#));
            assert_eq!(found.len(), 1, "{value}: {found:?}");
            assert!(found[0].contains(expected), "{value}: {found:?}");
        }
    }

    #[test]
    fn what_this_version_cannot_do_is_refused() {
        for json in [
            r#"{"watch": {"sessions": "registered"}}"#,
            r#"{"web": {"allow_remote": true}}"#,
            r#"{"redact": {"mode": "display"}}"#,
            r#"{"redact": {"mode": "store"}}"#,
            r#"{"redact": {"patterns": ["x"]}}"#,
            r#"{"retention": {"days": 30}}"#,
        ] {
            let found = in_file(json);
            assert_eq!(found.len(), 1, "{json}");
            assert!(
                found[0].contains("not available in this version"),
                "{found:?}"
            );
        }
        assert!(
            in_file(r#"{"redact": {"mode": "off", "patterns": []}, "retention": {"days": 0}}"#)
                .is_empty()
        );
    }

    #[test]
    fn no_message_repeats_a_url() {
        for json in [
            r#"{"database": "postgres://u:geheim@h/db"}"#,
            r#"{"database": {"url": ["postgres://u:geheim@h/db"]}}"#,
            r#"{"database": {"ulr": "postgres://u:geheim@h/db"}}"#,
            r#"{"database": {"url": "http://u:geheim@h/db"}}"#,
        ] {
            let found = in_file(json);
            assert_eq!(found.len(), 1, "{json}");
            assert!(!found[0].contains("geheim"), "{found:?}");
        }
    }

    #[test]
    fn a_password_is_refused_on_the_command_line_only() {
        let json = r#"{"database": {"url": "postgres://u:geheim@h/db"}}"#;
        assert!(in_file(json).is_empty());
        let found = problems(Origin::Flags, json);
        assert!(found[0].starts_with("--database-url: database.url: a password"));
        assert!(!found[0].contains("geheim"));
        let without = r#"{"database": {"url": "postgres://u@h/db"}}"#;
        assert!(problems(Origin::Flags, without).is_empty());
    }

    #[test]
    fn a_section_may_be_empty_but_not_a_value() {
        assert!(in_file(r#"{"web": null, "sse": {}}"#).is_empty());
        let found = in_file(r#"{"web": 5}"#);
        assert_eq!(
            found,
            ["c.yaml: web: expected a section with keys, got a number"]
        );
    }

    #[test]
    fn the_bounds_themselves_are_allowed() {
        for key in keys::KEYS {
            let Kind::Count(least, most) = key.kind else {
                continue;
            };
            let found = |value: u64| {
                let (section, name) = (key.section(), key.name());
                in_file(&format!(r#"{{"{section}": {{"{name}": {value}}}}}"#))
            };
            // What is in range and still refused is refused for another reason.
            let ranged = |value| {
                found(value)
                    .iter()
                    .any(|line| line.contains("whole number"))
            };
            assert!(!ranged(least) && !ranged(most), "{}", key.path);
            assert!(ranged(most + 1), "{}", key.path);
            assert!(least == 0 || ranged(least - 1), "{}", key.path);
        }
    }
}
