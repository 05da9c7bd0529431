//! A stream on its connection, without hyper.
//!
//! hyper keeps two buffers of 8 KiB for a connection, which a stream would hold for
//! as long as it lives and never use: it is one answer, and nothing is asked after
//! it. So when its head is known the connection is taken from hyper. The answer has
//! no length; it ends with its connection.

use std::{future::poll_fn, io, task::Poll};

use axum::{body::BodyDataStream, http::response::Parts, response::Response};
use futures_util::StreamExt;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// About this much is sent at a time while a client catches up.
const BATCH: usize = 16 * 1024;

/// An extension of a response: its body is a stream.
#[derive(Debug, Clone, Copy)]
pub struct IsStream;

/// Sends a stream to its end, or until the client closes the connection.
pub async fn send<S>(mut connection: S, response: Response) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (parts, body) = response.into_parts();
    connection.write_all(&head(parts)).await?;
    let mut body = body.into_data_stream();
    loop {
        let bytes = tokio::select! {
            biased;
            bytes = next(&mut body) => bytes,
            closed = closed(&mut connection) => return closed,
        };
        match bytes {
            Some(bytes) => connection.write_all(&bytes).await?,
            None => return connection.shutdown().await,
        }
    }
}

fn head(parts: Parts) -> Vec<u8> {
    let date = jiff::fmt::rfc2822::DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&jiff::Timestamp::now())
        .unwrap_or_default();
    let status = parts.status;
    let mut head =
        format!("HTTP/1.1 {status}\r\ndate: {date}\r\nconnection: close\r\n").into_bytes();
    for (name, value) in &parts.headers {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            head.extend(part);
        }
    }
    head.extend(b"\r\n");
    head
}

/// What is there to be sent; `None` at the end, and again after it.
async fn next(body: &mut BodyDataStream) -> Option<Vec<u8>> {
    poll_fn(|cx| {
        let mut batch = Vec::new();
        while batch.len() < BATCH {
            match body.poll_next_unpin(cx) {
                Poll::Ready(Some(Ok(bytes))) => batch.extend(bytes),
                Poll::Pending if batch.is_empty() => return Poll::Pending,
                Poll::Pending | Poll::Ready(_) => break,
            }
        }
        Poll::Ready(Some(batch).filter(|batch| !batch.is_empty()))
    })
    .await
}

/// Waits for the end of what the client sends. What comes before it is no request
/// that could be answered.
async fn closed(connection: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
    while connection.read(&mut [0; 64]).await? > 0 {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::{body::Body, http::header, response::IntoResponse};
    use futures_util::stream;
    use tokio::io::duplex;

    use super::*;

    fn response(parts: Vec<String>) -> Response {
        let headers = [(header::CONTENT_TYPE, "text/event-stream")];
        let parts = parts.into_iter().map(Ok::<_, Infallible>);
        (headers, Body::from_stream(stream::iter(parts))).into_response()
    }

    #[tokio::test]
    async fn the_head_and_all_parts_arrive_and_the_end_is_the_connections() {
        let (ours, mut theirs) = duplex(1000);
        let parts: Vec<String> = (0..5000).map(|n| format!("data: {n}\n\n")).collect();
        let body = parts.concat();
        let sent = tokio::spawn(send(ours, response(parts)));
        let mut answer = String::new();
        theirs.read_to_string(&mut answer).await.unwrap();
        sent.await.unwrap().unwrap();
        let (head, rest) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(head.contains("\r\nconnection: close\r\n"), "{head}");
        assert!(
            head.ends_with("\r\ncontent-type: text/event-stream"),
            "{head}"
        );
        assert!(head.contains(" GMT\r\n"), "{head}");
        assert_eq!(rest, body);
    }

    #[tokio::test]
    async fn it_ends_when_the_client_closes_and_not_when_it_sends() {
        let (ours, mut theirs) = duplex(1000);
        let silent = stream::pending::<Result<String, Infallible>>();
        let response = Body::from_stream(silent).into_response();
        let sent = tokio::spawn(send(ours, response));
        theirs.write_all(&[b'x'; 2000]).await.unwrap();
        assert!(!sent.is_finished());
        drop(theirs);
        sent.await.unwrap().unwrap();
    }
}
