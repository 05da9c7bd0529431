//! The addresses and the socket of the web process: whether headspace answers
//! there, and what its `/health` says.

use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::{Path, PathBuf},
    time::Duration,
};

use futures_util::future::join_all;
use serde::Deserialize;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    join,
    net::{TcpStream, UnixStream},
    time::timeout,
};

use super::finding::{Finding, quoted};
use crate::config::{Listen, Settings};

/// `/health` answers within 2 s whatever the database does.
const LIMIT: Duration = Duration::from_secs(3);
/// More than this is no answer of ours.
const MOST: u64 = 64 * 1024;
const START: &str = "headspace up, or headspace web";

/// What answers at an address.
#[derive(Debug, Clone, PartialEq)]
pub enum Behind {
    /// No program listens.
    Free,
    Headspace(HealthFields),
    /// Another program: its answer is not that of headspace.
    Other,
    /// The connection stands, and no answer came.
    Silent,
    Closed(String),
}

/// What we read of `/health`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct HealthFields {
    pub status: String,
    pub version: String,
    #[serde(default)]
    pub reasons: Vec<String>,
}

/// The file of a unix socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketFileFacts {
    pub path: PathBuf,
    pub mode: u32,
    pub is_socket: bool,
}

/// Asks at all of them, unless that would start the application.
pub async fn collect(settings: &Settings, is_idle: bool) -> Vec<Finding> {
    let path = settings.places.run.join("web.sock");
    if is_idle {
        let found = "the service manager holds it; the first request starts the application";
        return vec![Finding::ok("socket", found)];
    }
    let addresses = settings
        .web
        .listen
        .iter()
        .filter_map(|listen| match listen {
            Listen::Tcp(address) => Some(*address),
            Listen::Unix(_) => None,
        });
    let tcp = join_all(
        addresses.map(|address| async move { (Listen::Tcp(address), ask_tcp(address).await) }),
    );
    let (socket, tcp) = join!(ask_unix(&path), tcp);
    judge(socket_file(&path).as_ref(), &socket, &path, &tcp)
}

async fn ask_tcp(address: SocketAddr) -> Behind {
    match timeout(LIMIT, TcpStream::connect(address)).await {
        Ok(Ok(stream)) => talk(stream, &format!("localhost:{}", address.port())).await,
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => Behind::Free,
        Ok(Err(error)) => Behind::Closed(error.to_string()),
        Err(_) => Behind::Silent,
    }
}

async fn ask_unix(path: &Path) -> Behind {
    use std::io::ErrorKind::{ConnectionRefused, NotFound};
    match timeout(LIMIT, UnixStream::connect(path)).await {
        Ok(Ok(stream)) => talk(stream, "localhost").await,
        Ok(Err(error)) if [ConnectionRefused, NotFound].contains(&error.kind()) => Behind::Free,
        Ok(Err(error)) => Behind::Closed(error.to_string()),
        Err(_) => Behind::Silent,
    }
}

fn socket_file(path: &Path) -> Option<SocketFileFacts> {
    let metadata = fs::symlink_metadata(path).ok()?;
    Some(SocketFileFacts {
        path: path.to_owned(),
        mode: metadata.mode() & 0o777,
        is_socket: metadata.file_type().is_socket(),
    })
}

