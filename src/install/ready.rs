//! Waits until the installed service is healthy.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    os::unix::net::UnixStream,
    thread,
    time::{Duration, Instant},
};

use serde::Deserialize;

use super::StepError;
use crate::config::Listen;

/// The services report when they are ready, so this is short.
const READY_LIMIT: Duration = Duration::from_secs(15);
const INTERVAL: Duration = Duration::from_millis(100);
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
const MAX_ANSWER: u64 = 1 << 20;

#[derive(Deserialize)]
struct HealthReply {
    status: String,
    version: String,
    #[serde(default)]
    reasons: Vec<String>,
}

/// Returns a sentence about the service: healthy, or degraded with the reasons.
pub fn wait_until_ready(address: &Listen) -> Result<String, StepError> {
    let deadline = Instant::now() + READY_LIMIT;
    let reply = loop {
        let reply = request_health(address);
        let is_final = match &reply {
            Ok(health) => health.status == "healthy",
            // The socket unit has made it, or nothing will.
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        };
        if is_final || Instant::now() >= deadline {
            break reply;
        }
        // A watcher that has just started is degraded for a moment.
        thread::park_timeout(INTERVAL);
    };
    let health = reply.map_err(|error| StepError::Silent {
        address: address.to_string(),
        error,
    })?;
    let (version, reasons) = (health.version, health.reasons.join("; "));
    match health.status.as_str() {
        "unhealthy" => Err(StepError::Unhealthy(reasons)),
        "healthy" => Ok(format!("headspace {version} is healthy")),
        status => Ok(format!("headspace {version} is {status}: {reasons}")),
    }
}

fn request_health(address: &Listen) -> io::Result<HealthReply> {
    match address {
        Listen::Tcp(address) => {
            let stream = TcpStream::connect_timeout(address, ANSWER_LIMIT)?;
            stream.set_read_timeout(Some(ANSWER_LIMIT))?;
            ask(stream, &address.to_string())
        }
        Listen::Unix(path) => {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(ANSWER_LIMIT))?;
            ask(stream, "localhost")
        }
    }
}

fn ask(mut stream: impl Read + Write, host: &str) -> io::Result<HealthReply> {
    write!(
        stream,
        "GET /health HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.take(MAX_ANSWER).read_to_string(&mut answer)?;
    parse(&answer)
}

fn parse(answer: &str) -> io::Result<HealthReply> {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    serde_json::from_str(body).map_err(|error| {
        let first = head.lines().next().unwrap_or_default();
        io::Error::other(format!("the answer {first:?} is not /health: {error}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_read_whatever_its_status() {
        let text = "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\n\r\n\
            {\"status\":\"unhealthy\",\"version\":\"1\",\"reasons\":[\"no database\"],\"more\":1}";
        let health = parse(text).unwrap();
        assert_eq!(health.status, "unhealthy");
        assert_eq!(health.reasons, ["no database"]);
        assert!(parse("HTTP/1.1 200 OK").is_err());
        let other = parse("HTTP/1.1 404 Not Found\r\n\r\nno").err().unwrap();
        assert!(other.to_string().contains("404"), "{other}");
    }
}
