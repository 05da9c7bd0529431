//! The web process as it is built, and requests to it, byte for byte.

use std::{
    fs,
    io::{self, Read, Write},
    net::{Ipv4Addr, TcpStream},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use super::headspace::{Headspace, PATIENCE, Running, eventually};

/// `headspace web`, or any other process that serves.
pub struct Web {
    pub process: Running,
    pub port: u16,
    pub socket: PathBuf,
}

/// An answer, its head as it came.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Web {
    /// Starts it on a port of its own and waits until it serves.
    pub fn start(headspace: &Headspace) -> Web {
        Web::from(headspace, command(headspace))
    }

    pub fn from(headspace: &Headspace, command: Command) -> Web {
        let process = headspace.spawn(command);
        process.wait_for_log("serving");
        let port = port_in(&process.log());
        Web {
            process,
            port,
            socket: headspace.state().join("run/web.sock"),
        }
    }

    pub fn get(&self, path: &str) -> Answer {
        self.get_with(path, &[])
    }

    pub fn get_with(&self, path: &str, headers: &[&str]) -> Answer {
        self.ask(request(path, self.port, headers))
    }

    /// Sends JSON to a path.
    pub fn post(&self, path: &str, json: &str) -> Answer {
        let host = format!("localhost:{}", self.port);
        self.ask(post(path, &host, &["Content-Type: application/json"], json))
    }

    pub fn delete(&self, path: &str) -> Answer {
        let asked = request(path, self.port, &[]);
        self.ask(asked.replacen("GET", "DELETE", 1))
    }

    pub fn ask(&self, request: impl AsRef<[u8]>) -> Answer {
        ask(connect(self.port), request.as_ref())
    }

    pub fn health(&self) -> Value {
        self.get("/health").json()
    }

    pub fn by_socket(&self, path: &str) -> Answer {
        let stream = UnixStream::connect(&self.socket).expect("the unix socket is there");
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        ask(stream, request.as_bytes())
    }

    /// Waits until `/health` has this status, and returns it.
    pub fn wait_for_status(&self, status: &str) -> Value {
        let mut health = Value::Null;
        eventually(status, || {
            health = self.health();
            health["status"] == status
        });
        health
    }
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}\n{}", self.head, self.body))
    }

    /// Fails unless it is a problem with this status; returns what it says.
    pub fn problem(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}\n{}", self.head, self.body);
        let kind = self.header("content-type");
        assert_eq!(kind, Some("application/problem+json"), "{}", self.head);
        let problem = self.json();
        assert_eq!(problem["status"], status);
        problem["detail"].as_str().expect("a detail").to_owned()
    }
}

/// `headspace web` on any free port.
pub fn command(headspace: &Headspace) -> Command {
    let mut command = headspace.command(&["web"]);
    command.env("HEADSPACE_WEB__LISTEN", r#"["127.0.0.1:0"]"#);
    command
}

/// The port in the first address of a text.
pub fn port_in(text: &str) -> u16 {
    let (_, rest) = text.split_once("http://127.0.0.1:").expect("an address");
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().expect("a port")
}

/// A request for one answer, after which the connection is closed.
pub fn request(path: &str, port: u16, headers: &[&str]) -> String {
    let more: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    format!("GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n{more}\r\n")
}

/// A request with a body, after whose answer the connection is closed.
pub fn post(path: &str, host: &str, headers: &[&str], body: &str) -> String {
    let more: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{more}Content-Length: {length}\r\n\r\n{body}"
    )
}

pub fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("the port is open");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream
}

/// Sends everything, reads to the end.
pub fn ask(stream: impl Read + Write, request: &[u8]) -> Answer {
    try_ask(stream, request).unwrap_or_else(|what| panic!("no answer: {what}"))
}

/// The same, or what came instead of an answer.
pub fn try_ask(mut stream: impl Read + Write, request: &[u8]) -> Result<Answer, String> {
    // A client that is refused early may find the connection closed while still sending.
    let sent = stream.write_all(request);
    let mut bytes = Vec::new();
    let read = stream.read_to_end(&mut bytes);
    parse(&bytes).ok_or_else(|| format!("sent {sent:?}, read {read:?}, {bytes:?}"))
}

fn parse(bytes: &[u8]) -> Option<Answer> {
    let end = find(bytes, b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let body = bytes[end + 4..].to_vec();
    let body = String::from_utf8(body).expect("a body in UTF-8");
    Some(Answer { status, head, body })
}

pub fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|part| part == wanted)
}

/// The permission bits of a file, a folder or a socket.
pub fn mode(path: &Path) -> io::Result<u32> {
    use std::os::unix::fs::PermissionsExt;
    Ok(fs::symlink_metadata(path)?.permissions().mode() & 0o7777)
}
