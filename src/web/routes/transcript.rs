//! `/api/agents/{id}/transcript`: a session's transcript as the CLI wrote it, to be saved.

use axum::{
    body::Body,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

use futures_util::TryStreamExt;
use tracing::warn;

use super::agents::{Id, agent};
use crate::{
    content::{self, Kept, Lost},
    web::{Shared, error::Problem},
};

/// What is missing in it shows in its name; `headspace export` says where. An answer that
/// meets damage on its way ends short of its length.
pub async fn show(State(app): State<Shared>, id: Id) -> Result<Response, Problem> {
    let agent = agent(&app, id).await?;
    let kept = Kept::of(&app.reader, &agent, &app.host).await?;
    let whole = content::whole(&app.reader, kept).await?;
    let kind = match whole.missing {
        0 => "jsonl",
        _ => "incomplete.jsonl",
    };
    let length = whole.length();
    let bytes = whole.bytes().await?.inspect_err(said);
    let name = file_name(&agent.session_uuid);
    let headers = [
        (header::CONTENT_TYPE, "application/x-ndjson".to_owned()),
        (header::CONTENT_LENGTH, length.to_string()),
        (header::CACHE_CONTROL, "no-store".to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}.{kind}\""),
        ),
    ];
    Ok((headers, Body::from_stream(bytes)).into_response())
}

/// A session's uuid comes from a transcript, and a subagent's has a slash.
fn file_name(uuid: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    uuid.chars()
        .map(|c| if is_plain(c) { c } else { '-' })
        .take(120)
        .collect()
}

impl From<Lost> for Problem {
    fn from(lost: Lost) -> Problem {
        match lost {
            Lost::Database(error) => error.into(),
            Lost::Damaged(_) => {
                said(&lost);
                Problem::new(StatusCode::INTERNAL_SERVER_ERROR, lost.to_string())
            }
            lost => Problem::new(StatusCode::NOT_FOUND, lost.to_string()),
        }
    }
}

fn said(lost: &Lost) {
    warn!(%lost, "a transcript cannot be given: {lost}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_has_nothing_that_a_header_or_a_folder_means() {
        assert_eq!(file_name("0b6e-3f_2a"), "0b6e-3f_2a");
        assert_eq!(file_name("a/b\"\r\n;ü../"), "a-b--------");
    }
}
