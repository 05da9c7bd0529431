//! The log over HTTP, for people and programs on this machine.
//!
//! In: requests of the same user, on loopback TCP or a unix socket.
//! Out: the stream, pages of events, health, and the page that shows them.
//!
//! Promises
//! - every route is behind the [`guard`](door::guard): a web page of another
//!   origin, a rebound name and another user of this machine get nothing
//! - `/health` answers within 80 ms, whatever the database and the
//!   service manager do
//! - an accepted client gets an answer, even when the stop comes right after
//! - headers, addresses, connections and waiting have bounds
//! - nothing is written but lines of the spool, each on disk before its answer;
//!   the database is only read
//!
//! Not here: which events a reader gets and when (`stream`), SQL (`store`).

mod door;
mod error;
mod intake;
mod pages;
mod post;
mod requests;
mod routes;
#[cfg(test)]
mod tests;

use std::{
    io,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router, middleware,
    routing::{self, get},
};
use tokio_util::sync::CancellationToken;

pub use door::{Listener, answer_unavailable, bind_tcp, bind_unix};

use crate::{store::read::Reader, stream::Hub};
use door::{Hosts, guard};
use intake::Intake;
use pages::assets;
use requests::Requests;
use routes::{
    agents, events,
    health::{self, Facts},
    hooks, metrics, openapi, sessions, stream, transcript, views, waits,
};

#[derive(Debug, Clone)]
pub struct Settings {
    /// Names the page may be reached by, beside those of loopback, with port.
    pub hosts: Vec<String>,
    /// The folders whose sessions the watcher looks for, for people.
    pub roots: Vec<String>,
    /// How the watcher's row names this machine.
    pub host: String,
    pub state: PathBuf,
    pub run: PathBuf,
    /// Hooks are taken in; else they are answered and nothing more.
    pub hooks: bool,
    /// Browsers alert of long turns that are over, too.
    pub alerts_finished: bool,
    /// A connection that takes no data for this long is closed.
    pub connection_timeout: Duration,
    /// How long open connections may take to end after the shutdown began.
    pub drain: Duration,
    /// A process whose sockets the service manager keeps may exit when no client
    /// was connected for this long.
    pub idle_timeout: Option<Duration>,
}

/// What handlers share.
struct App {
    reader: Reader,
    hub: Hub,
    facts: Facts,
    intake: Intake,
    hooks: bool,
    alerts_finished: bool,
    /// How the watcher's row names this machine.
    host: String,
    hosts: Hosts,
    roots: Vec<String>,
    today: pages::TodayReader,
    history: pages::History,
    requests: Requests,
    started: Instant,
}

type Shared = Arc<App>;

/// Serves until `shutdown`, then ends streams with `event: close`, answers the
/// accepted clients and returns within `settings.drain`. Exiting because no client
/// is connected cancels `shutdown` as well.
pub async fn serve(
    settings: Settings,
    reader: Reader,
    hub: Hub,
    listeners: Vec<Listener>,
    shutdown: CancellationToken,
) -> io::Result<()> {
    for listener in &listeners {
        listener.check_is_local()?;
    }
    let app = Arc::new(App {
        hosts: Hosts::new(&settings.hosts, listeners.iter().filter_map(Listener::tcp)),
        facts: Facts::new(reader.clone(), &settings),
        hooks: settings.hooks,
        alerts_finished: settings.alerts_finished,
        host: settings.host.clone(),
        intake: Intake::new(&settings.state, settings.host.clone()),
        reader,
        hub: hub.clone(),
        roots: settings.roots.clone(),
        today: pages::TodayReader::default(),
        history: pages::History::default(),
        requests: Requests::default(),
        started: Instant::now(),
    });
    app.facts.prepare().await;
    tokio::spawn(health::warn_unwatched(app.clone(), shutdown.clone()));
    door::serve(&settings, router(app), hub, listeners, shutdown).await
}

fn router(app: Shared) -> Router {
    Router::new()
        .route("/health", get(health::show))
        .route("/metrics", get(metrics::show))
        .route("/openapi.json", get(openapi::show))
        .route("/api/events", get(events::show))
        .route("/api/events/stream", get(stream::show))
        .route("/api/projects", get(agents::projects))
        .route("/api/agents", get(agents::list))
        .route("/api/agents/{id}", get(agents::show))
        .route("/api/agents/{id}/turns", get(agents::turns))
        .route("/api/agents/{id}/transitions", get(agents::transitions))
        .route("/api/agents/{id}/transcript", get(transcript::show))
        .route("/api/agents/{id}/seen", routing::post(views::seen))
        .route("/api/agents/{id}/snooze", routing::post(views::snooze))
        .route("/api/agents/{id}/go", routing::post(views::go))
        .route("/api/commands/{id}", get(agents::command))
        .route("/api/waits", get(waits::list))
        .route("/api/sessions", routing::post(sessions::register))
        .route(
            "/api/sessions/{uuid}",
            get(sessions::show).delete(sessions::end),
        )
        .route("/hook", routing::post(hooks::take))
        .route("/hook/status", get(hooks::status))
        .route("/hook/{name}", routing::post(hooks::take_named))
        .route("/", get(pages::home))
        .route("/agents/{id}", get(pages::session))
        .route("/agents/{id}/calls/{call}", get(pages::call))
        .route("/log", get(pages::log))
        .route("/log/{id}", get(pages::event))
        .route("/fragments/home", get(pages::home_fragment))
        .route("/fragments/agents/{id}", get(pages::session_fragment))
        .route("/fragments/agents/{id}/why", get(pages::why))
        .route(
            "/fragments/agents/{id}/calls/{call}",
            get(pages::call_fragment),
        )
        .route("/fragments/log", get(pages::log_fragment))
        .route("/app.js", get(assets::app))
        .route("/keys.js", get(assets::keys))
        .route("/alerts.js", get(assets::alerts))
        .route("/talk.js", get(assets::talk))
        .route("/problem.js", get(assets::problem))
        .route("/sse-client.js", get(assets::sse_client))
        .route("/htmx.js", get(assets::htmx))
        .route("/style.css", get(assets::style))
        .route("/icon.svg", get(assets::icon))
        .fallback(error::not_found)
        .method_not_allowed_fallback(error::method_not_allowed)
        .layer(middleware::from_fn_with_state(app.clone(), guard::guard))
        .layer(middleware::from_fn(pages::explain))
        .with_state(app)
}
