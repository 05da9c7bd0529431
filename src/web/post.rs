//! The body of a request that writes: JSON, of bounded size, in bounded time.
//!
//! A page of a foreign site can send a body only as a form or as plain text, unless
//! a preflight allows more, and none is ever answered. So JSON comes from a program.

use std::time::Duration;

use axum::{
    body::Body,
    extract::{FromRequest, Request},
    http::{HeaderMap, StatusCode, header},
};
use futures_util::StreamExt;
use tokio::{sync::OwnedSemaphorePermit, time::timeout};

use super::{Shared, error::Problem};
use crate::spool::MAX_HOOK;

/// All of the body must be here by then.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);
/// So much of a body that is too large is read and dropped: a client that is still
/// sending could not read the answer.
const DROPPED_BYTES: usize = 16 * MAX_HOOK;

/// A body, and its place among those that may be held at once.
pub struct Post {
    pub json: Vec<u8>,
    pub place: OwnedSemaphorePermit,
}

impl FromRequest<Shared> for Post {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Shared) -> Result<Post, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "Content-Type: expected application/json",
            ));
        }
        let place = app.intake.place().await?;
        let json = timeout(BODY_TIMEOUT, read(request.into_body()));
        let json = json.await.map_err(|_| {
            let status = StatusCode::REQUEST_TIMEOUT;
            Problem::new(status, "timed out while reading the body")
        })??;
        Ok(Post { json, place })
    }
}

async fn read(body: Body) -> Result<Vec<u8>, Problem> {
    let (mut bytes, mut length) = (Vec::new(), 0);
    let mut parts = body.into_data_stream();
    while length <= DROPPED_BYTES
        && let Some(part) = parts.next().await
    {
        let part = part.map_err(|_| Problem::bad_request("the body is not whole"))?;
        length += part.len();
        if length <= MAX_HOOK {
            bytes.extend_from_slice(&part);
        }
    }
    match length <= MAX_HOOK {
        true => Ok(bytes),
        false => Err(Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body is larger than {MAX_HOOK} bytes"),
        )),
    }
}

/// Exactly this type, with no parameter but the one charset that JSON has.
fn is_json(headers: &HeaderMap) -> bool {
    let mut given = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(kind), None) = (given.next(), given.next()) else {
        return false;
    };
    let kind = kind.to_str().unwrap_or_default().to_ascii_lowercase();
    let (name, parameter) = kind.split_once(';').unwrap_or((&kind, "charset=utf-8"));
    name.trim() == "application/json"
        && matches!(parameter.trim(), "charset=utf-8" | "charset=\"utf-8\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_json_is_json() {
        let verdict = |kinds: &[&str]| {
            let mut headers = HeaderMap::new();
            for kind in kinds {
                headers.append(header::CONTENT_TYPE, kind.parse().unwrap());
            }
            is_json(&headers)
        };
        for kind in [
            "application/json",
            "Application/JSON",
            "application/json; charset=utf-8",
            "application/json;charset=\"UTF-8\"",
        ] {
            assert!(verdict(&[kind]), "{kind}");
        }
        for kind in [
            "",
            "text/plain",
            "text/plain; application/json",
            "text/plain;charset=application/json",
            "application/x-www-form-urlencoded",
            "application/json, text/plain",
            "application/json; charset=utf-16",
            "application/json; charset=utf-8; x=y",
            "application/jsonp",
            "application/ld+json",
        ] {
            assert!(!verdict(&[kind]), "{kind}");
        }
        assert!(!verdict(&[]));
        assert!(!verdict(&["application/json", "text/plain"]));
    }
}
