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
    title: String,
    detail: String,
    /// The name that is not served.
    host: Option<String>,
    /// The page asks again by itself.
    is_passing: bool,
}

/// Around everything, the guard too: its refusals are answers to people as well.
pub async fn explain(request: Request, next: Next) -> Response {
    let wants_page = wants_page(request.headers());
    let host = request.headers().get(header::HOST);
    let host = host.map(|host| String::from_utf8_lossy(host.as_bytes()).into_owned());
    let response = next.run(request).await;
    match response.extensions().get::<Said>().cloned() {
        Some(said) if wants_page => page(response, said, host),
        _ => response,
    }
}

fn wants_page(headers: &HeaderMap) -> bool {
    let accepted = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok());
    !headers.contains_key("hx-request") && accepted.is_some_and(|kinds| kinds.contains("text/html"))
}

fn page(mut response: Response, said: Said, host: Option<String>) -> Response {
    let status = response.status();
    let is_refused = status == StatusCode::FORBIDDEN && said.0.contains("Host");
    let page = Page {
        status: status.as_u16(),
        title: status.canonical_reason().unwrap_or("Problem").to_owned(),
        detail: said.0,
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
