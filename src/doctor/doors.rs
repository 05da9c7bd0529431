//! The doors of the web process: its addresses and its socket, who listens
//! there, and whether it is well.

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

/// What was met at a door.
#[derive(Debug, Clone, PartialEq)]
pub enum Behind {
    Nobody,
    Headspace(Health),
    /// Somebody who answers otherwise, with a name if the system tells it.
    Stranger(Option<String>),
    /// The connection stands, and no answer came.
    Silence(Option<String>),
    Closed(String),
}

/// What `/health` tells everyone, and what it tells its own user.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Health {
    pub status: String,
    pub version: String,
    #[serde(default)]
    pub reasons: Vec<String>,
}

/// The file of a unix socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketFile {
    pub path: PathBuf,
    pub mode: u32,
    pub is_socket: bool,
}

/// Knocks at all of them, unless that would start the application.
pub async fn look(settings: &Settings, is_idle: bool) -> Vec<Finding> {
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
        addresses.map(|address| async move { (Listen::Tcp(address), knock_tcp(address).await) }),
    );
    let (socket, tcp) = join!(knock_unix(&path), tcp);
    judge(socket_file(&path).as_ref(), &socket, &path, &tcp)
}

async fn knock_tcp(address: SocketAddr) -> Behind {
    match timeout(LIMIT, TcpStream::connect(address)).await {
        Ok(Ok(stream)) => {
            talk(stream, &format!("localhost:{}", address.port()), || {
                owner(address)
            })
            .await
        }
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => Behind::Nobody,
        Ok(Err(error)) => Behind::Closed(error.to_string()),
        Err(_) => Behind::Silence(owner(address)),
    }
}

async fn knock_unix(path: &Path) -> Behind {
    use std::io::ErrorKind::{ConnectionRefused, NotFound};
    match timeout(LIMIT, UnixStream::connect(path)).await {
        Ok(Ok(stream)) => talk(stream, "localhost", || None).await,
        Ok(Err(error)) if [ConnectionRefused, NotFound].contains(&error.kind()) => Behind::Nobody,
        Ok(Err(error)) => Behind::Closed(error.to_string()),
        Err(_) => Behind::Silence(None),
    }
}

fn socket_file(path: &Path) -> Option<SocketFile> {
    let metadata = fs::symlink_metadata(path).ok()?;
    Some(SocketFile {
        path: path.to_owned(),
        mode: metadata.mode() & 0o777,
        is_socket: metadata.file_type().is_socket(),
    })
}

async fn talk(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    host: &str,
    owner: impl Fn() -> Option<String>,
) -> Behind {
    let request = format!("GET /health HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    let mut answer = Vec::new();
    let asked = timeout(LIMIT, async {
        // Who closes early has answered nothing: that shows below.
        let _ = stream.write_all(request.as_bytes()).await;
        stream.take(MOST).read_to_end(&mut answer).await
    });
    if asked.await.is_err() && answer.is_empty() {
        return Behind::Silence(owner());
    }
    understand(&answer).map_or_else(|| Behind::Stranger(owner()), Behind::Headspace)
}

/// A status line, a head, and our own object.
fn understand(answer: &[u8]) -> Option<Health> {
    let text = std::str::from_utf8(answer).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    head.starts_with("HTTP/1.1 ").then_some(())?;
    serde_json::from_str(body).ok()
}

/// The process that listens there, by the kernel's tables: its name and its pid.
fn owner(address: SocketAddr) -> Option<String> {
    let inode = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .find_map(|table| listening_inode(&fs::read_to_string(table).ok()?, address.port()))?;
    let link = format!("socket:[{inode}]");
    for process in fs::read_dir("/proc").ok()?.flatten() {
        let name = process.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let fds = fs::read_dir(process.path().join("fd"));
        let mut fds = fds.into_iter().flatten().flatten();
        if fds.any(|fd| fs::read_link(fd.path()).is_ok_and(|to| to == Path::new(&link))) {
            let name = fs::read_to_string(process.path().join("comm")).ok()?;
            return Some(format!("{} (pid {pid})", name.trim()));
        }
    }
    None
}

/// Of the line whose local port is this and whose state is 0A, listening.
fn listening_inode(table: &str, port: u16) -> Option<String> {
    table.lines().skip(1).find_map(|line| {
        let mut words = line.split_whitespace();
        let (_, local) = words.nth(1)?.rsplit_once(':')?;
        let is_listening = words.nth(1)? == "0A";
        let is_ours = u16::from_str_radix(local, 16).ok()? == port;
        (is_listening && is_ours).then(|| words.nth(5).map(str::to_owned))?
    })
}

/// The unix socket first: it belongs to one run folder, and so to one headspace.
fn judge(
    file: Option<&SocketFile>,
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

fn judge_socket(file: Option<&SocketFile>, behind: &Behind, path: &Path) -> Finding {
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
        (_, Behind::Nobody) => {
            let found = format!("{shown} is left over: the web process does not run");
            Finding::warning(CHECK, found, START)
        }
        (_, Behind::Closed(error)) => Finding::failed(CHECK, format!("{shown}: {error}"), remove),
        (_, Behind::Stranger(_) | Behind::Silence(_)) => Finding::failed(
            CHECK,
            format!("who listens on {shown} does not answer as headspace does"),
            format!("end it: fuser -k {}; {START}", quoted(path)),
        ),
    }
}

fn judge_port(listen: &Listen, behind: &Behind, is_running: bool) -> Finding {
    const CHECK: &str = "port";
    let other = "choose another address in web.listen, such as [\"127.0.0.1:5056\"]";
    let who = |name: &Option<String>| name.clone().unwrap_or_else(|| "another program".into());
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
        Behind::Nobody if is_running => Finding::warning(
            CHECK,
            format!("nobody listens on {listen}, though the web process runs"),
            "restart the web process: it listens where web.listen says when it starts",
        ),
        Behind::Nobody => Finding::note(
            CHECK,
            format!("{listen} is free: the web process does not run"),
        )
        .with_fix(START),
        Behind::Stranger(name) => {
            let found = format!("{listen} is taken by {}", who(name));
            Finding::failed(CHECK, found, format!("stop it, or {other}"))
        }
        Behind::Silence(name) => {
            let found = format!("{listen} is held by {}, which does not answer", who(name));
            Finding::failed(CHECK, found, format!("stop it, or {other}"))
        }
        Behind::Closed(error) => Finding::failed(CHECK, format!("{listen}: {error}"), other),
    }
}

