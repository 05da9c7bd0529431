//! `/api/sessions`: a program registers a session, asks for it, ends it.
//!
//! Both go through the spool, in its order, and are answered when they are in the
//! log, or as accepted when that takes too long.

use std::time::Duration;

use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};
use tokio::time::timeout;

use crate::{
    event::EventType,
    spool::{Body, Registration, Repository, text},
    store::{Filter, read::AgentRow},
    stream::{Start, Subscription},
    web::{App, Shared, error::Problem, post::Post},
};

/// A client waits this long at most for the commit.
const COMMIT_TIMEOUT: Duration = Duration::from_millis(500);
const MAX_NAME: usize = 100;
const MAX_PATH: usize = 4096;

type Address = Result<Path<String>, PathRejection>;

pub async fn register(State(app): State<Shared>, post: Post) -> Result<Response, Problem> {
    let session = registration(&post.json).map_err(Problem::bad_request)?;
    let uuid = session.session_uuid.clone();
    let news = news_of(&app, EventType::SessionRegistered);
    app.intake
        .append(Body::Session { session }, post.place)
        .await?;
    let row = committed(&app, &uuid, news, |row| row.ended_at.is_none()).await;
    Ok(row.map_or_else(accepted, |agent| {
        let body = json!({
            "status": "created", "agent_id": agent.id, "session_uuid": agent.session_uuid,
            "project_id": agent.project_id, "project_name": agent.project_name,
        });
        (StatusCode::CREATED, Json(body)).into_response()
    }))
}

pub async fn show(State(app): State<Shared>, uuid: Address) -> Result<Json<AgentRow>, Problem> {
    let row = app.reader.session(&known_as(uuid)?).await?;
    row.map(Json)
        .ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "there is no such session"))
}

/// One that is unknown may be in the spool still, so this goes there as well.
pub async fn end(State(app): State<Shared>, uuid: Address) -> Result<Response, Problem> {
    let session_uuid = known_as(uuid)?;
    let uuid = session_uuid.clone();
    let place = app.intake.place().await?;
    let news = news_of(&app, EventType::SessionEnded);
    let body = Body::Unregistered { session_uuid };
    app.intake.append(body, place).await?;
    let row = committed(&app, &uuid, news, |row| row.ended_at.is_some()).await;
    Ok(row.map_or_else(accepted, |_| {
        Json(json!({"status": "ended", "session_uuid": uuid})).into_response()
    }))
}

pub(super) fn accepted() -> Response {
    (StatusCode::ACCEPTED, Json(json!({"status": "accepted"}))).into_response()
}

/// From before the append on, so that no commit is missed.
pub(super) fn news_of(app: &App, kind: EventType) -> Subscription {
    let filter = Filter {
        types: vec![kind],
        ..Filter::default()
    };
    app.hub.subscribe(filter, Start::Live)
}

/// The session's row once it is as wanted; looked at again with each piece of news.
pub(super) async fn committed(
    app: &App,
    uuid: &str,
    mut news: Subscription,
    wanted: impl Fn(&AgentRow) -> bool,
) -> Option<AgentRow> {
    let row = async {
        loop {
            if let Ok(Some(row)) = app.reader.session(uuid).await
                && wanted(&row)
            {
                return row;
            }
            news.next().await;
        }
    };
    timeout(COMMIT_TIMEOUT, row).await.ok()
}

fn known_as(uuid: Address) -> Result<String, Problem> {
    let Path(uuid) = uuid.map_err(|_| Problem::bad_request("the session's name is no UTF-8"))?;
    match is_name(&uuid) {
        true => Ok(uuid),
        false => Err(Problem::bad_request("session_uuid: expected a uuid")),
    }
}

fn registration(json: &[u8]) -> Result<Registration, String> {
    let fields: Map<String, Value> = serde_json::from_slice(json)
        .map_err(|error| format!("not a JSON object: line {}", error.line()))?;
    let session_uuid = text(&fields, "session_uuid")?.to_owned();
    if !is_name(&session_uuid) {
        return Err("field session_uuid: expected a uuid".into());
    }
    let folder = |name: &str| match text(&fields, name)? {
        path if path.starts_with('/') && path.len() <= MAX_PATH => Ok(path.to_owned()),
        _ => Err(format!("field {name}: expected an absolute path")),
    };
    let given = |name: &str| fields.get(name).is_some_and(|value| !value.is_null());
    let pane = |name: &str| match text(&fields, name)? {
        pane if pane.len() <= MAX_NAME => Ok(pane.to_owned()),
        _ => Err(format!("field {name}: longer than {MAX_NAME} bytes")),
    };
    Ok(Registration {
        session_uuid,
        project_path: folder("project_path")?,
        working_directory: given("working_directory")
            .then(|| folder("working_directory"))
            .transpose()?,
        iterm_pane_id: given("iterm_pane_id")
            .then(|| pane("iterm_pane_id"))
            .transpose()?,
        repository: Repository::default(),
    })
}

/// A subagent's name, which has a slash, is none that a program may register.
fn is_name(uuid: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !uuid.is_empty() && uuid.len() <= MAX_NAME && uuid.bytes().all(plain)
}
