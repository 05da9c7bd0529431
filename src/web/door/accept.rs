//! Connections are accepted while there is room for them, until the stop.

use std::{io, sync::Arc};

use tokio::{
    net::{TcpListener, UnixListener},
    sync::OwnedSemaphorePermit,
    time::sleep,
};
use tracing::warn;

use super::{Listener, connection, limits::ACCEPT_PAUSE, server::Server};

/// One connection's place among the ones that may be open.
pub struct Seat {
    server: Arc<Server>,
    _room: OwnedSemaphorePermit,
}

impl Server {
    pub fn listen(self: &Arc<Self>, listener: Listener) -> io::Result<()> {
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
    ) -> Option<(T, Seat)> {
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
                (Ok(connection), Ok(room)) => return Some((connection, Seat::new(self, room))),
                (Err(error), _) => {
                    warn!(%error, "cannot accept a connection: {error}; retrying");
                    sleep(ACCEPT_PAUSE).await;
                }
                // The room is never closed.
                (_, Err(_)) => return None,
            }
        }
    }
}

impl Seat {
    fn new(server: &Arc<Server>, room: OwnedSemaphorePermit) -> Seat {
        server.open.send_modify(|open| *open += 1);
        Seat {
            server: server.clone(),
            _room: room,
        }
    }

    pub fn server(&self) -> &Arc<Server> {
        &self.server
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.server.open.send_modify(|open| *open -= 1);
    }
}
