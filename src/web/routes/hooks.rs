//! `/hook`: a hook of the CLI by HTTP, on disk before the answer.

use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
};
use serde_json::{Map, Value, json};

use crate::{
    spool::{Body, HOOK_NEEDS, text},
    web::{Shared, error::Problem, post::Post},
};

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

async fn append(app: &Shared, post: Post, name: Option<String>) -> Result<Json<Value>, Problem> {
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
