//! Asking a web process over HTTP what its `/health` says.
//!
//! In: the address or socket it listens on, a time limit.
//! Out: its [`HealthReply`], or why there is none.
//!
//! Promises
//! - it ends within the limit, whatever the other side does
//! - the answer of another program is an error, not taken for ours
//! - at most [`MAX_BYTES`] of an answer are read
//!
//! Not here: what to make of the answer (`install`, `doctor`).

use std::{io, time::Duration};

use axum::body::{Body, to_bytes};
use hyper::{Request, client::conn::http1::handshake, header::HOST};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
    time::timeout,
};

use crate::config::Listen;

/// `/health` of this program has a few kB.
const MAX_BYTES: usize = 64 * 1024;

/// What is read of `/health`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct HealthReply {
    pub status: String,
    pub version: String,
    /// Missing in the answer to another user.
    #[serde(default)]
    pub reasons: Vec<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum AskError {
    #[error("{0}")]
    Connect(#[from] io::Error),
    #[error("no answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    #[error("the answer is not that of headspace: {0}")]
    Foreign(String),
}

impl AskError {
    /// No program listens there.
    pub fn is_absent(&self) -> bool {
        use io::ErrorKind::{ConnectionRefused, NotFound};
        matches!(self, AskError::Connect(error) if [ConnectionRefused, NotFound].contains(&error.kind()))
    }

    /// There is not even the file of a socket.
    pub fn is_not_found(&self) -> bool {
        matches!(self, AskError::Connect(error) if error.kind() == io::ErrorKind::NotFound)
    }
}

/// Asks once, whatever the status code of the answer.
pub async fn health(door: &Listen, limit: Duration) -> Result<HealthReply, AskError> {
    let answer = timeout(limit, get_health(door)).await;
    answer.unwrap_or(Err(AskError::TimedOut(limit)))
}

async fn get_health(door: &Listen) -> Result<HealthReply, AskError> {
    match door {
        Listen::Tcp(address) => {
            let host = format!("localhost:{}", address.port());
            request(TcpStream::connect(address).await?, &host).await
        }
        Listen::Unix(path) => request(UnixStream::connect(path).await?, "localhost").await,
    }
}

async fn request<S>(stream: S, host: &str) -> Result<HealthReply, AskError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let foreign = |error: hyper::Error| AskError::Foreign(error.to_string());
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await.map_err(foreign)?;
    // It ends with the sender; what breaks it is the sender's error, too.
    tokio::spawn(connection);
    let request = Request::get("/health").header(HOST, host);
    let request = request.body(Body::empty()).expect("a valid request");
    let answer = sender.send_request(request).await.map_err(foreign)?;
    let status = answer.status();
    let body = to_bytes(Body::new(answer.into_body()), MAX_BYTES).await;
    let body = body.map_err(|error| AskError::Foreign(error.to_string()))?;
    serde_json::from_slice(&body).map_err(|error| AskError::Foreign(format!("{status}, {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    const LIMIT: Duration = Duration::from_secs(60);

    /// A server that gives each client this answer; without one it stays silent.
    async fn serve(answer: Option<&'static [u8]>) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                client.read_u8().await.unwrap();
                match answer {
                    Some(bytes) => client.write_all(bytes).await.unwrap(),
                    None => std::future::pending().await,
                }
                while client.read_u8().await.is_ok() {}
            }
        });
        address
    }

    #[tokio::test]
    async fn an_answer_of_ours_is_read_whatever_its_status() {
        for answer in [
            &b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 71\r\n\r\n\
               {\"status\":\"unhealthy\",\"version\":\"1\",\"reasons\":[\"no database\"],\"more\":1}"[..],
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n47\r\n\
              {\"status\":\"unhealthy\",\"version\":\"1\",\"reasons\":[\"no database\"],\"more\":1}\r\n0\r\n\r\n",
        ] {
            let door = Listen::Tcp(serve(Some(answer)).await);
            let health = health(&door, LIMIT).await.unwrap();
            assert_eq!((&*health.status, &*health.version), ("unhealthy", "1"));
            assert_eq!(health.reasons, ["no database"]);
        }
    }

    #[tokio::test]
    async fn an_answer_of_another_program_is_an_error() {
        let endless = format!("HTTP/1.1 200 OK\r\n\r\n{}", " ".repeat(MAX_BYTES + 1));
        let endless: &[u8] = endless.leak().as_bytes();
        for (answer, said) in [
            (&b"SSH-2.0-OpenSSH_9.2\r\n"[..], ""),
            (
                b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno",
                "404",
            ),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "status"),
            (endless, "limit"),
            (b"\xff", ""),
        ] {
            let door = Listen::Tcp(serve(Some(answer)).await);
            let error = health(&door, Duration::from_secs(1)).await.unwrap_err();
            assert!(error.to_string().contains(said), "{error}");
            assert!(!error.is_absent(), "{error}");
        }
    }

    #[tokio::test]
    async fn silence_is_cut_short_and_an_absent_server_is_known() {
        let silent = Listen::Tcp(serve(None).await);
        let error = health(&silent, Duration::from_millis(20))
            .await
            .unwrap_err();
        assert!(matches!(error, AskError::TimedOut(_)), "{error}");
        let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let closed = Listen::Tcp(gone.local_addr().unwrap());
        drop(gone);
        let error = health(&closed, LIMIT).await.unwrap_err();
        assert!(error.is_absent() && !error.is_not_found(), "{error}");
        let error = health(&Listen::Unix("/no/such/socket".into()), LIMIT).await;
        assert!(error.unwrap_err().is_not_found());
    }
}