fn judge_health(health: &Health) -> Vec<Finding> {
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
    use crate::doctor::finding::State::{self, Failed, Note, Ok as Fine, Warning};

    fn health(status: &str, reasons: &[&str]) -> Health {
        Health {
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
        let nginx = || Some("nginx (pid 9)".to_owned());
        for (behind, is_running, state, said) in [
            (well(), true, Fine, "headspace answers"),
            (well(), false, Warning, "another headspace"),
            (Behind::Nobody, true, Warning, "nobody listens"),
            (Behind::Nobody, false, Note, "is free"),
            (
                Behind::Stranger(nginx()),
                false,
                Failed,
                "taken by nginx (pid 9)",
            ),
            (
                Behind::Stranger(None),
                true,
                Failed,
                "taken by another program",
            ),
            (
                Behind::Silence(nginx()),
                false,
                Failed,
                "held by nginx (pid 9)",
            ),
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
            Some(SocketFile {
                path: path.into(),
                mode,
                is_socket,
            })
        };
        for (file, behind, state, fix) in [
            (file(0o600, true), well(), Fine, ""),
            (file(0o666, true), well(), Warning, "chmod 600 /r/web.sock"),
            (None, Behind::Nobody, Warning, "headspace up"),
            (file(0o600, true), Behind::Nobody, Warning, "headspace up"),
            (file(0o644, false), Behind::Nobody, Failed, "rm /r/web.sock"),
            (
                file(0o600, true),
                Behind::Stranger(None),
                Failed,
                "fuser -k",
            ),
            (file(0o600, true), Behind::Silence(None), Failed, "fuser -k"),
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
        let states = |health: &Health| -> Vec<State> {
            judge_health(health)
                .iter()
                .map(|found| found.state)
                .collect()
        };
        assert_eq!(states(&health("healthy", &[])), [Fine]);
        let found = judge_health(&health("degraded", &["no watcher is running"]));
        assert_eq!(found[0].found, "degraded: no watcher is running");
        let old = Health {
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

    #[test]
    fn who_listens_is_found_in_the_kernels_table() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
             0: 0100007F:13BF 00000000:0000 01 00000000:00000000 00:00000000 00000000     0        0 11111 1\n\
             1: 0100007F:13BF 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 22222 1\n";
        assert_eq!(listening_inode(table, 5055).as_deref(), Some("22222"));
        assert_eq!(listening_inode(table, 5056), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_that_listens_is_named() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let pid = format!("(pid {})", std::process::id());
        // A child that another test starts has our descriptors for a moment.
        let is_us = |_: &usize| owner(address).unwrap().ends_with(&pid);
        assert!((0..1000).find(is_us).is_some());
    }
}
