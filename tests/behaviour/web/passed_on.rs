//! Sockets that a service manager passes on are served if they can be named,
//! listen, and only this machine can reach them. Otherwise nothing starts.

use std::{
    fs::{self, File},
    io::pipe,
    net::{TcpListener, TcpStream, UdpSocket},
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::{UnixDatagram, UnixListener, UnixStream},
    },
    process::Command,
};

use rustix::{
    fs::OFlags,
    net::{AddressFamily, SocketAddrUnix, SocketType, bind, listen, socket},
};

use crate::support::{
    headspace::{Headspace, Kind, PATIENCE},
    keeper::{Keeper, pass_on, pass_to_another},
    talk::stored,
    web::{Web, ask, request},
};

/// What a service manager never starts again.
const BAD_CONFIGURATION: i32 = 78;

#[test]
fn several_are_served_at_once_and_nothing_else_is_bound() {
    let headspace = Headspace::on(Kind::Sqlite);
    stored(&headspace, "passed", 1);
    let v4 = TcpListener::bind("127.0.0.1:0").expect("a port");
    let other = TcpListener::bind("127.0.0.1:0").expect("a port");
    let v6 = TcpListener::bind("[::1]:0").expect("a port");
    let path = headspace.dir().join("kept.sock");
    let unix = UnixListener::bind(&path).expect("a socket");
    let files = [v4.as_fd(), unix.as_fd(), v6.as_fd(), other.as_fd()];
    let mut command = pass_on(&headspace, &files, Some("http:http:http:http"));
    // A port in use: it would be reported if it were tried.
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = taken.local_addr().expect("an address");
    command.env("HEADSPACE_WEB__LISTEN", format!("[\"{taken}\"]"));
    let mut web = Web::from(&headspace, command);

    for tcp in [&v4, &v6, &other] {
        let address = tcp.local_addr().expect("an address");
        let stream = TcpStream::connect(address).expect("it is open");
        let answer = ask(
            stream,
            request("/api/events", address.port(), &[]).as_bytes(),
        );
        assert_eq!(answer.status, 200, "{address}");
    }
    let stream = UnixStream::connect(&path).expect("it is open");
    let by_socket = b"GET /api/events HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    assert_eq!(ask(stream, by_socket).status, 200);

    let log = web.process.log();
    assert_eq!(log.matches("web.listen is not used").count(), 1, "{log}");
    assert!(!web.socket.exists(), "the settings' socket is not bound");
    for descriptor in 3..7 {
        assert!(closes_on_exec(&web, descriptor), "children get none");
    }
    assert_eq!(web.process.stop().code(), Some(0));
    assert!(path.exists(), "what it did not make it does not remove");
}

#[test]
fn what_cannot_be_served_is_one_clear_line() {
    let headspace = Headspace::on(Kind::Sqlite);
    let http = || TcpListener::bind("127.0.0.1:0").expect("a port");
    let good = http();
    let null = File::open("/dev/null").expect("a file");
    let (pipe, _writer) = pipe().expect("a pipe");
    let connected = TcpStream::connect(good.local_addr().unwrap()).expect("a connection");
    let udp = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let datagrams = UnixDatagram::unbound().expect("a socket");
    let packets = packets(&headspace);
    let netlink = socket(AddressFamily::NETLINK, SocketType::RAW, None).expect("a socket");
    let everywhere = TcpListener::bind("0.0.0.0:0").expect("a port");
    let everywhere_v6 = TcpListener::bind("[::]:0").expect("a port");
    let mapped = TcpListener::bind("[::ffff:0.0.0.0]:0").expect("a port");
    let unix = UnixListener::bind(headspace.dir().join("idle.sock")).expect("a socket");
    for (file, name, expected) in [
        (good.as_fd(), Some("web"), "(\"web\") has an unknown name"),
        (good.as_fd(), Some("HTTP"), "(\"HTTP\") has an unknown name"),
        (
            unix.as_fd(),
            Some("headspace.socket"),
            "has an unknown name",
        ),
        (good.as_fd(), Some("\u{1b}[31m"), "has an unknown name"),
        (good.as_fd(), Some(""), "has no name"),
        (good.as_fd(), None, "has no name"),
        (null.as_fd(), Some("http"), "is not a socket"),
        (pipe.as_fd(), Some("http"), "is not a socket"),
        (udp.as_fd(), Some("http"), "is not a stream socket"),
        (datagrams.as_fd(), Some("http"), "is not a stream socket"),
        (packets.as_fd(), Some("http"), "is not a stream socket"),
        (connected.as_fd(), Some("http"), "does not listen"),
        (netlink.as_fd(), Some("http"), "is neither a TCP nor a unix"),
        (everywhere.as_fd(), Some("http"), "listens on 0.0.0.0:"),
        (everywhere_v6.as_fd(), Some("http"), "listens on [::]:"),
        (mapped.as_fd(), Some("http"), "listens on [::ffff:0.0.0.0]:"),
    ] {
        let lines = refused(pass_on(&headspace, &[file], name));
        assert_eq!(lines.len(), 1, "{name:?}: {lines:?}");
        let begins = "ERROR cli: inherited descriptor 3";
        assert!(lines[0].contains(begins), "{lines:?}");
        assert!(lines[0].contains(expected), "{expected}: {lines:?}");
        assert!(!lines[0].contains('\u{1b}'), "{lines:?}");
    }
}

