//! One connection: its client, its requests and its end.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::{Router, body::Body, http::Request};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use tracing::{debug, warn};

use super::{
    accept::Place,
    explain::Explaining,
    limits::{self, HEAD_TIMEOUT},
    peer::Peer,
    server::Server,
    stall::Stalling,
};

/// The client at the other end of a request's connection.
#[derive(Debug, Clone)]
pub struct Client(Arc<Connected>);

#[derive(Debug)]
struct Connected {
    by_unix_socket: bool,
    peer: Peer,
    streams: AtomicBool,
}

impl Client {
    fn new(by_unix_socket: bool, peer: Peer) -> Client {
        Client(Arc::new(Connected {
            by_unix_socket,
            peer,
            streams: AtomicBool::new(false),
        }))
    }

    #[cfg(test)]
    pub fn for_test(by_unix_socket: bool, peer: Peer) -> Client {
        Client::new(by_unix_socket, peer)
    }

    pub fn by_unix_socket(&self) -> bool {
        self.0.by_unix_socket
    }

    pub fn peer(&self) -> Peer {
        self.0.peer
    }

    /// From now on this connection carries a stream.
    pub fn streams(&self) {
        self.0.streams.store(true, Ordering::Relaxed);
    }
}

/// Serves an accepted connection to its end.
pub async fn tcp(stream: TcpStream, peer: SocketAddr, place: Place) {
    let server = place.server();
    if !sends_something(&stream, &server.cut).await {
        return;
    }
    let local = stream.local_addr().ok();
    let peer = local.map_or(Peer::Other, |local| Peer::of_tcp(peer, local));
    let _ = limits::tune_tcp(&stream, server.patience);
    talk(server, stream, Client::new(false, peer)).await;
}

/// The same by unix socket.
pub async fn unix(stream: UnixStream, place: Place) {
    let peer = Peer::of_unix(&stream);
    let _ = limits::tune_unix(&stream);
    talk(place.server(), stream, Client::new(true, peer)).await;
}

/// Asking the kernel for the client's user costs more than accepting the
/// connection, so it is not done for a client that never sends a byte.
async fn sends_something(stream: &TcpStream, cut: &CancellationToken) -> bool {
    // Looks at the byte itself: a stream just accepted is taken for readable.
    let mut first = [0];
    let heard = timeout(HEAD_TIMEOUT, stream.peek(&mut first));
    let heard = cut.run_until_cancelled(heard).await;
    matches!(heard, Some(Ok(Ok(count))) if count > 0)
}

async fn talk<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    server: &Server,
    stream: S,
    client: Client,
) {
    let (hub, stalled) = (server.hub.clone(), client.clone());
    let stream = Stalling::new(stream, server.patience, move || {
        if stalled.0.streams.load(Ordering::Relaxed) {
            hub.count_dropped_slow();
            warn!("a client of the stream did not keep up and was disconnected");
        }
    });
    let asked = CancellationToken::new();
    let service = service_fn(|request: Request<Incoming>| {
        asked.cancel();
        answer(server.router.clone(), client.clone(), request)
    });
    let mut connection = std::pin::pin!(
        limits::http().serve_connection(TokioIo::new(Explaining::new(stream)), service)
    );
    let ended = tokio::select! {
        biased;
        ended = connection.as_mut() => ended,
        () = server.cut.cancelled() => Ok(()),
        // A graceful shutdown would close a connection that has not asked yet,
        // and what it is about to ask would be lost.
        () = async { tokio::join!(server.stop.cancelled(), asked.cancelled()); } => {
            connection.as_mut().graceful_shutdown();
            server.cut.run_until_cancelled(connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        debug!(%error, "a connection ended");
    }
}

async fn answer(
    router: Router,
    client: Client,
    request: Request<Incoming>,
) -> Result<axum::response::Response, Infallible> {
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(client);
    router.oneshot(request).await
}
