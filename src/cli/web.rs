//! `headspace web`: health, pages and the stream over HTTP.

use std::{process::ExitCode, time::Duration};

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use crate::{
    config::{self, Listen, Settings},
    stream::Hub,
    supervise,
    web::{self, Listener},
};

pub const EXAMPLES: &str = "Examples:
  headspace web
  HEADSPACE_WEB__LISTEN='[\"127.0.0.1:8080\"]' headspace web
  curl -s http://127.0.0.1:5055/health";

pub fn main(flags: &config::Flags) -> anyhow::Result<ExitCode> {
    let settings = super::prepare(flags, "headspace")?;
    let listeners = bind(&settings)?;
    let runtime = super::runtime()?;
    let served = runtime.block_on(async {
        let signals = super::signals(&settings)?;
        tracing::info!(version = env!("CARGO_PKG_VERSION"), address = ?addresses(&listeners), "serving");
        supervise::ready("serving");
        let served = serve(&settings, listeners, signals.stop.clone()).await;
        supervise::stopping();
        tracing::info!("stopped");
        served
    });
    runtime.shutdown_background();
    served.map(|()| ExitCode::SUCCESS)
}

/// Serves until `stop`; everything is answered or let go within the budget.
pub async fn serve(
    settings: &Settings,
    listeners: Vec<Listener>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let reader = super::reader(settings)?;
    let hub_settings = super::events::hub_settings(settings);
    let hub = Hub::start(
        reader.clone(),
        super::wake_source(settings),
        hub_settings,
        stop.clone(),
    );
    let web_settings = web::Settings {
        hosts: settings.web.hosts.clone(),
        host: super::host(),
        state: settings.places.state.clone(),
        run: settings.places.run.clone(),
        connection_timeout: Duration::from_secs(settings.sse.connection_timeout_seconds),
        drain: super::budget(settings) * 5 / 8,
    };
    web::serve(web_settings, reader, hub, listeners, stop)
        .await
        .context("failed to serve")
}

/// Binds all addresses of the settings, and the unix socket in the run folder.
pub fn bind(settings: &Settings) -> anyhow::Result<Vec<Listener>> {
    let mut listeners = Vec::new();
    for listen in &settings.web.listen {
        let bound = match listen {
            Listen::Tcp(address) => web::bind_tcp(*address),
            Listen::Unix(path) => web::bind_unix(path),
        };
        listeners.push(bound.with_context(|| {
            format!("web.listen: cannot listen on {listen}; is another headspace running? Choose another address in web.listen")
        })?);
    }
    let socket = settings.places.run.join("web.sock");
    if !settings.web.listen.contains(&Listen::Unix(socket.clone())) {
        match web::bind_unix(&socket) {
            Ok(listener) => listeners.push(listener),
            // A path too long for a socket, say. The addresses above are served.
            Err(error) => {
                tracing::warn!(path = %socket.display(), %error, "cannot listen on the unix socket")
            }
        }
    }
    Ok(listeners)
}

/// Where the listeners can be reached.
pub fn addresses(listeners: &[Listener]) -> Vec<String> {
    listeners.iter().map(Listener::address).collect()
}
