//! The listeners and the accepted connections, until none is left.
//!
//! ```text
//! accepting ── stop, or idle for long ──▶ draining ── all closed, or out of time ──▶ over
//! ```
//!
//! An accepted client gets an answer: no other process can give it. A client that
//! was not accepted waits at the socket, which the service manager may keep.

use std::{io, sync::Arc, time::Duration};

use axum::Router;
use tokio::{
    sync::{Semaphore, watch},
    time::interval,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::info;

use super::{Listener, limits::SPARE_CONNECTIONS, shutdown::idle_for};
use crate::{stream::Hub, supervise, web::Settings};

/// What every connection needs.
pub struct Server {
    pub router: Router,
    pub hub: Hub,
    /// How long a connection may take no data.
    pub patience: Duration,
    /// Accept no more connections, finish what is being answered.
    pub stop: CancellationToken,
    /// Exit now.
    pub cut: CancellationToken,
    pub(super) room: Arc<Semaphore>,
    pub(super) open: watch::Sender<usize>,
    pub(super) tasks: TaskTracker,
}

/// Serves until `stop`, or until no client came for `settings.idle_timeout`.
pub async fn serve(
    settings: &Settings,
    router: Router,
    hub: Hub,
    listeners: Vec<Listener>,
    stop: CancellationToken,
) -> io::Result<()> {
    let most = hub.settings().max_connections + SPARE_CONNECTIONS;
    let server = Arc::new(Server {
        router,
        hub,
        patience: settings.connection_timeout,
        stop: stop.clone(),
        cut: CancellationToken::new(),
        room: Arc::new(Semaphore::new(most)),
        open: watch::Sender::new(0),
        tasks: TaskTracker::new(),
    });
    let addresses: Vec<String> = listeners.iter().map(Listener::address).collect();
    let addresses = addresses.join(", ");
    for listener in listeners {
        server.listen(listener)?;
    }
    supervise::ready(&server.status(&addresses));
    tokio::select! {
        () = stop.cancelled() => {}
        () = server.feed_watchdog(&addresses) => {}
        () = idle_for(settings.idle_timeout, server.open.subscribe()) => {
            info!("no client is connected; exiting, the next connection starts it again");
            stop.cancel();
        }
    }
    server.drain(settings.drain).await;
    Ok(())
}

impl Server {
    /// Shows the service manager that this loop turns, and never ends. Without a
    /// watchdog it never wakes up.
    async fn feed_watchdog(&self, addresses: &str) {
        let Some(time) = supervise::watchdog_time() else {
            return std::future::pending().await;
        };
        // A little more often than twice in that time: a round may come late.
        let mut round = interval(time * 9 / 20);
        loop {
            round.tick().await;
            supervise::watchdog_ping();
            supervise::status(&self.status(addresses));
        }
    }

    fn status(&self, addresses: &str) -> String {
        let connections = *self.open.borrow();
        let streams = self.hub.active_connections();
        format!("serving {addresses}; {connections} connections, {streams} streams")
    }
}
