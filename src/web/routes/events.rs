//! `/api/events`: a page of events, or the stream for a client that accepts one.

use axum::{
    Json, RequestExt,
    extract::{Request, State},
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    query::{PageQuery, Query},
    stream,
};
use crate::{
    store::Stored,
    web::{Shared, error::Problem},
};

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Events")]
pub struct PageBody {
    events: Vec<Stored>,
    /// Ask with `before` of this for the next older ones.
    next_before: Option<i64>,
    /// Follow the stream from here to miss nothing; some of the events above
    /// may come again when commits overlap.
    follow_after: i64,
}

pub async fn show(app: State<Shared>, mut request: Request) -> Result<Response, Problem> {
    if wants_stream(request.headers()) {
        let query = request.extract_parts().await?;
        return stream::show(app, query, request.headers().clone()).await;
    }
    let Query(query) = request.extract_parts().await?;
    page(&app, query).await
}

/// The end is asked for before the page, so that what is committed in between
/// is in the page, or comes by the stream, or both, but never in neither.
async fn page(app: &Shared, query: PageQuery) -> Result<Response, Problem> {
    let (before, after, limit) = (query.before(), query.after(), query.limit());
    let follow_after = app.reader.settled().await?;
    let page = app
        .reader
        .page(&query.filter(), before, after, limit)
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
