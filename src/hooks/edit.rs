//! Our hooks put into the text of a settings file, and taken out of it.

use std::ops::Range;

use serde::de::IgnoredAny;
use serde_json::Value;

use super::{
    command::is_ours,
    events::{Hook, place},
    json::{Child, Container, skip_space},
    render::{Json, Style, member, render},
    style::{Manner, style_in},
};

/// Some editors put it before a text; the CLI passes over it.
const BYTE_ORDER_MARK: &str = "\u{feff}";
/// What a new file is made from.
const NEW: &str = "{}\n";

/// One of our hooks, as it stands in a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    pub event: String,
    pub matcher: Option<String>,
    pub command: String,
    pub is_async: bool,
    pub timeout: Option<u32>,
    /// There is more in it than we write.
    pub is_changed: bool,
}

/// Why a text is not edited, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {what}")]
pub struct Refusal {
    pub line: usize,
    pub column: usize,
    pub what: String,
}

/// The entries of these hooks.
pub fn entries(hooks: &[Hook], command: &str) -> Vec<Entry> {
    let entry = |hook: &Hook| Entry {
        event: hook.event.to_owned(),
        matcher: hook.matcher.map(str::to_owned),
        command: command.to_owned(),
        is_async: hook.is_async,
        timeout: hook.timeout,
        is_changed: false,
    };
    hooks.iter().map(entry).collect()
}

/// A text that has none of our hooks, with these.
pub fn with(text: &str, entries: &[Entry]) -> Result<String, Refusal> {
    let (mark, body) = split(text);
    let mut body = match is_blank(body) {
        true => NEW.to_owned(),
        false => body.to_owned(),
    };
    check(&body, entries)?;
    for entry in entries {
        body = add(&body, entry);
    }
    Ok(format!("{mark}{body}"))
}

/// A text without our hooks. What became empty by it is gone as well.
pub fn without(text: &str) -> Result<String, Refusal> {
    let (mark, body) = split(text);
    if is_blank(body) {
        return Ok(text.to_owned());
    }
    check(body, &[])?;
    let mut body = body.to_owned();
    while let Some(ours) = ours(&body).into_iter().next() {
        body.replace_range(ours.range, "");
    }
    Ok(format!("{mark}{body}"))
}

/// Our hooks in a text, in their order.
pub fn installed(text: &str) -> Result<Vec<Entry>, Refusal> {
    let (_, body) = split(text);
    if is_blank(body) {
        return Ok(Vec::new());
    }
    check(body, &[])?;
    Ok(ours(body).into_iter().map(|ours| ours.entry).collect())
}

/// Whether the text is that of before with our hooks, and nothing else.
pub fn is_made_from(text: &str, before: &str) -> bool {
    let again = installed(text).and_then(|mut entries| {
        // In the order in which an installation puts them in, which is not that of the
        // text where it has lists for some of them: how one is written may follow another.
        entries.sort_by_key(|entry| place(&entry.event, entry.matcher.as_deref()));
        with(before, &entries)
    });
    again.is_ok_and(|again| again == text)
}

/// Whether the CLI was told to call no hooks at all.
pub fn are_disabled(text: &str) -> bool {
    let (_, body) = split(text);
    let value = serde_json::from_str::<Value>(body).unwrap_or_default();
    value["disableAllHooks"] == Value::Bool(true)
}

fn split(text: &str) -> (&str, &str) {
    match text.strip_prefix(BYTE_ORDER_MARK) {
        Some(body) => (BYTE_ORDER_MARK, body),
        None => ("", text),
    }
}

fn is_blank(body: &str) -> bool {
    skip_space(body.as_bytes(), 0) == body.len()
}

/// After this the text can be scanned, and these entries have their places.
fn check(body: &str, entries: &[Entry]) -> Result<(), Refusal> {
    if let Err(error) = serde_json::from_str::<IgnoredAny>(body) {
        let what = error.to_string();
        let what = what.split(" at line ").next().unwrap_or_default();
        return Err(refusal(body, offset_of(body, &error), what));
    }
    let start = skip_space(body.as_bytes(), 0);
    if !body[start..].starts_with('{') {
        return Err(refusal(body, start, "expected an object"));
    }
    let root = Container::at(body, start);
    let Some(hooks) = value(&root, "hooks", body) else {
        return Ok(());
    };
    let Some(events) = hooks.container(body, b'{') else {
        return Err(refusal(
            body,
            hooks.value.start,
            "hooks: expected an object",
        ));
    };
    for entry in entries {
        if let Some(groups) = value(&events, &entry.event, body)
            && groups.container(body, b'[').is_none()
        {
            let what = format!("hooks.{}: expected a list", entry.event);
            return Err(refusal(body, groups.value.start, &what));
        }
    }
    Ok(())
}

/// The value of a key, if it is more than null.
fn value<'a>(object: &'a Container, key: &str, body: &str) -> Option<&'a Child> {
    object.get(key).filter(|child| child.text(body) != "null")
}

fn refusal(body: &str, offset: usize, what: &str) -> Refusal {
    let before = &body[..offset];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    Refusal {
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
        what: what.to_owned(),
    }
}

/// Where the parser stood: it counts lines, and in them bytes from 1.
fn offset_of(body: &str, error: &serde_json::Error) -> usize {
    let lines = body
        .split_inclusive('\n')
        .take(error.line().saturating_sub(1));
    let line_start: usize = lines.map(str::len).sum();
    let offset = line_start + error.column().saturating_sub(1);
    body.floor_char_boundary(offset.min(body.len()))
}

/// One of our hooks, and what goes with it.
struct Ours {
    entry: Entry,
    range: Range<usize>,
}

