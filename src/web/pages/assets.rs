//! What pages load, built into the program. A browser asks each time whether its copy is
//! still the program's, so that a new version of the program is a new page.

use std::fmt::Write;

use axum::{
    extract::RawQuery,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use sha2::{Digest, Sha256};

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

pub async fn app(headers: HeaderMap) -> Response {
    file(&headers, JAVASCRIPT, include_str!("../../../assets/app.js"))
}

pub async fn alerts(headers: HeaderMap) -> Response {
    file(
        &headers,
        JAVASCRIPT,
        include_str!("../../../assets/alerts.js"),
    )
}

pub async fn keys(headers: HeaderMap) -> Response {
    file(
        &headers,
        JAVASCRIPT,
        include_str!("../../../assets/keys.js"),
    )
}

pub async fn talk(headers: HeaderMap) -> Response {
    file(
        &headers,
        JAVASCRIPT,
        include_str!("../../../assets/talk.js"),
    )
}

pub async fn problem(headers: HeaderMap) -> Response {
    file(
        &headers,
        JAVASCRIPT,
        include_str!("../../../assets/problem.js"),
    )
}

pub async fn sse_client(headers: HeaderMap) -> Response {
    file(
        &headers,
        JAVASCRIPT,
        include_str!("../../../assets/sse-client.js"),
    )
}

pub async fn htmx(headers: HeaderMap) -> Response {
    file(
        &headers,
        JAVASCRIPT,
        include_str!("../../../assets/htmx.js"),
    )
}

pub async fn style(headers: HeaderMap) -> Response {
    let kind = "text/css; charset=utf-8";
    file(&headers, kind, include_str!("../../../assets/style.css"))
}

/// `?n=2`: with the number of sessions that need you in it.
pub async fn icon(RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let query = query.unwrap_or_default();
    let number = query.strip_prefix("n=").and_then(|n| n.parse().ok());
    file(&headers, "image/svg+xml", &drawn(number.unwrap_or(0)))
}

fn drawn(number: u32) -> String {
    let (colour, text) = match number {
        0 => ("#6b6f76", "h".to_owned()),
        1..=9 => ("#b3261e", number.to_string()),
        _ => ("#b3261e", "9+".to_owned()),
    };
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 32 32\">\
         <rect width=\"32\" height=\"32\" rx=\"7\" fill=\"{colour}\"/>\
         <text x=\"16\" y=\"23\" font-family=\"system-ui,sans-serif\" font-weight=\"700\" \
         font-size=\"20\" text-anchor=\"middle\" fill=\"#fff\">{text}</text></svg>"
    )
}

fn file(headers: &HeaderMap, kind: &'static str, text: &str) -> Response {
    let tag = tag(text);
    let own = [
        (header::CACHE_CONTROL, "no-cache".to_owned()),
        (header::ETAG, tag.clone()),
    ];
    let known = headers.get(header::IF_NONE_MATCH);
    if known.is_some_and(|known| known.as_bytes() == tag.as_bytes()) {
        return (StatusCode::NOT_MODIFIED, own).into_response();
    }
    (own, [(header::CONTENT_TYPE, kind)], text.to_owned()).into_response()
}

/// What the text is, in a few letters.
fn tag(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    let mut tag = String::from("\"");
    for byte in &digest[..8] {
        let _ = write!(tag, "{byte:02x}");
    }
    tag + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_ours_is_what_its_note_says() {
        let note = include_str!("../../../assets/htmx.md");
        let digest = Sha256::digest(include_bytes!("../../../assets/htmx.js"));
        assert!(note.contains(&crate::event::hex(&digest)), "{note}");
    }

    #[test]
    fn the_icon_counts_to_nine() {
        for (number, text) in [(0, ">h<"), (2, ">2<"), (9, ">9<"), (10, ">9+<")] {
            assert!(drawn(number).contains(text));
        }
    }
}
