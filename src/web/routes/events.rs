//! `/api/events`: pages and the stream.

use axum::{
    Extension, Json,
    body::Body,
    extract::State,
    http::{HeaderMap, Uri, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::query;
use crate::{
    store::Stored,
    web::{Shared, door::Client, error::Problem},
};

#[derive(Serialize)]
struct PageBody {
    events: Vec<Stored>,
    /// Ask with `before` of this for the next older ones.
    next_before: Option<i64>,
    /// Follow the stream from here to miss nothing; some of the events above
    /// may come again when commits overlap.
    follow_after: i64,
}

pub async fn page_or_stream(
    app: State<Shared>,
    client: Extension<Client>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if wants_stream(&headers) {
        return stream(app, client, uri, headers).await;
    }
    page(&app, &uri).await
}

pub async fn stream(
    State(app): State<Shared>,
    Extension(client): Extension<Client>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let query = query::stream(&uri, &headers)?;
    let wire = app.hub.connect(query.filter, query.start).ok_or_else(|| {
        let settings = app.hub.settings();
        let detail = format!("all {} streams are taken", settings.max_connections);
        Problem::busy(detail, settings.retry_after.as_secs())
    })?;
    client.streams();
    let headers = [
        (header::CONTENT_TYPE.as_str(), "text/event-stream"),
        (header::CACHE_CONTROL.as_str(), "no-cache"),
        ("x-accel-buffering", "no"),
    ];
    Ok((headers, Body::from_stream(wire)).into_response())
}

/// The end is asked for before the page, so that what is committed in between
/// is in the page, or comes by the stream, or both, but never in neither.
async fn page(app: &Shared, uri: &Uri) -> Result<Response, Problem> {
    let query = query::page(uri)?;
    let follow_after = app.reader.settled().await?;
    let page = app
        .reader
        .page(&query.filter, query.before, query.after, query.limit)
        .await?;
    let oldest = page.events.last().map(|event| event.id);
    let body = PageBody {
        next_before: oldest.filter(|_| page.more),
        events: page.events,
        follow_after,
    };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response())
}

fn wants_stream(headers: &HeaderMap) -> bool {
    let mut accepted = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok());
    accepted.any(|value| {
        value.split(',').any(|kind| {
            let name = kind.split(';').next().unwrap_or("").trim();
            name.eq_ignore_ascii_case("text/event-stream")
        })
    })
}
