//! `/api/agents/{id}/seen` and `/snooze`: a person looked at a session, or puts it off;
//! `/go`: a person wants to be at its terminal.
//!
//! The first two go through the spool, in its order, and are answered when they are in the
//! log, or as accepted when that takes too long. The third runs what the terminal documents,
//! as the user of this process, and leaves no trace.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::json;

use super::{
    agents::{Id, agent},
    sessions::{accepted, committed, news_of},
};
use crate::{
    event::{EventType, Timestamp},
    spool::Body,
    terminal,
    web::{Shared, error::Problem, post::Post},
};

const SNOOZE_MINUTES: u64 = 10;
/// Subagents below subagents.
const MAX_DEPTH: usize = 16;
const MAX_MINUTES: u64 = 7 * 24 * 60;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Snooze {
    minutes: Option<u64>,
}

pub async fn seen(State(app): State<Shared>, id: Id, post: Post) -> Result<Response, Problem> {
    let Nothing {} = fields(&post)?;
    view(&app, id, post, None).await
}

pub async fn snooze(State(app): State<Shared>, id: Id, post: Post) -> Result<Response, Problem> {
    let minutes = fields::<Snooze>(&post)?.minutes.unwrap_or(SNOOZE_MINUTES);
    if !(1..=MAX_MINUTES).contains(&minutes) {
        let detail = format!("field minutes: expected an integer from 1 to {MAX_MINUTES}");
        return Err(Problem::bad_request(detail));
    }
    let until = Timestamp::now().plus_seconds(minutes * 60);
    view(&app, id, post, Some(until)).await
}

/// A subagent is where its session is.
pub async fn go(State(app): State<Shared>, id: Id, post: Post) -> Result<Response, Problem> {
    let Nothing {} = fields(&post)?;
    // The way to a terminal takes seconds if it does not answer, and holds no body.
    drop(post);
    let mut agent = agent(&app, id).await?;
    for _ in 0..MAX_DEPTH {
        let Some(parent) = agent.parent_agent_id else {
            break;
        };
        agent = self::agent(&app, Ok(Path(parent))).await?;
    }
    match terminal::reach(&agent, &app.host).await {
        Ok(said) => Ok(Json(json!({"status": "shown", "said": said})).into_response()),
        Err(why) => Err(Problem::new(StatusCode::CONFLICT, why)),
    }
}

async fn view(
    app: &Shared,
    id: Id,
    post: Post,
    until: Option<Timestamp>,
) -> Result<Response, Problem> {
    let session_uuid = agent(app, id).await?.session_uuid;
    let (uuid, now) = (session_uuid.clone(), Timestamp::now().to_string());
    let until = until.map(|until| until.to_string());
    let news = news_of(app, EventType::SessionViewed);
    let body = Body::Viewed {
        session_uuid,
        snoozed_until: until.clone(),
    };
    app.intake.append(body, post.place).await?;
    let row = committed(app, &uuid, news, |row| {
        row.viewed_at.as_deref() >= Some(now.as_str())
    });
    Ok(row.await.map_or_else(accepted, |_| {
        Json(json!({"status": "seen", "snoozed_until": until})).into_response()
    }))
}

/// The body's fields; no body has none.
fn fields<'a, T: Deserialize<'a>>(post: &'a Post) -> Result<T, Problem> {
    let json = match post.json.trim_ascii() {
        [] => b"{}",
        json => json,
    };
    serde_json::from_slice(json).map_err(|error| Problem::bad_request(error.to_string()))
}
