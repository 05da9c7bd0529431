//! A process that cannot serve answers the clients that wait at its passed
//! sockets with 503. While one waits, the service manager would start it again.

use std::io::{self, Read, Write};

use super::Listener;

const ANSWER: &str = "HTTP/1.1 503 Service Unavailable\r\n\
    Content-Type: application/problem+json\r\nConnection: close\r\nContent-Length: 117\r\n\r\n\
    {\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,\
    \"detail\":\"headspace cannot start; its log says why\"}";

/// Answers every client that waits now, and none that comes later.
pub fn answer_unavailable(listeners: &[Listener]) {
    for listener in listeners {
        // A client that is left waiting leads to one more start, which tries again.
        if let Err(error) = empty(listener) {
            tracing::debug!(%error, "cannot answer the waiting clients");
        }
    }
}

fn empty(listener: &Listener) -> io::Result<()> {
    match listener {
        Listener::Tcp(tcp) => {
            tcp.set_nonblocking(true)?;
            until_none_waits(|| {
                let (stream, _) = tcp.accept()?;
                stream.set_nonblocking(true)?;
                Ok(stream)
            })
        }
        Listener::Unix(unix, _) => {
            unix.set_nonblocking(true)?;
            until_none_waits(|| {
                let (stream, _) = unix.accept()?;
                stream.set_nonblocking(true)?;
                Ok(stream)
            })
        }
    }
}

fn until_none_waits<S: Read + Write>(accept: impl Fn() -> io::Result<S>) -> io::Result<()> {
    loop {
        match accept() {
            Ok(stream) => answer(stream),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// The request is read first: closing a socket with unread bytes would discard the
/// answer.
fn answer(mut stream: impl Read + Write) {
    // A client that has left needs no answer.
    let mut request = [0; 16 * 1024];
    let _ = stream.read(&mut request);
    let _ = stream.write_all(ANSWER.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn every_waiting_client_gets_an_answer() {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = tcp.local_addr().unwrap();
        let waiting: Vec<TcpStream> = (0..3)
            .map(|_| {
                let mut stream = TcpStream::connect(address).unwrap();
                stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
                stream
            })
            .collect();
        let silent = TcpStream::connect(address).unwrap();
        let listener = Listener::Tcp(tcp);
        answer_unavailable(std::slice::from_ref(&listener));
        for mut stream in waiting.into_iter().chain([silent]) {
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            assert_eq!(answer, ANSWER);
        }
        let (head, body) = ANSWER.split_once("\r\n\r\n").unwrap();
        assert!(head.ends_with(&format!("Content-Length: {}", body.len())));
        let problem: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(problem["status"], 503);
        answer_unavailable(&[listener]);
    }
}
