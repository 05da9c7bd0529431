//! The page and what it loads, built into the program.

use axum::{http::header, response::IntoResponse};

pub async fn index() -> impl IntoResponse {
    file(
        "text/html; charset=utf-8",
        include_str!("assets/index.html"),
    )
}

pub async fn app() -> impl IntoResponse {
    file(
        "text/javascript; charset=utf-8",
        include_str!("assets/app.js"),
    )
}

pub async fn sse_client() -> impl IntoResponse {
    file(
        "text/javascript; charset=utf-8",
        include_str!("assets/sse-client.js"),
    )
}

pub async fn style() -> impl IntoResponse {
    file("text/css; charset=utf-8", include_str!("assets/style.css"))
}

pub async fn icon() -> impl IntoResponse {
    file("image/svg+xml", include_str!("assets/icon.svg"))
}

/// Asked for anew each time: a new version of the program is a new page.
fn file(kind: &'static str, text: &'static str) -> impl IntoResponse {
    (
        [
            (header::CONTENT_TYPE, kind),
            (header::CACHE_CONTROL, "no-cache"),
        ],
        text,
    )
}
