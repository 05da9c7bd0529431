//! One connection: its client, its requests and its end.

use std::{
    convert::Infallible,
    future::{pending, poll_fn},
    net::SocketAddr,
    pin::Pin,
    sync::Mutex,
    task::Poll,
};

use axum::{
    Router,
    body::Body,
    http::{Method, Request},
    response::Response,
};
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
    accept::Seat,
    explain::Explaining,
    limits::{self, HEAD_TIMEOUT},
    peer::Peer,
    server::Server,
    stall::Stalling,
    streaming::{self, IsStream},
};

/// The client at the other end of a request's connection.
#[derive(Debug, Clone, Copy)]
pub struct Client {
    pub by_unix_socket: bool,
    pub peer: Peer,
}

/// A stream that a client asked for, until it is taken from hyper.
type Begun = Mutex<Option<Response>>;

/// Serves an accepted connection to its end.
pub async fn tcp(stream: TcpStream, peer: SocketAddr, place: Seat) {
    let server = place.server();
    if !sends_something(&stream, &server.cut).await {
        return;
    }
    let local = stream.local_addr().ok();
    let peer = local.map_or(Peer::Other, |local| Peer::of_tcp(peer, local));
    let _ = limits::tune_tcp(&stream, server.patience);
    let client = Client {
        by_unix_socket: false,
        peer,
    };
    serve(server, stream, client).await;
}

/// The same by unix socket.
pub async fn unix(stream: UnixStream, place: Seat) {
    let client = Client {
        by_unix_socket: true,
        peer: Peer::of_unix(&stream),
    };
    let _ = limits::tune_unix(&stream);
    serve(place.server(), stream, client).await;
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

async fn serve<S>(server: &Server, stream: S, client: Client)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    // In a box, which a stream does not keep: requests take much more room.
    let answered = Box::pin(answer_requests(server, stream, client)).await;
    let ended = match answered {
        Ok(None) => return,
        Ok(Some((stream, response))) => send_stream(server, stream, response).await,
        Err(error) => Err(error),
    };
    if let Err(error) = ended {
        debug!(%error, "a connection ended");
    }
}

/// Answers requests until the connection ends or a stream begins on it.
async fn answer_requests<S>(
    server: &Server,
    stream: S,
    client: Client,
) -> Result<Option<(S, Response)>, axum::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let stream = Explaining::new(Stalling::new(stream, server.patience, || {}));
    let (asked, begun) = (CancellationToken::new(), Begun::default());
    let service = service_fn(|request: Request<Incoming>| {
        asked.cancel();
        answer(server.router.clone(), client, request, &begun)
    });
    let mut connection = limits::http().serve_connection(TokioIo::new(stream), service);
    let ended = tokio::select! {
        biased;
        ended = ended_or_begun(&mut connection, &begun) => ended,
        () = server.cut.cancelled() => return Ok(None),
        // A graceful shutdown would close a connection that has not asked yet,
        // and what it is about to ask would be lost.
        () = async { tokio::join!(server.stop.cancelled(), asked.cancelled()); } => {
            Pin::new(&mut connection).graceful_shutdown();
            let ended = ended_or_begun(&mut connection, &begun);
            server.cut.run_until_cancelled(ended).await.unwrap_or(Ok(None))
        }
    };
    let response = ended.map_err(axum::Error::new)?;
    let stream = connection
        .into_parts()
        .io
        .into_inner()
        .into_inner()
        .into_inner();
    Ok(response.map(|response| (stream, response)))
}

/// A stream begins while hyper is polled: it waits for the answer then.
async fn ended_or_begun<C>(connection: &mut C, begun: &Begun) -> hyper::Result<Option<Response>>
where
    C: Future<Output = hyper::Result<()>> + Unpin,
{
    poll_fn(|cx| match Pin::new(&mut *connection).poll(cx) {
        Poll::Ready(ended) => Poll::Ready(ended.map(|()| None)),
        Poll::Pending => match begun.lock().expect("no panic while held").take() {
            Some(response) => Poll::Ready(Ok(Some(response))),
            None => Poll::Pending,
        },
    })
    .await
}

async fn answer(
    router: Router,
    client: Client,
    request: Request<Incoming>,
    begun: &Begun,
) -> Result<Response, Infallible> {
    let is_get = request.method() == Method::GET;
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(client);
    let response = router.oneshot(request).await?;
    if is_get && response.extensions().get::<IsStream>().is_some() {
        *begun.lock().expect("no panic while held") = Some(response);
        return pending().await;
    }
    Ok(response)
}

async fn send_stream<S>(server: &Server, stream: S, response: Response) -> Result<(), axum::Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let stream = Stalling::new(stream, server.patience, || {
        server.hub.count_dropped_slow();
        warn!("a client of the stream did not keep up and was disconnected");
    });
    let sent = streaming::send(stream, response);
    let sent = server.cut.run_until_cancelled(sent).await;
    sent.unwrap_or(Ok(())).map_err(axum::Error::new)
}
