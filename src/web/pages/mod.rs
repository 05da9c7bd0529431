//! What people look at: home, sessions, the log.
//!
//! In: requests of a browser; rows of the store, the verdict of `/health`.
//! Out: whole pages, and fragments: the same page without its head, which takes the
//! place of the one that is shown.
//!
//! ```text
//! rows ─▶ Inbox ─▶ Frame, Home | Session | Log ─▶ templates/ ─▶ HTML ◀─ assets/
//! ```
//!
//! Promises
//! - a page is whole without JavaScript; with it, it stays true by itself
//! - text of a transcript is text; what agents write is Markdown that can do nothing
//! - nothing is inline: no script, no style, no handler
//! - a page's size has bounds, whatever the log holds
//!
//! Not here: what a session shows as and its words (`show`), questions (`store::read`).

pub mod assets;
mod beside;
mod call;
mod choice;
mod conversation;
mod frame;
mod home;
mod inbox;
mod links;
mod log;
mod markdown;
mod problem;
mod rows;
mod session;
mod subagents;
mod today;
mod visible;
mod waits;
mod when;

use askama::Template;
use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

use super::error::Problem;

pub use call::{fragment as call_fragment, show as call};
pub use home::{fragment as home_fragment, show as home};
pub use inbox::History;
pub use log::{event, fragment as log_fragment, show as log};
pub use problem::explain;
pub use session::{fragment as session_fragment, show as session, why};
pub use today::TodayReader;

type Answer = Result<Response, Problem>;

/// A page, or a part of one, as an answer.
fn html(page: &impl Template) -> Answer {
    let text = page.render().map_err(|error| {
        tracing::error!(%error, "a page could not be made: {error}");
        Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "this page could not be made",
        )
    })?;
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, text).into_response())
}
