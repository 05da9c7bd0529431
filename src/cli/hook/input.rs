//! From standard input to a hook of bounded size.

use std::{io, time::Instant};

use serde_json::{Map, Value};

use crate::spool::Body;

/// More than this is read, so that the CLI can write it, but not kept.
const MAX_INPUT: usize = 16 * 1024 * 1024;
/// A hook of this size is taken as it is.
const MAX_HOOK: usize = 1024 * 1024;
/// Of a hook that is larger, each text is cut to this many bytes,
const LONG_TEXT: usize = 16 * 1024;
/// and if that is not enough, to this many, and what is nested is left out.
const SHORT_TEXT: usize = 1024;
const MAX_EXCERPT: usize = 4096;

/// The hook on standard input; nothing if there is none.
pub fn read(deadline: Instant) -> io::Result<Option<Body>> {
    let (bytes, length) = read_all(deadline)?;
    Ok((!bytes.trim_ascii().is_empty()).then(|| parse(&bytes, length)))
}

/// What is there until it ends or the deadline comes, and how much that was.
fn read_all(deadline: Instant) -> io::Result<(Vec<u8>, u64)> {
    let stdin = rustix::stdio::stdin();
    let (mut kept, mut length) = (Vec::new(), 0);
    let mut buffer = vec![0; 64 * 1024];
    while super::wait(stdin, deadline)? {
        let n = rustix::io::read(stdin, &mut buffer[..])?;
        if n == 0 {
            break;
        }
        length += n as u64;
        let room = MAX_INPUT - kept.len();
        kept.extend_from_slice(&buffer[..n.min(room)]);
    }
    Ok((kept, length))
}

fn parse(bytes: &[u8], length: u64) -> Body {
    match serde_json::from_slice::<Map<String, Value>>(bytes) {
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
        Err(error) => Body::Garbage {
            // Its place and kind; never the text.
            reason: format!(
                "not a JSON object: line {}, column {}",
                error.line(),
                error.column()
            ),
            length,
            excerpt: String::from_utf8_lossy(&bytes[..bytes.len().min(MAX_EXCERPT)]).into_owned(),
        },
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
        hook.retain(|name, _| ["session_id", "cwd", "hook_event_name"].contains(&name.as_str()));
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
        parse(&bytes, bytes.len() as u64)
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
    fn garbage_is_no_hook_and_says_where_it_fails_without_its_text() {
        for garbage in ["[1]", "{\"a\":", "secret", "\u{0}", "{} {}", "null"] {
            let Body::Garbage { reason, length, .. } = parse(garbage.as_bytes(), 7) else {
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
