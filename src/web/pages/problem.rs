//! A problem as a page, for a browser that asked for one.

use askama::Template;
use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::Next,
    response::Response,
};

use crate::web::error::Said;

#[derive(Template)]
#[template(path = "problem.html")]
struct Page {
    status: u16,
    title: &'static str,
    detail: Option<String>,
    advice: Option<&'static str>,
    /// The name that is not served.
    host: Option<String>,
    /// The page asks again by itself.
    is_passing: bool,
}

/// Around everything, the guard too: its refusals are answers to people as well.
pub async fn explain(request: Request, next: Next) -> Response {
    let wants_page = wants_page(request.headers());
    let path = request.uri().path().to_owned();
    let host = request.headers().get(header::HOST);
    let host = host.map(|host| String::from_utf8_lossy(host.as_bytes()).into_owned());
    let response = next.run(request).await;
    match response.extensions().get::<Said>().cloned() {
        Some(said) if wants_page => page(response, &path, said, host),
        _ => response,
    }
}

fn wants_page(headers: &HeaderMap) -> bool {
    let accepted = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok());
    !headers.contains_key("hx-request") && accepted.is_some_and(|kinds| kinds.contains("text/html"))
}

fn page(mut response: Response, path: &str, said: Said, host: Option<String>) -> Response {
    let status = response.status();
    let is_refused = status == StatusCode::FORBIDDEN && said.0.contains("Host");
    let words = words(status, path, is_refused);
    let page = Page {
        status: status.as_u16(),
        title: words.title,
        detail: words.has_cause.then_some(said.0),
        advice: words.advice,
        host: host.filter(|_| is_refused),
        is_passing: status == StatusCode::SERVICE_UNAVAILABLE,
    };
    let Ok(text) = page.render() else {
        return response;
    };
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    headers.remove(header::CONTENT_LENGTH);
    *response.body_mut() = Body::from(text);
    response
}

/// What is wrong, for a person, and what to do. Of what is not there the cause adds nothing.
struct Words {
    title: &'static str,
    has_cause: bool,
    advice: Option<&'static str>,
}

fn words(status: StatusCode, path: &str, is_refused: bool) -> Words {
    let missing = |title, advice| Words {
        title,
        has_cause: false,
        advice: Some(advice),
    };
    let failed = |title, advice| Words {
        title,
        has_cause: true,
        advice,
    };
    let removed = "It may have been removed, or the address is of another database.";
    let page = path.strip_prefix("/fragments").unwrap_or(path);
    match status {
        StatusCode::NOT_FOUND if page.starts_with("/api/") => failed("Not there", None),
        StatusCode::NOT_FOUND if page.contains("/calls/") => missing("No such call", removed),
        StatusCode::NOT_FOUND if page.starts_with("/agents/") => {
            missing("No such session", removed)
        }
        StatusCode::NOT_FOUND if page.starts_with("/log/") => missing("No such event", removed),
        StatusCode::NOT_FOUND => missing(
            "No such page",
            "The address may be cut, or of another version.",
        ),
        StatusCode::BAD_REQUEST => failed("This address is not right", None),
        StatusCode::FORBIDDEN if is_refused => failed("This name is not served", None),
        StatusCode::FORBIDDEN => failed("Not allowed", None),
        StatusCode::SERVICE_UNAVAILABLE => failed("Not available at the moment", None),
        status if status.is_server_error() => failed(
            "Something is broken",
            Some("The log of the web process says more; headspace doctor looks at all of it."),
        ),
        _ => failed("Not possible here", None),
    }
}
