//! From the bytes of a hook to a body of bounded size.

use serde_json::{Map, Value};

use super::Body;

/// A hook of this size is taken as it is.
pub const MAX_HOOK: usize = 1024 * 1024;
/// Of a hook that is larger, each text is cut to this many bytes,
const LONG_TEXT: usize = 16 * 1024;
/// and if that is not enough, to this many, and what is nested is left out.
const SHORT_TEXT: usize = 1024;
const MAX_EXCERPT: usize = 4096;
/// What is nested deeper could be written into a line, but not read from it.
const MAX_DEPTH: usize = 100;

/// The type, and the session, of a hook that belongs to no session: whether hooks get
/// through is tested with it.
pub const SELF_TEST: &str = "HeadspaceSelfTest";
/// The type of the hook by which a launcher says where the CLI runs, before it does.
pub const LAUNCHER_START: &str = "LauncherStart";

/// Whether the CLI has hooks of this type, or only we do.
pub fn is_of_cli(hook_type: &str) -> bool {
    ![SELF_TEST, LAUNCHER_START].contains(&hook_type)
}

/// The fields that say where a hook belongs.
pub const HOOK_NEEDS: [&str; 3] = ["session_id", "cwd", "hook_event_name"];

impl Body {
    /// A hook's JSON; `length` bytes came, of which `bytes` were kept.
    pub fn of_hook(bytes: &[u8], length: u64) -> Body {
        match serde_json::from_slice::<Map<String, Value>>(bytes) {
            Ok(hook) if hook.values().any(|value| depth(value) > MAX_DEPTH) => garbage(
                bytes,
                length,
                format!("nested deeper than {MAX_DEPTH} levels"),
            ),
            Ok(hook) if bytes.len() <= MAX_HOOK => Body::Hook {
                hook,
                sender: None,
                cut_from_bytes: None,
            },
            Ok(hook) => Body::Hook {
                hook: cut(hook),
                sender: None,
                cut_from_bytes: Some(length),
            },
            Err(error) => {
                // Its place and kind; never the text.
                let (line, column) = (error.line(), error.column());
                let reason = format!("not a JSON object: line {line}, column {column}");
                garbage(bytes, length, reason)
            }
        }
    }
}

/// A field that must be a text; the error names it.
pub fn text<'a>(fields: &'a Map<String, Value>, name: &str) -> Result<&'a str, String> {
    match fields.get(name) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text),
        Some(_) => Err(format!("field {name}: expected a text")),
        None => Err(format!("missing field {name}")),
    }
}

fn garbage(bytes: &[u8], length: u64, reason: String) -> Body {
    let excerpt = &bytes[..bytes.len().min(MAX_EXCERPT)];
    Body::Garbage {
        reason,
        length,
        excerpt: String::from_utf8_lossy(excerpt).into_owned(),
    }
}

fn depth(value: &Value) -> usize {
    let deepest = |values: &mut dyn Iterator<Item = &Value>| values.map(depth).max().unwrap_or(0);
    match value {
        Value::Array(values) => 1 + deepest(&mut values.iter()),
        Value::Object(fields) => 1 + deepest(&mut fields.values()),
        _ => 0,
    }
}

fn cut(mut hook: Map<String, Value>) -> Map<String, Value> {
    hook.values_mut()
        .for_each(|value| cut_texts(value, LONG_TEXT));
    if size(&hook) > MAX_HOOK {
        hook.retain(|name, value| {
            name.len() <= SHORT_TEXT && !value.is_object() && !value.is_array()
        });
        hook.values_mut()
            .for_each(|value| cut_texts(value, SHORT_TEXT));
    }
    // Names without end: not of any CLI.
    if size(&hook) > MAX_HOOK {
        hook.retain(|name, _| HOOK_NEEDS.contains(&name.as_str()));
    }
    hook
}

fn cut_texts(value: &mut Value, bytes: usize) {
    match value {
        Value::String(text) => text.truncate(text.floor_char_boundary(bytes)),
        Value::Array(values) => values.iter_mut().for_each(|value| cut_texts(value, bytes)),
        Value::Object(fields) => fields
            .values_mut()
            .for_each(|value| cut_texts(value, bytes)),
        _ => {}
    }
}

fn size(hook: &Map<String, Value>) -> usize {
    serde_json::to_vec(hook).map_or(usize::MAX, |json| json.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(value: &Value) -> Body {
        let bytes = value.to_string().into_bytes();
        Body::of_hook(&bytes, bytes.len() as u64)
    }

    #[test]
    fn an_ordinary_hook_is_kept_whole() {
        let value = json!({"session_id": "s", "tool_input": {"command": "x".repeat(100_000)}});
        let Body::Hook {
            hook,
            cut_from_bytes: None,
            ..
        } = of(&value)
        else {
            panic!("it is a hook, and whole");
        };
        assert_eq!(Value::Object(hook), value);
    }

    #[test]
    fn of_a_long_text_its_beginning_is_kept_and_the_length_is_said() {
        let value = json!({"session_id": "s", "tool_response": {"out": "é".repeat(MAX_HOOK)}});
        let Body::Hook {
            hook,
            cut_from_bytes: Some(length),
            ..
        } = of(&value)
        else {
            panic!("it is a hook, and cut");
        };
        assert!(length > 2 * MAX_HOOK as u64);
        assert_eq!(hook["session_id"], "s");
        assert_eq!(
            hook["tool_response"]["out"].as_str().unwrap().len(),
            LONG_TEXT
        );
    }

    #[test]
    fn what_is_large_in_any_other_way_keeps_its_plain_fields() {
        let many: Vec<String> = (0..40_000).map(|n| format!("{n:030}")).collect();
        let wide: Map<String, Value> = many.iter().map(|name| (name.clone(), json!(1))).collect();
        for nested in [json!(many), Value::Object(wide.clone())] {
            let value = json!({"session_id": "s", "cwd": "/c", "tool_response": nested});
            let Body::Hook { hook, .. } = of(&value) else {
                panic!("it is a hook");
            };
            assert_eq!(Value::Object(hook), json!({"session_id": "s", "cwd": "/c"}));
        }
        let mut flat = wide;
        flat.insert("session_id".into(), json!("s"));
        let Body::Hook { hook, .. } = of(&Value::Object(flat)) else {
            panic!("it is a hook");
        };
        assert_eq!(Value::Object(hook), json!({"session_id": "s"}));
    }

    #[test]
    fn what_is_taken_as_a_hook_can_be_read_from_its_line() {
        let nested = |levels| format!("{{\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
        let body = Body::of_hook(nested(MAX_DEPTH).as_bytes(), 7);
        assert!(matches!(body, Body::Hook { .. }));
        let line = crate::spool::Line::new("now".into(), "here".into(), body);
        let read: crate::spool::Line = serde_json::from_str(&line.to_json()).unwrap();
        assert_eq!(read, line);
        let body = Body::of_hook(nested(MAX_DEPTH + 1).as_bytes(), 7);
        assert!(matches!(body, Body::Garbage { .. }));
    }

    #[test]
    fn garbage_is_no_hook_and_says_where_it_fails_without_its_text() {
        for garbage in ["[1]", "{\"a\":", "secret", "\u{0}", "{} {}", "null"] {
            let Body::Garbage { reason, length, .. } = Body::of_hook(garbage.as_bytes(), 7) else {
                panic!("{garbage:?} is no hook");
            };
            assert!(
                reason.starts_with("not a JSON object: line 1, column "),
                "{reason}"
            );
            assert_eq!(length, 7);
        }
    }
}
