//! Another user of this machine learns that headspace is well, and nothing else.

use std::process::{Command, Output};

use rustix::process::geteuid;
use serde_json::Value;

use crate::support::{
    headspace::{Headspace, Kind},
    talk::stored,
    web::Web,
};

#[test]
fn another_user_gets_the_status_and_nothing_else() {
    let headspace = Headspace::on(Kind::Sqlite);
    stored(&headspace, "private", 3);
    let _watcher = headspace.watch();
    let web = Web::start(&headspace);
    web.wait_for_status("healthy");

    let (status, body) = as_nobody(&web, "/health");
    assert_eq!(status, 200);
    let health: Value = serde_json::from_str(&body).expect("JSON");
    let mut names: Vec<&str> = health
        .as_object()
        .expect("an object")
        .keys()
        .map(String::as_str)
        .collect();
    names.sort();
    assert_eq!(names, ["status", "version"], "{health}");
    assert_eq!(health["status"], "healthy");
    for path in [
        "/",
        "/app.js",
        "/style.css",
        "/api/events",
        "/api/events/stream",
        "/nothing",
        "/health/",
    ] {
        let (status, body) = as_nobody(&web, path);
        assert_eq!(status, 403, "{path}: {body}");
        assert!(!body.contains("private"), "{path}: {body}");
    }
    let (status, body) = as_nobody(&web, "/health?strict");
    assert_eq!((status, body.len() < 60), (200, true), "{body}");
}

#[test]
fn another_user_cannot_open_the_socket_or_a_file() {
    let headspace = Headspace::on(Kind::Sqlite);
    stored(&headspace, "private", 1);
    let web = Web::start(&headspace);
    // A folder that everybody may enter shows that the files protect themselves.
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(headspace.dir(), open).expect("opened");
    let socket = web.socket.display().to_string();
    let connect = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])";
    let output = as_other_user(connect, &[&socket]);
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("PermissionError"), "{said}");
    for file in ["headspace.db", "watcher.lock"] {
        let path = headspace.state().join(file).display().to_string();
        let output = as_other_user("import sys; open(sys.argv[1])", &[&path]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("PermissionError"), "{file}: {said}");
    }
    assert_eq!(web.by_socket("/health").status, 200, "its own user can");
}

/// The status and the body that another user gets over TCP.
fn as_nobody(web: &Web, path: &str) -> (u16, String) {
    as_nobody_asks(web, "GET", path, "")
}

/// The same for any method, with JSON as the body.
pub fn as_nobody_asks(web: &Web, method: &str, path: &str, body: &str) -> (u16, String) {
    let program = "
import http.client, sys
connection = http.client.HTTPConnection('127.0.0.1', int(sys.argv[1]), timeout=30)
headers = {'Host': 'localhost:' + sys.argv[1], 'Content-Type': 'application/json'}
connection.request(sys.argv[3], sys.argv[2], sys.argv[4], headers)
answer = connection.getresponse()
print(answer.status, answer.read().decode())";
    let output = as_other_user(program, &[&web.port.to_string(), path, method, body]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let (status, body) = said.split_once(' ').expect("a status");
    (status.parse().expect("a number"), body.trim().to_owned())
}

/// Runs Python as the user `nobody`, which takes root, or sudo without a password.
pub fn as_other_user(program: &str, arguments: &[&str]) -> Output {
    let become_nobody = [
        "setpriv",
        "--reuid",
        "nobody",
        "--regid",
        "nogroup",
        "--clear-groups",
    ];
    let mut command = if geteuid().is_root() {
        Command::new(become_nobody[0])
    } else {
        let mut sudo = Command::new("sudo");
        sudo.args(["-n", become_nobody[0]]);
        sudo
    };
    command
        .args(&become_nobody[1..])
        .args(["python3", "-c", program])
        .args(arguments);
    // A python3 below a user's home is none that `nobody` may run.
    command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    command
        .current_dir("/")
        .output()
        .expect("setpriv (util-linux) and python3")
}
