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
    net::{TcpListener, UnixListener},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{interval, sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};

use super::{Listener, connection};
use crate::{stream::Hub, supervise, web::Settings};

/// Connections beside the streams.
const SPARE_CONNECTIONS: usize = 256;
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

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
    room: Arc<Semaphore>,
    open: watch::Sender<usize>,
    tasks: TaskTracker,
}

/// One connection's place among the ones that may be open.
pub struct Place {
    server: Arc<Server>,
    _room: OwnedSemaphorePermit,
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
    fn listen(self: &Arc<Self>, listener: Listener) -> io::Result<()> {
        let server = self.clone();
        match listener {
            Listener::Tcp(tcp) => {
                tcp.set_nonblocking(true)?;
                let tcp = TcpListener::from_std(tcp)?;
                self.tasks.spawn(async move {
                    while let Some(((stream, peer), place)) = server.accept(|| tcp.accept()).await {
                        server.tasks.spawn(connection::tcp(stream, peer, place));
                    }
                });
            }
            Listener::Unix(unix, file) => {
                unix.set_nonblocking(true)?;
                let unix = UnixListener::from_std(unix)?;
                self.tasks.spawn(async move {
                    while let Some(((stream, _), place)) = server.accept(|| unix.accept()).await {
                        server.tasks.spawn(connection::unix(stream, place));
                    }
                    drop(file);
                });
            }
        }
        Ok(())
    }

    /// The next connection, when there is room for it; `None` at the end.
    async fn accept<T, F: Future<Output = io::Result<T>>>(
        self: &Arc<Self>,
        accept: impl Fn() -> F,
    ) -> Option<(T, Place)> {
        loop {
            let accepted = tokio::select! {
                biased;
                () = self.stop.cancelled() => return None,
                accepted = async {
                    let room = self.room.clone().acquire_owned().await;
                    (accept().await, room)
                } => accepted,
            };
            match accepted {
                (Ok(connection), Ok(room)) => return Some((connection, Place::new(self, room))),
                (Err(error), _) => {
                    warn!(%error, "cannot accept a connection: {error}; retrying");
                    sleep(ACCEPT_PAUSE).await;
                }
                // The room is never closed.
                (_, Err(_)) => return None,
            }
        }
    }

    async fn drain(&self, time: Duration) {
        supervise::stopping();
        let connections = *self.open.borrow();
        info!(connections, "stopping; {connections} connections are open");
        self.tasks.close();
        if timeout(time, self.tasks.wait()).await.is_err() {
            warn!("some connections did not end in time and were cut");
        }
        self.cut.cancel();
    }

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

impl Place {
    fn new(server: &Arc<Server>, room: OwnedSemaphorePermit) -> Place {
        server.open.send_modify(|open| *open += 1);
        Place {
            server: server.clone(),
            _room: room,
        }
    }

    pub fn server(&self) -> &Arc<Server> {
        &self.server
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.server.open.send_modify(|open| *open -= 1);
    }
}

/// Ends when no connection was open for this long; never without such a time.
async fn idle_for(time: Option<Duration>, mut open: watch::Receiver<usize>) {
    let Some(time) = time else {
        return std::future::pending().await;
    };
    loop {
        // The sender is the server, which outlives this.
        let _ = open.wait_for(|open| *open == 0).await;
        if timeout(time, open.changed()).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_visit_starts_the_idle_time_anew_and_no_time_is_no_end() {
        let open = watch::Sender::new(1);
        let time = Duration::from_millis(50);
        let ends_within = |time| timeout(time, idle_for(Some(time / 4), open.subscribe()));
        assert!(ends_within(time).await.is_err(), "a client is connected");
        open.send_replace(0);
        assert!(ends_within(time).await.is_ok());

        let mut idle = std::pin::pin!(idle_for(Some(time), open.subscribe()));
        for _ in 0..5 {
            assert!(timeout(time / 2, &mut idle).await.is_err());
            open.send_modify(|open| *open += 1);
            open.send_modify(|open| *open -= 1);
        }
        assert!(timeout(time * 100, idle).await.is_ok());
        assert!(
            timeout(time, idle_for(None, open.subscribe()))
                .await
                .is_err()
        );
    }
}
