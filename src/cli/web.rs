//! `headspace web`: health, pages and the stream over HTTP.

use std::{io, process::ExitCode, time::Duration};

use anyhow::Context;
use tokio::{sync::mpsc, time::timeout};
use tokio_util::sync::CancellationToken;

use super::SetupError;
use crate::{
    config::{self, Listen, Settings},
    stream::Hub,
    supervise::{self, Inherited},
    telemetry,
    web::{self, Listener},
};

/// How long the connections to the database may take to close.
const GOODBYE: Duration = Duration::from_millis(200);

pub const EXAMPLES: &str = "Examples:
  headspace web
  HEADSPACE_WEB__LISTEN='[\"127.0.0.1:8080\"]' headspace web
  curl -s http://127.0.0.1:5055/health";

pub fn main(flags: &config::Flags) -> anyhow::Result<ExitCode> {
    // SAFETY: nothing was started or opened yet.
    let inherited = unsafe { supervise::inherited() }.map_err(|error| SetupError(error.into()))?;
    let kept: Vec<Listener> = inherited.into_iter().map(adopt).collect();
    let settings =
        super::prepare(flags, "headspace").inspect_err(|_| web::answer_unavailable(&kept))?;
    let idle_timeout = idle_timeout(&settings, !kept.is_empty());
    let listeners = listeners(&settings, kept)?;
    let runtime = super::runtime()?;
    let served = runtime.block_on(async {
        let signals = super::signals(&settings)?;
        let address = addresses(&listeners).join(", ");
        tracing::info!(version = env!("CARGO_PKG_VERSION"), %address, "serving {address}");
        // Leaving by itself is no request to stop: one that follows is the first.
        let stop = signals.stop.child_token();
        let served = tokio::select! {
            served = serve(&settings, listeners, idle_timeout, stop) => served,
            () = reload(flags, signals.reload) => Ok(()),
        };
        tracing::info!("stopped");
        served
    });
    runtime.shutdown_background();
    served.map(|()| ExitCode::SUCCESS)
}

/// Takes over the log level at each request; never ends by itself.
async fn reload(flags: &config::Flags, mut requests: mpsc::Receiver<()>) {
    while requests.recv().await.is_some() {
        match config::load(flags) {
            Ok(settings) => match telemetry::set_level(settings.logging.level.into()) {
                Ok(()) => {
                    tracing::info!("log level reloaded; other settings change with a restart");
                }
                Err(error) => {
                    tracing::warn!(%error, "the log level stays as it was: {error}");
                }
            },
            Err(error) => {
                tracing::error!(%error, "the settings are wrong; the old ones stay: {error}");
            }
        }
    }
    std::future::pending().await
}

/// Serves until `stop`; everything is answered or cut off within the budget.
pub async fn serve(
    settings: &Settings,
    listeners: Vec<Listener>,
    idle_timeout: Option<Duration>,
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
        roots: roots(settings),
        host: super::host(),
        state: settings.places.state.clone(),
        run: settings.places.run.clone(),
        hooks: settings.hooks.enabled,
        alerts_finished: settings.notify.finished,
        connection_timeout: Duration::from_secs(settings.sse.connection_timeout_seconds),
        drain: super::budget(settings) * 5 / 8,
        idle_timeout,
    };
    let served = web::serve(web_settings, reader.clone(), hub, listeners, stop).await;
    // A database that does not answer any more must not hold up the exit.
    if timeout(GOODBYE, reader.close()).await.is_err() {
        tracing::debug!("the database did not answer; its connections are cut");
    }
    served.context("failed to serve")
}

fn roots(settings: &Settings) -> Vec<String> {
    let roots = settings.claude.roots.iter();
    roots.map(|root| root.display().to_string()).collect()
}

/// The sockets that were passed on, or else those of the settings. launchd
/// passes no unix socket on, as it would have to know the home folder.
fn listeners(settings: &Settings, mut kept: Vec<Listener>) -> anyhow::Result<Vec<Listener>> {
    if kept.is_empty() {
        return bind(settings);
    }
    tracing::info!("the service manager keeps the sockets; web.listen is not used");
    let is_unix = |listener: &Listener| matches!(listener, Listener::Unix(..));
    if !kept.iter().any(is_unix) {
        kept.extend(own_socket(settings));
    }
    Ok(kept)
}

/// The service manager bound it, and removes the file of a unix socket.
fn adopt(inherited: Inherited) -> Listener {
    match inherited {
        Inherited::Tcp(tcp) => Listener::Tcp(tcp),
        Inherited::Unix(unix) => Listener::Unix(unix, None),
    }
}

/// A process may exit while idle only where a service manager keeps its sockets.
pub fn idle_timeout(settings: &Settings, sockets_are_kept: bool) -> Option<Duration> {
    let seconds = settings.web.idle_timeout_seconds;
    if seconds > 0 && !sockets_are_kept {
        tracing::warn!(
            "web.idle_timeout_seconds is ignored: no service manager keeps the sockets, so the next client would not start it again"
        );
    }
    (seconds > 0 && sockets_are_kept).then(|| Duration::from_secs(seconds))
}

/// Binds all addresses of the settings, and the unix socket in the run folder.
pub fn bind(settings: &Settings) -> anyhow::Result<Vec<Listener>> {
    let mut listeners = Vec::new();
    for listen in &settings.web.listen {
        let bound = match listen {
            Listen::Tcp(address) => web::bind_tcp(*address),
            Listen::Unix(path) => web::bind_unix(path),
        };
        listeners.push(bound.map_err(|error| cannot_listen(listen, error))?);
    }
    let socket = settings.places.run.join("web.sock");
    if !settings.web.listen.contains(&Listen::Unix(socket)) {
        listeners.extend(own_socket(settings));
    }
    Ok(listeners)
}

/// A folder that is refused stays so at every start; a port may become free.
fn cannot_listen(listen: &Listen, error: io::Error) -> anyhow::Error {
    let context = format!("web.listen: cannot listen on {listen}");
    if error.kind() == io::ErrorKind::InvalidInput {
        return SetupError(anyhow::Error::new(error).context(context)).into();
    }
    let hint = "is another headspace running? Choose another address in web.listen";
    anyhow::Error::new(error).context(format!("{context}; {hint}"))
}

/// The unix socket in the run folder. Without it, because its path is too long
/// for a socket, say, the other addresses are served.
fn own_socket(settings: &Settings) -> Option<Listener> {
    let socket = settings.places.run.join("web.sock");
    let path = socket.display();
    web::bind_unix(&socket)
        .inspect_err(|error| tracing::warn!(%path, %error, "cannot listen on {path}: {error}"))
        .ok()
}

/// Where the listeners can be reached.
pub fn addresses(listeners: &[Listener]) -> Vec<String> {
    listeners.iter().map(Listener::address).collect()
}
