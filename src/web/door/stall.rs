//! A connection that ends itself when its reader stops reading. On TCP the
//! kernel may be quicker: it ends a connection whose other end takes nothing, or
//! is gone, with a time-out of its own.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

/// A reader that takes less than this in the given time cannot keep up, even if
/// it takes a byte now and then.
pub const SLOWEST: usize = 64 * 1024;

pub struct Stalling<S, F> {
    stream: S,
    patience: Duration,
    /// Runs while written bytes wait to be taken.
    deadline: Option<Pin<Box<Sleep>>>,
    taken: usize,
    on_stall: F,
}

impl<S, F: Fn()> Stalling<S, F> {
    pub fn new(stream: S, patience: Duration, on_stall: F) -> Self {
        Stalling {
            stream,
            patience,
            deadline: None,
            taken: 0,
            on_stall,
        }
    }

    pub fn into_inner(self) -> S {
        self.stream
    }

    fn took(&mut self, count: usize, everything: bool) {
        self.taken += count;
        if everything || self.taken >= SLOWEST {
            self.deadline = None;
        }
    }

    /// The kernel reports a time-out once, to the first read or write.
    fn reported(&self, error: io::Error) -> io::Error {
        if error.kind() == io::ErrorKind::TimedOut {
            (self.on_stall)();
        }
        error
    }

    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.deadline.is_none() {
            self.taken = 0;
        }
        let patience = self.patience;
        let deadline = self
            .deadline
            .get_or_insert_with(|| Box::pin(sleep(patience)));
        ready!(deadline.as_mut().poll(cx));
        (self.on_stall)();
        Poll::Ready(Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the reader does not read",
        )))
    }
}

impl<S: AsyncWrite + Unpin, F: Fn() + Unpin> AsyncWrite for Stalling<S, F> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.stream).poll_write(cx, bytes) {
            Poll::Ready(Ok(count)) => {
                self.took(count, count == bytes.len());
                Poll::Ready(Ok(count))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(self.reported(error))),
            Poll::Pending => self.poll_deadline(cx),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + Unpin, F: Fn() + Unpin> AsyncRead for Stalling<S, F> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        read.map_err(|error| self.reported(error))
    }
}
