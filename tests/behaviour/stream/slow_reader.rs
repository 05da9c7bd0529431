//! No client waits for one that does not read.

use std::net::{Ipv4Addr, SocketAddr};

use socket2::{Domain, Socket, Type};

use crate::support::{
    headspace::{Headspace, Kind, eventually},
    stream::{Recording, Stream, read_until},
    talk::{Talk, newest},
    web::Web,
};

#[test]
fn a_reader_that_never_reads_is_let_go_and_the_others_are_unharmed() {
    let mut headspace = Headspace::on(Kind::Sqlite);
    headspace.set("HEADSPACE_SSE__CONNECTION_TIMEOUT_SECONDS", 2);
    let mut talk = Talk::new(&headspace, "slow");
    talk.say_all((0..80).map(|n| format!("{n} {}", "x".repeat(100_000))));
    headspace.watch_once();
    let web = Web::start(&headspace);
    let _stuck = Stream::send(
        small_window(web.port),
        web.port,
        "/api/events/stream?last_event_id=0",
        &[],
    );

    // Another client reads all of it meanwhile.
    let mut recording = Recording::default();
    let mut other = Stream::after(web.port, 0);
    recording.begins("other", 0);
    read_until(
        &mut other,
        "other",
        newest(&headspace.store),
        &mut recording,
    );

    eventually("it is disconnected and counted", || {
        web.health()["sse"]["dropped_slow"] == 1
    });
    eventually("its place is free", || {
        web.health()["sse"]["active_connections"] == 1
    });
    web.process.wait_for_log("did not keep up");

    talk.say("after that");
    headspace.watch_once();
    read_until(
        &mut other,
        "other",
        newest(&headspace.store),
        &mut recording,
    );
    recording.assert_clean(&headspace, None);
    assert_eq!(web.health()["sse"]["dropped_slow"], 1);
}

/// A connection whose end takes a few kilobytes, so that little data fills it.
fn small_window(port: u16) -> std::net::TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small buffer");
    let address: SocketAddr = (Ipv4Addr::LOCALHOST, port).into();
    socket.connect(&address.into()).expect("connected");
    socket.into()
}
