//! The port is another program's, the socket is left over, open, or no socket.

use std::{
    fs,
    io::Write,
    net::{TcpListener, TcpStream},
    os::unix::{fs::PermissionsExt, net::UnixListener},
    thread,
};

use super::report::{Report, command, doctor, examined, free_port, listen};
use crate::support::{
    headspace::{Headspace, Kind},
    talk::stored,
    web::Web,
};

#[test]
fn a_port_that_another_program_has_fails() {
    let headspace = Headspace::on(Kind::Sqlite);
    let (greets, answers, hangs) = (
        serve(|mut peer| drop(peer.write_all(b"SSH-2.0-OpenSSH_9.2\r\n"))),
        serve(|mut peer| drop(peer.write_all(b"HTTP/1.1 200 OK\r\n\r\n<html>"))),
        serve(|peer| {
            // Held until the test's process ends.
            std::mem::forget(peer);
        }),
    );
    for port in [greets, answers] {
        let report = at_port(&headspace, port);
        assert_eq!(report.code, 1);
        let fix = report.says(
            "port",
            "failed",
            &format!("127.0.0.1:{port} is taken by"),
            "web.listen",
        );
        assert!(fix.starts_with("ss -ltnp"), "{fix}");
    }
    let report = at_port(&headspace, hangs);
    report.says(
        "port",
        "failed",
        "is taken by another program",
        "web.listen",
    );
    let free = free_port();
    at_port(&headspace, free).says(
        "port",
        "note",
        &format!("127.0.0.1:{free} is free"),
        "headspace web",
    );
}

#[test]
fn the_headspace_of_another_folder_is_no_mistake_for_ours() {
    let (ours, theirs) = (Headspace::on(Kind::Sqlite), Headspace::on(Kind::Sqlite));
    stored(&theirs, "theirs", 1);
    let web = Web::start(&theirs);
    at_port(&ours, web.port).says(
        "port",
        "warning",
        "another headspace answers",
        "stop it, or",
    );
    at_port(&theirs, web.port).says("port", "ok", "headspace answers", "");
    at_port(&theirs, free_port()).says("port", "warning", "though the web process runs", "restart");
}

#[test]
fn what_health_says_is_passed_on() {
    let headspace = Headspace::on(Kind::Sqlite);
    stored(&headspace, "health", 1);
    let web = Web::start(&headspace);
    web.wait_for_status("degraded");
    let report = at_port(&headspace, web.port);
    assert_eq!(report.code, 0, "a warning is no failure");
    report.says(
        "health",
        "warning",
        "degraded: no watcher is running",
        "other findings",
    );
}

#[test]
fn a_socket_is_missing_left_over_open_or_none() {
    let headspace = Headspace::on(Kind::Sqlite);
    let run = headspace.state().join("run");
    assert!(headspace.run(&["migrate"]).status.success());
    let path = run.join("web.sock");
    let start = "headspace up, or headspace web";
    doctor(&headspace).says(
        "socket",
        "warning",
        "is not there: the web process does not run",
        start,
    );
    drop(UnixListener::bind(&path).expect("a socket"));
    doctor(&headspace).says("socket", "warning", "left over", start);
    fs::remove_file(&path).expect("removed");
    fs::write(&path, "").expect("written");
    doctor(&headspace).says(
        "socket",
        "failed",
        "is no socket",
        &format!("rm {}", path.display()),
    );
    fs::remove_file(&path).expect("removed");
    stored(&headspace, "socket", 1);
    let web = Web::start(&headspace);
    fs::set_permissions(&web.socket, PermissionsExt::from_mode(0o666)).expect("opened");
    let fix = format!("chmod 600 {}", path.display());
    doctor(&headspace).says("socket", "warning", "open to other users (mode 0666)", &fix);
}

fn at_port(headspace: &Headspace, port: u16) -> Report {
    let mut command = command(headspace);
    command.env("HEADSPACE_WEB__LISTEN", listen(port));
    examined(command)
}

/// Each client meets this, for as long as the test's process lives.
fn serve(meet: impl Fn(TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("its address").port();
    thread::spawn(move || listener.incoming().flatten().for_each(meet));
    port
}
