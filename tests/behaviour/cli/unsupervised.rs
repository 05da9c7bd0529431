//! A service manager is told what goes on; without one nothing is missing.

use crate::support::{
    headspace::{Headspace, Kind},
    manager::Manager,
    stream::Stream,
    talk::{Talk, wait_for_count},
    web::{self, Web},
};

#[test]
fn the_watcher_tells_its_manager() {
    let headspace = Headspace::on(Kind::Sqlite);
    let manager = Manager::listen(headspace.dir());
    let mut command = headspace.command(&["watch"]);
    command
        .env("NOTIFY_SOCKET", headspace.dir().join("notify"))
        .env("WATCHDOG_USEC", "2000000");
    let mut watcher = headspace.spawn(command);
    let ready = manager.wait_for("READY=1");
    assert!(ready.contains("STATUS=0 sessions"), "{ready}");
    // The ping comes from the loop that works, and goes on when there is none.
    (0..3).for_each(|_| drop(manager.wait_for("WATCHDOG=1")));
    let mut talk = Talk::new(&headspace, "managed");
    talk.say("hello");
    wait_for_count(&headspace.store, 3);
    manager.wait_for("STATUS=1 sessions, 3 events written");
    assert_eq!(watcher.stop().code(), Some(0));
    manager.wait_for("STOPPING=1");
}

#[test]
fn the_web_process_tells_its_manager() {
    let headspace = Headspace::on(Kind::Sqlite);
    let manager = Manager::listen(headspace.dir());
    let mut command = web::command(&headspace);
    command
        .env("NOTIFY_SOCKET", headspace.dir().join("notify"))
        .env("WATCHDOG_USEC", "200000");
    let mut web = Web::from(&headspace, command);
    let ready = manager.wait_for("READY=1");
    let status = format!("STATUS=serving http://127.0.0.1:{}, unix:", web.port);
    assert!(ready.contains(&status), "{ready}");
    // The ping comes from the loop that serves, so it knows what is open.
    let _stream = Stream::open(&web, "/api/events/stream");
    manager.wait_for("; 1 connections, 1 streams");
    (0..3).for_each(|_| drop(manager.wait_for("WATCHDOG=1")));
    assert_eq!(web.get("/health").status, 503, "ready is ready to answer");
    assert_eq!(web.process.stop().code(), Some(0));
    manager.wait_for("STOPPING=1");
}

#[test]
fn without_a_manager_everything_works() {
    let headspace = Headspace::on(Kind::Sqlite);
    for socket in [None, Some("/nowhere/notify")] {
        let with = |mut command: std::process::Command| {
            socket.map(|path| command.env("NOTIFY_SOCKET", path));
            command
        };
        let mut watcher = headspace.spawn(with(headspace.command(&["watch"])));
        watcher.wait_for_log("ready");
        let mut web = Web::from(&headspace, with(web::command(&headspace)));
        let health = web.wait_for_status("healthy");
        assert_eq!(health["watcher"]["supervisor"], "none");
        assert_eq!(web.process.stop().code(), Some(0));
        assert_eq!(watcher.stop().code(), Some(0));
    }
}
