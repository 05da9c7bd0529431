//! `/hook`: a hook of the CLI by HTTP, on disk before the answer.

use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
    http::header,
    response::IntoResponse,
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{
    event::Timestamp,
    spool::{Body, HOOK_NEEDS, is_of_cli, text},
    store::read::{HookRow, UtcText},
    web::{Shared, error::Problem, post::Post},
};

/// When none came for this long, hooks are taken for switched off.
const SILENT_SECONDS: u64 = 300;

/// Any hook.
pub async fn take(State(app): State<Shared>, post: Post) -> Result<Json<Value>, Problem> {
    append(&app, post, None).await
}

/// A hook whose address may name it.
pub async fn take_named(
    State(app): State<Shared>,
    name: Result<Path<String>, PathRejection>,
    post: Post,
) -> Result<Json<Value>, Problem> {
    let Path(name) = name.map_err(|_| Problem::bad_request("the hook's name is no UTF-8"))?;
    append(&app, post, Some(hook_name(&name))).await
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "HookStatus")]
pub struct Status {
    mode: Mode,
    last_event: Option<LastEvent>,
    hooks: Vec<HookRow>,
}

#[derive(Serialize, JsonSchema)]
struct LastEvent {
    hook_type: String,
    received_at: UtcText,
}

/// What tells at present what sessions do: their hooks, or their files alone.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "HookMode")]
enum Mode {
    Hooks,
    Polling,
    /// Hooks are not taken in.
    Off,
}

/// The hooks in the log.
pub async fn status(State(app): State<Shared>) -> Result<impl IntoResponse, Problem> {
    let hooks = app.reader.hooks().await?;
    let last = hooks.iter().find(|row| is_of_cli(&row.hook_type));
    let status = Status {
        mode: match app.hooks {
            true => mode(last.map(|last| &*last.last_received_at), Timestamp::now()),
            false => Mode::Off,
        },
        last_event: last.map(|last| LastEvent {
            hook_type: last.hook_type.clone(),
            received_at: last.last_received_at.clone(),
        }),
        hooks,
    };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(status)))
}

fn mode(last: Option<&str>, now: Timestamp) -> Mode {
    let last = last.and_then(Timestamp::parse);
    match last.is_some_and(|last| now.seconds_since(last) < SILENT_SECONDS) {
        true => Mode::Hooks,
        false => Mode::Polling,
    }
}

async fn append(app: &Shared, post: Post, name: Option<String>) -> Result<Json<Value>, Problem> {
    if !app.hooks {
        return Ok(Json(json!({})));
    }
    let length = post.json.len() as u64;
    let body = match Body::of_hook(&post.json, length) {
        Body::Hook { hook, .. } => hook_of(hook, name)?,
        Body::Garbage { reason, .. } => return Err(Problem::bad_request(reason)),
        other => other,
    };
    app.intake.append(body, post.place).await?;
    Ok(Json(json!({})))
}

/// The hook, with what it needs. The CLI's own name for it goes before the address's.
fn hook_of(mut hook: Map<String, Value>, name: Option<String>) -> Result<Body, Problem> {
    if let Some(name) = name {
        let field = hook.entry("hook_event_name");
        field.or_insert(Value::String(name));
    }
    for field in HOOK_NEEDS {
        text(&hook, field).map_err(Problem::bad_request)?;
    }
    Ok(Body::Hook {
        hook,
        sender: None,
        cut_from_bytes: None,
    })
}

/// As the CLI writes it: `session-start` is `SessionStart`.
fn hook_name(in_address: &str) -> String {
    let capitalised = |word: &str| {
        let mut letters = word.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    };
    in_address.split('-').map(capitalised).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hooks_are_the_mode_until_none_came_for_a_while() {
        let mode = |last: Option<&str>| mode(last, Timestamp::from_micros(1_000_000_000));
        assert_eq!(mode(None), Mode::Polling);
        assert_eq!(mode(Some("1970-01-01T00:16:30.000000Z")), Mode::Hooks);
        assert_eq!(mode(Some("1970-01-01T00:11:41.000000Z")), Mode::Hooks);
        assert_eq!(mode(Some("1970-01-01T00:11:40.000000Z")), Mode::Polling);
    }

    #[test]
    fn an_address_names_its_hook_as_the_cli_does() {
        for (address, name) in [
            ("session-start", "SessionStart"),
            ("user-prompt-submit", "UserPromptSubmit"),
            ("stop", "Stop"),
            ("Stop", "Stop"),
            ("PreToolUse", "PreToolUse"),
            ("made-up-later", "MadeUpLater"),
            ("a--b", "AB"),
        ] {
            assert_eq!(hook_name(address), name);
        }
    }
}
