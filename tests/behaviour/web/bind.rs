//! Only this machine is served, and a start that cannot be is one clear line.

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
};

use crate::support::{
    headspace::{Headspace, Kind},
    web::{Web, command},
};

#[test]
fn other_addresses_than_loopback_are_refused() {
    let headspace = Headspace::on(Kind::Sqlite);
    for address in [
        "0.0.0.0:0",
        "[::]:0",
        "192.0.2.1:0",
        "[::ffff:0.0.0.0]:0",
        "10.0.0.1:5055",
        "localhost:0",
        "5055",
    ] {
        for program in ["web", "up"] {
            let mut command = headspace.command(&[program]);
            command.env("HEADSPACE_WEB__LISTEN", format!("[{address:?}]"));
            let output = command.output().expect("headspace runs");
            let said = String::from_utf8_lossy(&output.stderr);
            let code = if program == "web" { 78 } else { 1 };
            assert_eq!(
                output.status.code(),
                Some(code),
                "{program} {address}: {said}"
            );
            assert!(
                said.contains("web.listen") && said.contains(address),
                "{said}"
            );
        }
    }
    // To allow it takes more than to say so: there are no tokens and no TLS yet.
    let mut command = command(&headspace);
    command.env("HEADSPACE_WEB__LISTEN", r#"["0.0.0.0:0"]"#);
    command.env("HEADSPACE_WEB__ALLOW_REMOTE", "true");
    let output = command.output().expect("headspace runs");
    assert_eq!(output.status.code(), Some(78));
}

/// All of 127.0.0.0/8 is this machine.
#[test]
fn an_unusual_loopback_address_answers_under_its_own_name() {
    let headspace = Headspace::on(Kind::Sqlite);
    let mut command = command(&headspace);
    command.env("HEADSPACE_WEB__LISTEN", r#"["127.0.0.2:0"]"#);
    let process = headspace.spawn(command);
    process.wait_for_log("serving");
    let log = process.log();
    let (_, rest) = log.split_once("127.0.0.2:").expect("the address");
    let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
    for (host, status) in [("127.0.0.2", 503), ("localhost", 503), ("127.0.0.3", 403)] {
        let mut stream = TcpStream::connect(format!("127.0.0.2:{port}")).expect("it listens");
        write!(
            stream,
            "GET /health HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n"
        )
        .expect("it takes the request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{host}: {answer}"
        );
    }
}

#[test]
fn a_socket_in_a_folder_that_others_can_write_is_refused() {
    let headspace = Headspace::on(Kind::Sqlite);
    let folder = headspace.dir().join("open");
    fs::create_dir(&folder).expect("a folder");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o1777)).expect("its mode");
    let mut command = headspace.command(&["web"]);
    let listen = format!("[\"unix:{}/web.sock\"]", folder.display());
    command.env("HEADSPACE_WEB__LISTEN", listen);
    let output = command.output().expect("headspace runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(78), "{errors}");
    for part in ["web.listen", "can be written by other users", "mode 1777"] {
        assert!(errors.contains(part), "{part} is not in {errors}");
    }
}

#[test]
fn a_port_in_use_is_one_clear_line() {
    let headspace = Headspace::on(Kind::Sqlite);
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    for program in ["web", "up"] {
        let mut command = headspace.command(&[program]);
        command.env("HEADSPACE_WEB__LISTEN", format!("[{address:?}]"));
        let output = command.output().expect("headspace runs");
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(
            said.contains(&address) && said.contains("another headspace"),
            "{said}"
        );
    }
}

#[test]
fn a_socket_left_by_a_killed_process_is_no_obstacle() {
    let headspace = Headspace::on(Kind::Sqlite);
    let web = Web::start(&headspace);
    let socket = web.socket.clone();
    web.process.kill();
    assert!(socket.exists(), "it is left behind");
    let web = Web::start(&headspace);
    assert_eq!(web.by_socket("/health").status, 503);
}
