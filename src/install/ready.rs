//! Asking the installed service how it is.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    os::unix::net::UnixStream,
    thread,
    time::{Duration, Instant},
};

use serde::Deserialize;

use crate::config::Listen;

/// The services say themselves when they are ready, so this is short.
const PATIENCE: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_millis(100);
const ANSWER: Duration = Duration::from_secs(5);
const MAX_ANSWER: u64 = 1 << 20;

#[derive(Debug, PartialEq, Eq, Deserialize)]
pub struct HealthReply {
    pub status: String,
    pub version: String,
    #[serde(default)]
    pub reasons: Vec<String>,
}

/// The first answer that is not bad, or the last one there was.
pub fn wait(door: &Listen) -> io::Result<HealthReply> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = request_health(door);
        let is_final = match &answer {
            Ok(health) => health.status == "healthy",
            // The socket unit has made it, or nothing will.
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        };
        if is_final || Instant::now() >= deadline {
            return answer;
        }
        // A watcher that has just begun is degraded for a moment, no more.
        thread::park_timeout(PAUSE);
    }
}

fn request_health(door: &Listen) -> io::Result<HealthReply> {
    match door {
        Listen::Tcp(address) => {
            let stream = TcpStream::connect_timeout(address, ANSWER)?;
            stream.set_read_timeout(Some(ANSWER))?;
            stream.set_write_timeout(Some(ANSWER))?;
            converse(stream, &address.to_string())
        }
        Listen::Unix(path) => {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(ANSWER))?;
            stream.set_write_timeout(Some(ANSWER))?;
            converse(stream, "localhost")
        }
    }
}

fn converse(mut stream: impl Read + Write, host: &str) -> io::Result<HealthReply> {
    write!(
        stream,
        "GET /health HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.take(MAX_ANSWER).read_to_string(&mut answer)?;
    body(&answer)
}

fn body(answer: &str) -> io::Result<HealthReply> {
    let wrong = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .ok_or_else(|| wrong("the answer is not HTTP".into()))?;
    serde_json::from_str(body).map_err(|error| {
        let first = head.lines().next().unwrap_or_default();
        wrong(format!("the answer {first:?} is not /health: {error}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_read_whatever_its_status() {
        let text = "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\n\r\n\
            {\"status\":\"unhealthy\",\"version\":\"1\",\"reasons\":[\"no database\"],\"more\":1}";
        let health = body(text).unwrap();
        assert_eq!(health.status, "unhealthy");
        assert_eq!(health.reasons, ["no database"]);
        assert!(body("HTTP/1.1 200 OK").is_err());
        let other = body("HTTP/1.1 404 Not OnDisk\r\n\r\nno").unwrap_err();
        assert!(other.to_string().contains("404"), "{other}");
    }
}