async fn talk(mut stream: impl AsyncRead + AsyncWrite + Unpin, host: &str) -> Behind {
    let request = format!("GET /health HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    let mut answer = Vec::new();
    let asked = timeout(LIMIT, async {
        // A server that closes early has answered nothing: that shows below.
        let _ = stream.write_all(request.as_bytes()).await;
        stream.take(MOST).read_to_end(&mut answer).await
    });
    if asked.await.is_err() && answer.is_empty() {
        return Behind::Silent;
    }
    understand(&answer).map_or(Behind::Other, Behind::Headspace)
}

/// A status line, a head, and our own object.
fn understand(answer: &[u8]) -> Option<HealthFields> {
    let text = std::str::from_utf8(answer).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    head.starts_with("HTTP/1.1 ").then_some(())?;
    serde_json::from_str(body).ok()
}

/// The unix socket first: it belongs to one run folder, and so to one headspace.
fn judge(
    file: Option<&SocketFileFacts>,
    socket: &Behind,
    path: &Path,
    tcp: &[(Listen, Behind)],
) -> Vec<Finding> {
    let mut findings = vec![judge_socket(file, socket, path)];
    let is_running = matches!(socket, Behind::Headspace(_));
    findings.extend(
        tcp.iter()
            .map(|(listen, behind)| judge_port(listen, behind, is_running)),
    );
    let met = [socket]
        .into_iter()
        .chain(tcp.iter().map(|(_, behind)| behind));
    let health = met.filter_map(|behind| match behind {
        Behind::Headspace(health) => Some(health),
        _ => None,
    });
    findings.extend(health.take(1).flat_map(judge_health));
    findings
}

fn judge_socket(file: Option<&SocketFileFacts>, behind: &Behind, path: &Path) -> Finding {
    const CHECK: &str = "socket";
    let shown = path.display();
    let remove = format!("rm {}; {START}", quoted(path));
    match (file, behind) {
        (Some(file), _) if !file.is_socket => {
            Finding::failed(CHECK, format!("{shown} is no socket"), remove)
        }
        (Some(file), Behind::Headspace(_)) if file.mode & 0o077 != 0 => Finding::warning(
            CHECK,
            format!("{shown} is open to other users (mode {:04o})", file.mode),
            format!("chmod 600 {}", quoted(path)),
        ),
        (_, Behind::Headspace(_)) => Finding::ok(CHECK, format!("headspace answers on {shown}")),
        (None, _) => Finding::warning(
            CHECK,
            format!("{shown} is not there: the web process does not run"),
            START,
        ),
        (_, Behind::Free) => {
            let found = format!("{shown} is left over: the web process does not run");
            Finding::warning(CHECK, found, START)
        }
        (_, Behind::Closed(error)) => Finding::failed(CHECK, format!("{shown}: {error}"), remove),
        (_, Behind::Other | Behind::Silent) => Finding::failed(
            CHECK,
            format!("another program listens on {shown}"),
            format!("end it: fuser -k {}; {START}", quoted(path)),
        ),
    }
}

fn judge_port(listen: &Listen, behind: &Behind, is_running: bool) -> Finding {
    const CHECK: &str = "port";
    let other = "choose another address in web.listen, such as [\"127.0.0.1:5056\"]";
    match behind {
        Behind::Headspace(_) if is_running => {
            Finding::ok(CHECK, format!("headspace answers on {listen}"))
        }
        Behind::Headspace(_) => Finding::warning(
            CHECK,
            format!(
                "another headspace answers on {listen}: of another user, or with another state folder"
            ),
            format!("stop it, or {other}"),
        ),
        Behind::Free if is_running => Finding::warning(
            CHECK,
            format!("no program listens on {listen}, though the web process runs"),
            "restart the web process: it listens where web.listen says when it starts",
        ),
        Behind::Free => Finding::note(
            CHECK,
            format!("{listen} is free: the web process does not run"),
        )
        .with_fix(START),
        Behind::Other | Behind::Silent => Finding::failed(
            CHECK,
            format!("{listen} is taken by another program"),
            format!("ss -ltnp shows it: stop it, or {other}"),
        ),
        Behind::Closed(error) => Finding::failed(CHECK, format!("{listen}: {error}"), other),
    }
}

fn judge_health(health: &HealthFields) -> Vec<Finding> {
    const CHECK: &str = "health";
    let ours = env!("CARGO_PKG_VERSION");
    let mut findings = vec![match (health.status.as_str(), health.reasons.is_empty()) {
        ("healthy", _) => Finding::ok(CHECK, "healthy"),
        (status, true) => Finding::warning(CHECK, status, "headspace status says more"),
        (status, false) => Finding::warning(
            CHECK,
            format!("{status}: {}", health.reasons.join("; ")),
            "see the other findings; it recovers by itself when they are put right",
        ),
    }];
    if health.version != ours {
        let found = format!(
            "the web process is version {}, this program is {ours}",
            health.version
        );
        findings.push(Finding::warning(CHECK, found, "restart the web process"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Severity::{self, Failed, Note, Ok as Fine, Warning};

    fn health(status: &str, reasons: &[&str]) -> HealthFields {
        HealthFields {
            status: status.into(),
            version: env!("CARGO_PKG_VERSION").into(),
            reasons: reasons.iter().map(|reason| (*reason).to_owned()).collect(),
        }
    }

    fn well() -> Behind {
        Behind::Headspace(health("healthy", &[]))
    }

    #[test]
    fn each_port_has_its_verdict() {
        let listen = Listen::Tcp("127.0.0.1:5055".parse().unwrap());
        for (behind, is_running, state, said) in [
            (well(), true, Fine, "headspace answers"),
            (well(), false, Warning, "another headspace"),
            (Behind::Free, true, Warning, "no program listens"),
            (Behind::Free, false, Note, "is free"),
            (Behind::Other, false, Failed, "taken by another program"),
            (Behind::Silent, true, Failed, "taken by another program"),
            (Behind::Closed("no route".into()), false, Failed, "no route"),
        ] {
            let found = judge_port(&listen, &behind, is_running);
            assert_eq!(found.state, state, "{behind:?}");
            assert!(found.found.contains(said), "{found:?}");
        }
    }

    #[test]
    fn the_socket_is_there_ours_and_closed_to_others() {
        let path = Path::new("/r/web.sock");
        let file = |mode, is_socket| {
            Some(SocketFileFacts {
                path: path.into(),
                mode,
                is_socket,
            })
        };
        for (file, behind, state, fix) in [
            (file(0o600, true), well(), Fine, ""),
            (file(0o666, true), well(), Warning, "chmod 600 /r/web.sock"),
            (None, Behind::Free, Warning, "headspace up"),
            (file(0o600, true), Behind::Free, Warning, "headspace up"),
            (file(0o644, false), Behind::Free, Failed, "rm /r/web.sock"),
            (file(0o600, true), Behind::Other, Failed, "fuser -k"),
            (file(0o600, true), Behind::Silent, Failed, "fuser -k"),
        ] {
            let found = judge_socket(file.as_ref(), &behind, path);
            assert_eq!(found.state, state, "{file:?} {behind:?}");
            assert!(
                found.fix.as_deref().unwrap_or("").contains(fix),
                "{found:?}"
            );
        }
    }

    #[test]
    fn health_is_passed_on_with_its_reasons() {
        let states = |health: &HealthFields| -> Vec<Severity> {
            judge_health(health)
                .iter()
                .map(|found| found.state)
                .collect()
        };
        assert_eq!(states(&health("healthy", &[])), [Fine]);
        let found = judge_health(&health("degraded", &["no watcher is running"]));
        assert_eq!(found[0].found, "degraded: no watcher is running");
        let old = HealthFields {
            version: "0.0.1".into(),
            ..health("healthy", &[])
        };
        assert_eq!(states(&old), [Fine, Warning]);
    }

    #[test]
    fn only_our_own_answer_is_understood() {
        let body = r#"{"status":"healthy","version":"0.1.0"}"#;
        let answer =
            |head: &str, body: &str| understand(format!("{head}\r\nX: y\r\n\r\n{body}").as_bytes());
        assert!(answer("HTTP/1.1 200 OK", body).is_some());
        assert!(answer("HTTP/1.1 503 Service Unavailable", body).is_some());
        for (head, body) in [
            ("SSH-2.0", body),
            ("HTTP/1.1 200 OK", "<html>"),
            ("HTTP/1.1 200 OK", "{}"),
        ] {
            assert_eq!(answer(head, body), None, "{head} {body}");
        }
        assert_eq!(understand(b"\xff"), None);
    }
}