fn ours(body: &str) -> Vec<Ours> {
    let root = Container::at(body, skip_space(body.as_bytes(), 0));
    let mut found = Vec::new();
    for (hooks_at, hooks) in root.children.iter().enumerate() {
        let is_hooks = hooks.key.as_deref() == Some("hooks");
        let Some(events) = hooks.container(body, b'{').filter(|_| is_hooks) else {
            continue;
        };
        for (event_at, event) in events.children.iter().enumerate() {
            let Some(groups) = event.container(body, b'[') else {
                continue;
            };
            for (group_at, group) in groups.children.iter().enumerate() {
                let Some(group) = group.container(body, b'{') else {
                    continue;
                };
                let handlers = group
                    .get("hooks")
                    .and_then(|hooks| hooks.container(body, b'['));
                let Some(handlers) = handlers else {
                    continue;
                };
                for (handler_at, handler) in handlers.children.iter().enumerate() {
                    let event = event.key.as_deref().unwrap_or_default();
                    let Some(entry) = entry(body, event, &group, handler) else {
                        continue;
                    };
                    let nested = [
                        (&handlers, handler_at),
                        (&groups, group_at),
                        (&events, event_at),
                        (&root, hooks_at),
                    ];
                    let range = removed(&nested);
                    found.push(Ours { entry, range });
                }
            }
        }
    }
    found
}

fn entry(body: &str, event: &str, group: &Container, handler: &Child) -> Option<Entry> {
    let handler: Value = serde_json::from_str(handler.text(body)).ok()?;
    let handler = handler.as_object()?;
    let command = handler.get("command")?.as_str()?;
    if handler.get("type")? != "command" || !is_ours(command) {
        return None;
    }
    let matcher = group.get("matcher").map(|matcher| matcher.text(body));
    let ours = ["type", "command", "async", "timeout"];
    let is_known = |name: &String| ours.contains(&name.as_str());
    let is_group_known = |child: &Child| matches!(child.key.as_deref(), Some("matcher" | "hooks"));
    Some(Entry {
        event: event.to_owned(),
        matcher: matcher.and_then(super::json::string),
        command: command.to_owned(),
        is_async: handler.get("async") == Some(&Value::Bool(true)),
        timeout: handler
            .get("timeout")
            .and_then(|seconds| u32::try_from(seconds.as_u64()?).ok()),
        is_changed: !handler.keys().all(is_known) || !group.children.iter().all(is_group_known),
    })
}

/// Goes out as far as nothing else is in it.
fn removed(nested: &[(&Container, usize)]) -> Range<usize> {
    let (container, at) = nested
        .iter()
        .find(|(container, _)| container.children.len() > 1)
        .unwrap_or(&nested[nested.len() - 1]);
    let children = &container.children;
    match (*at, children.len()) {
        (_, 1) => container.open + 1..container.close,
        (0, _) => children[0].start..children[1].start,
        (at, _) => children[at - 1].value.end..children[at].value.end,
    }
}

fn add(body: &str, entry: &Entry) -> String {
    let manner = Manner::of(body);
    let root = Container::at(body, skip_space(body.as_bytes(), 0));
    let group = group(entry);
    let event = |group: Json| (entry.event.clone(), Json::Array(vec![group]));
    let Some(hooks) = root.get("hooks") else {
        let hooks = Json::Object(vec![event(group)]);
        return append(body, &root, &manner, |style| member("hooks", &hooks, style));
    };
    let Some(events) = hooks.container(body, b'{') else {
        let hooks_of_ours = Json::Object(vec![event(group)]);
        let style = style_in(body, &root, &manner);
        return replaced(body, hooks, &render(&hooks_of_ours, &style));
    };
    let Some(groups) = events.get(&entry.event) else {
        let (name, groups) = event(group);
        return append(body, &events, &manner, |style| {
            member(&name, &groups, style)
        });
    };
    match groups.container(body, b'[') {
        Some(groups) => append(body, &groups, &manner, |style| render(&group, style)),
        None => {
            let style = style_in(body, &events, &manner);
            replaced(body, groups, &render(&event(group).1, &style))
        }
    }
}

/// One more child, behind those that are there.
fn append(
    body: &str,
    container: &Container,
    manner: &Manner,
    piece: impl Fn(&Style) -> String,
) -> String {
    let style = style_in(body, container, manner);
    let piece = piece(&style);
    let (at, added) = match container.children.last() {
        Some(last) => {
            let lead = manner.lead_of_next(body, container);
            (last.value.end, format!(",{lead}{piece}"))
        }
        None => {
            let space = &body[container.open + 1..container.close];
            let end = match (&style, space.contains('\n')) {
                (Style::Lines { .. }, false) => manner.line_of(body, container.open).lead(),
                _ => String::new(),
            };
            (container.open + 1, format!("{}{piece}{end}", style.lead()))
        }
    };
    format!("{}{added}{}", &body[..at], &body[at..])
}

fn replaced(body: &str, child: &Child, piece: &str) -> String {
    let Range { start, end } = child.value;
    format!("{}{piece}{}", &body[..start], &body[end..])
}

fn group(entry: &Entry) -> Json {
    let name = |name: &str| name.to_owned();
    let mut handler = vec![
        (name("type"), Json::Text("command".into())),
        (name("command"), Json::Text(entry.command.clone())),
    ];
    handler.extend(entry.is_async.then(|| (name("async"), Json::True)));
    handler.extend(
        entry
            .timeout
            .map(|seconds| (name("timeout"), Json::Number(seconds))),
    );
    let matcher = entry.matcher.clone();
    let mut group = Vec::from_iter(matcher.map(|matcher| (name("matcher"), Json::Text(matcher))));
    group.push((name("hooks"), Json::Array(vec![Json::Object(handler)])));
    Json::Object(group)
}
