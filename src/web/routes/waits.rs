//! `/api/waits`: what a browser may alert of, in the words of every alert.

use axum::{Json, extract::State, http::header, response::IntoResponse};
use jiff::Zoned;
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    alert::Subject,
    show,
    web::{Shared, error::Problem},
};

#[derive(Serialize, JsonSchema)]
pub struct Waits {
    waits: Vec<Subject>,
}

/// Those that no person has seen or put off.
pub async fn list(State(app): State<Shared>) -> Result<impl IntoResponse, Problem> {
    let rows = app.reader.waiting(None).await?;
    let waits = show::waits(&rows, app.alerts_finished, &Zoned::now());
    let waits = waits.iter().map(Subject::of).collect();
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(Waits { waits })))
}
