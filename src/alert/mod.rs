//! Tells a person what waits, outside of pages and terminal.
//!
//! In: the rows of agents, and word that something was committed.
//! Out: messages, in up to three ways: the desktop, a webhook, a command.
//!
//! ```text
//! news ─▶ rows ─▶ waits (show) ─▶ timing: a plan for each way ─▶ row in `alerts` ─▶ worker of the way
//! ```
//!
//! Promises
//! - the watcher sends one alert of each wait in each way, and one more if the wait lasts:
//!   the alert's row is committed before it is sent, and what fails on the way is not sent again
//! - a wait that is answered, seen or put off in its grace has no alert; later, its alert
//!   is withdrawn
//! - waits that were old when the watcher found them share one message
//! - there are never more than three messages in ten seconds in one way
//! - capture never waits for an alert, and no failure of one ends the watcher
//! - text of a session is text: it is no markup, no escape sequence, no shell's word
//!
//! Not here: what a wait is and its words (`show`); alerts of a browser (`assets`).

mod message;
mod news;
mod run;
#[cfg(test)]
mod tests;
mod text;
mod timing;
mod ways;

use std::sync::Arc;

use crate::store::{Writer, read::Reader};

pub use message::{Shape, Subject};
pub use news::News;
pub use ways::{DESKTOP_PROGRAM, Webhook};

#[derive(Clone, PartialEq, Eq)]
pub struct Options {
    /// The watcher alerts of this host's agents only.
    pub host: String,
    pub desktop: bool,
    pub webhook: Option<Webhook>,
    /// A program and its arguments.
    pub command: Option<Vec<String>>,
    /// Also long turns that are over.
    pub finished: bool,
}

/// Tells until it is dropped, and nothing where no way is set. What is on its way then
/// still goes out while the process lives. It never ends by itself.
pub async fn run(options: Options, reader: Reader, writer: Writer, news: Arc<News>) {
    let ways = ways::of(&options);
    if ways.is_empty() {
        return std::future::pending().await;
    }
    let names: Vec<&str> = ways.iter().map(ways::Way::name).collect();
    let names = names.join(", ");
    tracing::info!(ways = names, "alerts go out by {names}");
    run::Teller::new(&options, ways, reader, writer, news)
        .run()
        .await;
}
