//! How much of what a connection may take, and for how long.

use std::{io, time::Duration};

use hyper::server::conn::http1;
use hyper_util::rt::TokioTimer;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpStream, UnixStream};

/// Connections beside the streams.
pub const SPARE_CONNECTIONS: usize = 256;
/// So many clients may wait to be accepted, as at a socket of systemd's. When there
/// is no room for one, it tries again only after a second.
pub const BACKLOG: i32 = 4096;
/// After a failed accept.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Longer addresses than this are refused.
pub const ADDRESS_BYTES: usize = 8 * 1024;
/// A request's head must be here by then; so must the next one on a connection
/// that is kept.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
const HEAD_BYTES: usize = 16 * 1024;
const MOST_HEADERS: usize = 64;
/// What the kernel may hold for a reader that does not read.
const SEND_BUFFER: usize = 64 * 1024;

pub fn http() -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES)
        .max_headers(MOST_HEADERS);
    http
}

/// A peer that vanished without a close is noticed by unanswered probes or data
/// within half the patience, which leaves time for a heartbeat to find it.
pub fn tune_tcp(stream: &TcpStream, patience: Duration) -> io::Result<()> {
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

pub fn tune_unix(stream: &UnixStream) -> io::Result<()> {
    SockRef::from(stream).set_send_buffer_size(SEND_BUFFER)
}
