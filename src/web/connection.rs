//! From a listener to answered requests, with a bound on everything.

use std::{
    convert::Infallible,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{Router, body::Body, http::Request};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;
use tracing::{debug, warn};

use super::{Listener, Settings, peer::Peer, stall::Stalling};
use crate::stream::Hub;

/// A request's head must be here by then; so must the next one on a connection
/// that is kept.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
const HEAD_BYTES: usize = 16 * 1024;
const MOST_HEADERS: usize = 64;
/// Connections beside those of streams.
const SPARE_CONNECTIONS: usize = 256;
/// What the kernel may hold for a reader that does not read.
const SEND_BUFFER: usize = 64 * 1024;
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Who is at the other end of a request's connection.
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

/// What every connection needs.
struct Server {
    router: Router,
    hub: Hub,
    patience: Duration,
    room: Arc<Semaphore>,
    tasks: TaskTracker,
    /// Finish what is being answered.
    stop: CancellationToken,
    /// Leave now.
    cut: CancellationToken,
}

pub async fn serve_all(
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
        room: Arc::new(Semaphore::new(most)),
        tasks: TaskTracker::new(),
        stop: stop.clone(),
        cut: CancellationToken::new(),
    });
    for listener in listeners {
        start(&server, listener)?;
    }
    stop.cancelled().await;
    server.tasks.close();
    if timeout(settings.drain, server.tasks.wait()).await.is_err() {
        warn!("some connections did not end in time and were cut");
    }
    server.cut.cancel();
    Ok(())
}

fn start(server: &Arc<Server>, listener: Listener) -> io::Result<()> {
    match listener {
        Listener::Tcp(tcp) => {
            tcp.set_nonblocking(true)?;
            server
                .tasks
                .spawn(accept_tcp(server.clone(), TcpListener::from_std(tcp)?));
        }
        Listener::Unix(unix, file) => {
            unix.set_nonblocking(true)?;
            let unix = UnixListener::from_std(unix)?;
            let server = server.clone();
            server.tasks.clone().spawn(async move {
                accept_unix(server, unix).await;
                drop(file);
            });
        }
    }
    Ok(())
}

async fn accept_tcp(server: Arc<Server>, listener: TcpListener) {
    while let Some((stream, peer)) = server.accept(|| listener.accept()).await {
        let served = server.clone();
        server.spawn(async move {
            if !served.says_something(&stream).await {
                return;
            }
            let local = stream.local_addr().ok();
            let peer = local.map_or(Peer::Other, |local| Peer::of_tcp(peer, local));
            let _ = tune_tcp(&stream, served.patience);
            served.talk(stream, Client::new(false, peer)).await;
        });
    }
}

async fn accept_unix(server: Arc<Server>, listener: UnixListener) {
    while let Some((stream, _)) = server.accept(|| listener.accept()).await {
        let served = server.clone();
        server.spawn(async move {
            let peer = Peer::of_unix(&stream);
            let _ = tune_unix(&stream);
            served.talk(stream, Client::new(true, peer)).await;
        });
    }
}

impl Server {
    /// The next connection, when there is room for it; `None` at the end.
    async fn accept<T, F: Future<Output = io::Result<T>>>(
        &self,
        accept: impl Fn() -> F,
    ) -> Option<T> {
        loop {
            let accepted = tokio::select! {
                _ = self.stop.cancelled() => return None,
                accepted = async {
                    let _room = self.room.acquire().await;
                    accept().await
                } => accepted,
            };
            match accepted {
                Ok(connection) => return Some(connection),
                Err(error) => {
                    warn!(%error, "cannot accept a connection; trying again");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Asking the kernel who somebody is costs more than taking the connection,
    /// so it is not done for those who never say a word.
    async fn says_something(&self, stream: &TcpStream) -> bool {
        tokio::select! {
            _ = self.stop.cancelled() => false,
            heard = timeout(HEAD_TIMEOUT, stream.readable()) => heard.is_ok(),
        }
    }

    fn spawn(self: &Arc<Self>, talk: impl Future<Output = ()> + Send + 'static) {
        let Ok(room) = self.room.clone().try_acquire_owned() else {
            return;
        };
        self.tasks.spawn(async move {
            talk.await;
            drop(room);
        });
    }

    async fn talk<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
        &self,
        stream: S,
        client: Client,
    ) {
        let (hub, stalled) = (self.hub.clone(), client.clone());
        let stream = Stalling::new(stream, self.patience, move || {
            if stalled.0.streams.load(Ordering::Relaxed) {
                hub.count_dropped_slow();
                warn!("a reader of the stream did not keep up and was let go");
            }
        });
        let service = service_fn(|request: Request<Incoming>| {
            answer(self.router.clone(), client.clone(), request)
        });
        let connection = http().serve_connection(TokioIo::new(stream), service);
        tokio::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            _ = self.stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    ended = connection => ended,
                    _ = self.cut.cancelled() => Ok(()),
                }
            }
        };
        if let Err(error) = ended {
            debug!(%error, "a connection ended");
        }
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

fn http() -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES)
        .max_headers(MOST_HEADERS);
    http
}

/// A peer that vanished without a word is noticed by unanswered probes or data
/// within half the patience, which leaves time for a heartbeat to find it.
fn tune_tcp(stream: &TcpStream, patience: Duration) -> io::Result<()> {
    let socket = SockRef::from(stream);
    socket.set_tcp_nodelay(true)?;
    socket.set_send_buffer_size(SEND_BUFFER)?;
    let second = Duration::from_secs(1);
    let probes = TcpKeepalive::new()
        .with_time((patience / 4).max(second))
        .with_interval((patience / 12).max(second));
    socket.set_tcp_keepalive(&probes)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(patience / 2))?;
    Ok(())
}

fn tune_unix(stream: &UnixStream) -> io::Result<()> {
    SockRef::from(stream).set_send_buffer_size(SEND_BUFFER)
}
