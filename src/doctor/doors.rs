//! The addresses and the socket of the web process: whether headspace answers
//! there, and what its `/health` says.

use std::{
    fs,
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::Path,
    time::Duration,
};

use futures_util::future::join_all;
use tokio::join;

use super::finding::{Finding, quoted};
use crate::{
    client::{self, AskError, HealthReply},
    config::{Listen, Settings},
};

/// `/health` answers within 2 s whatever the database does.
const LIMIT: Duration = Duration::from_secs(3);
const START: &str = "headspace up, or headspace web";

type DoorAnswer = Result<HealthReply, AskError>;

/// Asks at all of them, unless that would start the application.
pub async fn examine(settings: &Settings, is_idle: bool) -> Vec<Finding> {
    if is_idle {
        let found = "the service manager holds it; the first request starts the application";
        return vec![Finding::ok("socket", found)];
    }
    let path = settings.places.run.join("web.sock");
    let socket = Listen::Unix(path.clone());
    let is_tcp = |listen: &&Listen| matches!(listen, Listen::Tcp(_));
    let ports: Vec<&Listen> = settings.web.listen.iter().filter(is_tcp).collect();
    let ask = |door| client::health(door, LIMIT);
    let (socket, answers) = join!(ask(&socket), join_all(ports.iter().map(|port| ask(port))));
    let mut findings = vec![judge_socket(&path, &socket)];
    let ports = ports.into_iter().zip(&answers);
    findings.extend(ports.map(|(port, answer)| judge_port(port, answer, socket.is_ok())));
    let health = [&socket].into_iter().chain(&answers).flatten().next();
    findings.extend(health.into_iter().flat_map(judge_health));
    findings
}

fn judge_socket(path: &Path, answer: &DoorAnswer) -> Finding {
    const CHECK: &str = "socket";
    let shown = path.display();
    let Ok(file) = fs::symlink_metadata(path) else {
        let found = format!("{shown} is not there: the web process does not run");
        return Finding::warning(CHECK, found, START);
    };
    let remove = format!("rm {}; {START}", quoted(path));
    let mode = file.mode() & 0o777;
    match answer {
        _ if !file.file_type().is_socket() => {
            Finding::failed(CHECK, format!("{shown} is no socket"), remove)
        }
        Ok(_) if mode & 0o077 != 0 => Finding::warning(
            CHECK,
            format!("{shown} is open to other users (mode {mode:04o})"),
            format!("chmod 600 {}", quoted(path)),
        ),
        Ok(_) => Finding::ok(CHECK, format!("headspace answers on {shown}")),
        Err(error) if error.is_absent() => {
            let found = format!("{shown} is left over: the web process does not run");
            Finding::warning(CHECK, found, START)
        }
        Err(AskError::Connect(error)) => {
            Finding::failed(CHECK, format!("{shown}: {error}"), remove)
        }
        Err(AskError::Foreign(_) | AskError::TimedOut(_)) => Finding::failed(
            CHECK,
            format!("another program listens on {shown}"),
            format!("stop it: fuser -k {}; {START}", quoted(path)),
        ),
    }
}

/// The unix socket belongs to one run folder, a port to the whole machine: where
/// ours does not run, the answer on the port is that of another headspace.
fn judge_port(listen: &Listen, answer: &DoorAnswer, is_running: bool) -> Finding {
    const CHECK: &str = "port";
    let other = "choose another address in web.listen, such as [\"127.0.0.1:5056\"]";
    match answer {
        Ok(_) if is_running => Finding::ok(CHECK, format!("headspace answers on {listen}")),
        Ok(_) => Finding::warning(
            CHECK,
            format!(
                "another headspace answers on {listen}: of another user, or with another state folder"
            ),
            format!("stop it, or {other}"),
        ),
        Err(error) if error.is_absent() && is_running => Finding::warning(
            CHECK,
            format!("no program listens on {listen}, though the web process runs"),
            "restart the web process: it listens where web.listen says when it starts",
        ),
        Err(error) if error.is_absent() => Finding::note(
            CHECK,
            format!("{listen} is free: the web process does not run"),
        )
        .with_fix(START),
        Err(AskError::Connect(error)) => {
            Finding::failed(CHECK, format!("{listen}: {error}"), other)
        }
        Err(AskError::Foreign(_) | AskError::TimedOut(_)) => Finding::failed(
            CHECK,
            format!("{listen} is taken by another program"),
            format!("ss -ltnp shows it: stop it, or {other}"),
        ),
    }
}

fn judge_health(health: &HealthReply) -> Vec<Finding> {
    const CHECK: &str = "health";
    let mut findings = vec![match (health.status.as_str(), health.reasons.is_empty()) {
        ("healthy", _) => Finding::ok(CHECK, "healthy"),
        (status, true) => Finding::warning(CHECK, status, "headspace status says more"),
        (status, false) => Finding::warning(
            CHECK,
            format!("{status}: {}", health.reasons.join("; ")),
            "see the other findings; it recovers by itself when they are put right",
        ),
    }];
    let (theirs, ours) = (&health.version, env!("CARGO_PKG_VERSION"));
    if theirs != ours {
        let found = format!("the web process is version {theirs}, this program is {ours}");
        findings.push(Finding::warning(CHECK, found, "restart the web process"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Severity::{self, Failed, Ok as Fine, Warning};

    // The doors themselves are real ones, in the behaviour tests.

    #[test]
    fn another_version_of_the_web_process_is_a_warning() {
        let health = |version: &str| HealthReply {
            status: "healthy".into(),
            version: version.into(),
            reasons: vec![],
        };
        let states = |health| -> Vec<Severity> {
            let found = judge_health(&health);
            found.iter().map(|found| found.state).collect()
        };
        assert_eq!(states(health(env!("CARGO_PKG_VERSION"))), [Fine]);
        assert_eq!(states(health("0.0.1")), [Fine, Warning]);
    }

    #[test]
    fn an_address_that_cannot_be_reached_is_named_with_its_error() {
        let port = Listen::try_from("127.0.0.1:5055".to_owned()).unwrap();
        let answer = Err(std::io::Error::other("no route").into());
        let found = judge_port(&port, &answer, false);
        assert_eq!(
            (found.state, &*found.found),
            (Failed, "127.0.0.1:5055: no route")
        );
    }
}
