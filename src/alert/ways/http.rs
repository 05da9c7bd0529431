//! One POST, by HTTP/1.1, with TLS where the address says so.
//!
//! No redirect is followed, and of the answer only the status is read.

use std::{io, sync::Arc, time::Duration};

use axum::body::Body;
use hyper::{
    HeaderMap, Request, StatusCode, Uri,
    client::conn::http1::{SendRequest, handshake},
    header::HOST,
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task::spawn_blocking,
    time::timeout,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::ServerName},
};

const CONNECT: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(10);

#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The receiver did not take it: it may be tried again.
    NotTaken(String),
    /// It may have been taken, or never will be.
    Final(String),
}

/// Why never names more of the address than its host.
pub async fn post(url: &Uri, headers: HeaderMap, body: Vec<u8>) -> Result<(), Refusal> {
    let not_taken = |error: io::Error| Refusal::NotTaken(format!("cannot connect: {error}"));
    let connected = timeout(CONNECT, connect(url))
        .await
        .map_err(|_| Refusal::NotTaken(format!("no connection within {} s", CONNECT.as_secs())))?;
    let mut connection = connected.map_err(not_taken)?;
    let mut request = Request::post(url.path_and_query().map_or("/", |path| path.as_str()));
    let authority = url.authority().map_or("", |authority| authority.as_str());
    request = request.header(HOST, authority);
    let mut request = request
        .body(Body::from(body))
        .map_err(|error| Refusal::Final(error.to_string()))?;
    request.headers_mut().extend(headers);
    let answer = timeout(ANSWER, connection.send_request(request)).await;
    let answer = answer
        .map_err(|_| Refusal::Final(format!("no answer within {} s", ANSWER.as_secs())))?
        .map_err(|error| Refusal::Final(format!("no answer: {error}")))?;
    judge(answer.status())
}

fn judge(status: StatusCode) -> Result<(), Refusal> {
    let said = format!("the receiver answered {status}");
    match status {
        status if status.is_success() => Ok(()),
        StatusCode::TOO_MANY_REQUESTS => Err(Refusal::NotTaken(said)),
        status if status.is_server_error() => Err(Refusal::NotTaken(said)),
        _ => Err(Refusal::Final(said)),
    }
}

async fn connect(url: &Uri) -> io::Result<SendRequest<Body>> {
    let is_https = url.scheme_str() == Some("https");
    let port = url.port_u16().unwrap_or(if is_https { 443 } else { 80 });
    let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
    let stream = TcpStream::connect((host, port)).await?;
    if !is_https {
        return ready(stream).await;
    }
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    // Reading the machine's roots takes a while, and must not hold up capture.
    let settings = spawn_blocking(tls).await.map_err(io::Error::other)??;
    ready(TlsConnector::from(settings).connect(name, stream).await?).await
}

async fn ready<S>(stream: S) -> io::Result<SendRequest<Body>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = handshake(TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    // It ends with the sender; what breaks it is the sender's error, too.
    tokio::spawn(connection);
    Ok(sender)
}

/// Trusts what this machine trusts. Made anew each time: alerts are rare, and memory is
/// kept for ever.
fn tls() -> io::Result<Arc<ClientConfig>> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = found
            .errors
            .first()
            .map_or(String::new(), |error| format!(": {error}"));
        return Err(io::Error::other(format!(
            "this machine trusts no certificates{why}"
        )));
    }
    let provider = Arc::new(ring::default_provider());
    let settings = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(settings))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_surely_not_taken_may_be_tried_again() {
        for (code, is_again) in [
            (200, None),
            (204, None),
            (429, Some(true)),
            (503, Some(true)),
            (301, Some(false)),
            (400, Some(false)),
            (404, Some(false)),
            (410, Some(false)),
        ] {
            let judged = judge(StatusCode::from_u16(code).unwrap()).err();
            let again = judged.map(|refusal| matches!(refusal, Refusal::NotTaken(_)));
            assert_eq!(again, is_again, "{code}");
        }
    }

    #[tokio::test]
    async fn a_door_that_is_closed_may_be_tried_again() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/geheim", listener.local_addr().unwrap());
        drop(listener);
        let refused = post(&url.parse().unwrap(), HeaderMap::new(), Vec::new()).await;
        let Err(Refusal::NotTaken(why)) = refused else {
            panic!("{refused:?}");
        };
        assert!(!why.contains("geheim"), "{why}");
    }
}
