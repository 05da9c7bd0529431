//! `/api/events/stream`: the log as it grows.

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};

use super::query::{Query, StreamQuery};
use crate::{
    stream::Start,
    web::{Shared, door::IsStream, error::Problem},
};

pub async fn show(
    State(app): State<Shared>,
    Query(query): Query<StreamQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let start = start(&query, &headers);
    let wire = app.hub.connect(query.filter(), start).ok_or_else(|| {
        let settings = app.hub.settings();
        let detail = format!("all {} streams are taken", settings.max_connections);
        Problem::busy(detail, settings.retry_after.as_secs())
    })?;
    let headers = [
        (header::CONTENT_TYPE.as_str(), "text/event-stream"),
        (header::CACHE_CONTROL.as_str(), "no-cache"),
        ("x-accel-buffering", "no"),
    ];
    let mut response = (headers, Body::from_stream(wire)).into_response();
    response.extensions_mut().insert(IsStream);
    Ok(response)
}

/// A browser that reconnects by itself sends the header, which is newer than
/// what its address says.
fn start(query: &StreamQuery, headers: &HeaderMap) -> Start {
    match headers.get("last-event-id").filter(|id| !id.is_empty()) {
        Some(id) => id.to_str().map_or(Start::Garbage, Start::parse),
        None => query.last_event_id().map_or(Start::Live, Start::parse),
    }
}