#[test]
fn one_wrong_descriptor_is_one_too_many() {
    let headspace = Headspace::on(Kind::Sqlite);
    let good = Keeper::new();
    let other = Keeper::new();
    let everywhere = TcpListener::bind("0.0.0.0:0").expect("a port");
    let files = [good.tcp.as_fd(), other.tcp.as_fd(), everywhere.as_fd()];

    let lines = refused(pass_on(&headspace, &files[..2], Some("http:metrics")));
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("descriptor 4 (\"metrics\")"), "{lines:?}");

    let lines = refused(pass_on(&headspace, &files[..2], Some("http")));
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("descriptor 4 has no name"), "{lines:?}");

    let lines = refused(pass_on(&headspace, &files, Some("api:http:http")));
    assert_eq!(lines.len(), 2, "each has its line: {lines:?}");
    assert!(lines[0].contains("descriptor 3 (\"api\")"), "{lines:?}");
    assert!(lines[1].contains("descriptor 5 (\"http\")"), "{lines:?}");
}

#[test]
fn what_is_said_and_what_is_there_must_agree() {
    let headspace = Headspace::on(Kind::Sqlite);
    let good = Keeper::new();
    let said = |count: &str, names: &str| {
        let mut command = pass_on(&headspace, &[good.tcp.as_fd()], Some(names));
        command.env("LISTEN_FDS", count);
        refused(command)
    };
    for (count, names, expected) in [
        ("3", "http:http:http", "descriptor 4 (\"http\") is not open"),
        (
            "1",
            "http:http",
            "LISTEN_FDNAMES: 2 names for 1 descriptors",
        ),
        ("two", "http", "LISTEN_FDS: expected a number"),
        ("-1", "http", "LISTEN_FDS: expected a number"),
        ("2147483647", "http", "LISTEN_FDS: expected a number"),
    ] {
        let lines = said(count, names);
        assert!(lines[0].contains(expected), "{count} {names}: {lines:?}");
        assert!(lines.len() <= 2, "{lines:?}");
    }
}

#[test]
fn what_is_meant_for_another_process_is_left_alone() {
    let headspace = Headspace::on(Kind::Sqlite);
    let kept = Keeper::new();
    // Not even that it could not be served matters.
    for names in ["http", "metrics"] {
        let command = pass_to_another(&headspace, &[kept.tcp.as_fd()], names);
        let mut web = Web::from(&headspace, command);
        assert_ne!(web.port, kept.port);
        assert!(web.socket.exists(), "it listens as the settings say");
        let waiting = TcpStream::connect(kept.tcp.local_addr().unwrap()).expect("it is open");
        assert_eq!(web.get("/").status, 200);
        assert!(kept.hears_a_knock(PATIENCE), "no client waits");
        drop((kept.tcp.accept().expect("the client that waits"), waiting));
        assert!(!web.process.log().contains("web.listen is not used"));
        assert_eq!(web.process.stop().code(), Some(0));
    }
}

/// Runs it to its end, which must be that of wrong settings; what it said.
fn refused(mut command: Command) -> Vec<String> {
    let output = command.output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(BAD_CONFIGURATION), "{said}");
    said.lines().map(str::to_owned).collect()
}

fn closes_on_exec(web: &Web, descriptor: i32) -> bool {
    let pid = web.process.pid().as_raw_nonzero();
    let info = fs::read_to_string(format!("/proc/{pid}/fdinfo/{descriptor}"));
    let info = info.expect("it is open");
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = u32::from_str_radix(flags.expect("flags").trim(), 8).expect("an octal number");
    OFlags::from_bits_retain(flags).contains(OFlags::CLOEXEC)
}

/// A unix socket that listens, and keeps messages apart.
fn packets(headspace: &Headspace) -> OwnedFd {
    let packets = socket(AddressFamily::UNIX, SocketType::SEQPACKET, None).expect("a socket");
    let path = SocketAddrUnix::new(headspace.dir().join("packets.sock")).expect("a short path");
    bind(&packets, &path).expect("it is bound");
    listen(&packets, 1).expect("it listens");
    packets
}
