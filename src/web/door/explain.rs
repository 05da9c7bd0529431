//! A body for the answers that hyper gives by itself.
//!
//! A request that hyper cannot read never reaches a handler: it answers with a
//! status and no body. This puts the usual problem in place of that answer.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::http::StatusCode;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

pub struct Explaining<S> {
    stream: S,
    /// What is still to be written in place of hyper's answer.
    answer: Vec<u8>,
}

impl<S> Explaining<S> {
    pub fn new(stream: S) -> Explaining<S> {
        Explaining {
            stream,
            answer: Vec::new(),
        }
    }

    pub fn into_inner(self) -> S {
        self.stream
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Explaining<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if this.answer.is_empty() {
            match explained(bytes) {
                Some(answer) => this.answer = answer,
                None => return Pin::new(&mut this.stream).poll_write(cx, bytes),
            }
        }
        while !this.answer.is_empty() {
            let written = ready!(Pin::new(&mut this.stream).poll_write(cx, &this.answer))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            this.answer.drain(..written);
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Explaining<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

/// What to write in place of `bytes`, if they are an answer of hyper's own: the
/// head of a client error, alone, and without a body.
fn explained(bytes: &[u8]) -> Option<Vec<u8>> {
    // Everything that is sent comes by here: nearly all of it ends at this line.
    if !bytes.starts_with(b"HTTP/1.1 4") {
        return None;
    }
    let head = std::str::from_utf8(bytes).ok()?.strip_suffix("\r\n\r\n")?;
    let (first, fields) = head.split_once("\r\n")?;
    let code = first.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    let status = StatusCode::from_u16(code).ok()?;
    let is_empty = |field: &str| field.eq_ignore_ascii_case("content-length: 0");
    if !status.is_client_error() || !fields.split("\r\n").any(is_empty) {
        return None;
    }
    let detail = match status {
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => "the headers are too many or too large",
        StatusCode::URI_TOO_LONG => "the address is too long",
        _ => "this is not a request of HTTP/1.1",
    };
    // A status without a name of its own has no title.
    let title = status.canonical_reason().unwrap_or_default();
    let body = json!({"type": "about:blank", "title": title, "status": code, "detail": detail});
    let body = body.to_string();
    let length = body.len();
    let answer = format!(
        "{first}\r\ncontent-type: application/problem+json\r\ncontent-length: {length}\r\n\
         cache-control: no-store\r\nx-content-type-options: nosniff\r\nconnection: close\r\n\r\n{body}"
    );
    Some(answer.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_bare_client_error_is_explained() {
        for (bytes, code) in [
            (
                "HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\n\r\n",
                Some(431),
            ),
            (
                "HTTP/1.1 400 Bad Request\r\nconnection: close\r\nContent-Length: 0\r\n\r\n",
                Some(400),
            ),
            ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", None),
            ("HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\n", None),
            (
                "HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\n{}",
                None,
            ),
            (
                "data: HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n",
                None,
            ),
        ] {
            let answer =
                explained(bytes.as_bytes()).map(|answer| String::from_utf8(answer).unwrap());
            let body = answer
                .as_deref()
                .map(|answer| answer.split_once("\r\n\r\n").unwrap().1);
            let status = body.map(|body| {
                let problem: serde_json::Value = serde_json::from_str(body).unwrap();
                problem["status"].as_u64().unwrap()
            });
            assert_eq!(status, code, "{bytes}");
        }
    }

    #[tokio::test]
    async fn an_answer_taken_byte_by_byte_arrives_whole() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (ours, mut theirs) = tokio::io::duplex(1);
        let bare = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
        let written = tokio::spawn(async move {
            let mut stream = Explaining::new(ours);
            stream.write_all(bare).await.unwrap();
            stream.shutdown().await.unwrap();
        });
        let mut answer = Vec::new();
        theirs.read_to_end(&mut answer).await.unwrap();
        written.await.unwrap();
        assert_eq!(answer, explained(bare).unwrap());
    }
}
