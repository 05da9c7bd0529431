//! The whole way, from bytes on a socket to a real SQLite file.

mod refused;

use std::time::Duration;

use serde_json::Value;
use sqlx::SqliteConnection;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UnixStream},
    task::JoinHandle,
    time::timeout,
};

use super::*;
use crate::{
    store::{new_sqlite, wake},
    stream,
};

const SOON: Duration = Duration::from_secs(10);

struct World {
    dir: tempfile::TempDir,
    db: SqliteConnection,
    port: u16,
    hub: Hub,
    stop: CancellationToken,
    served: JoinHandle<io::Result<()>>,
}

impl World {
    async fn new() -> World {
        World::with(100, Duration::from_secs(60)).await
    }

    async fn with(max_connections: usize, connection_timeout: Duration) -> World {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("headspace.db");
        let db = new_sqlite(&path).await;
        let stop = CancellationToken::new();
        let streams = stream::Settings {
            heartbeat_interval: Duration::from_secs(30),
            max_connections,
            retry_after: Duration::from_secs(5),
        };
        let settings = Settings {
            hosts: vec![],
            roots: vec![],
            host: "here".into(),
            state: dir.path().into(),
            run: dir.path().into(),
            hooks: true,
            alerts_finished: false,
            connection_timeout,
            drain: Duration::from_secs(1),
            idle_timeout: None,
        };
        let reader = Reader::sqlite(&path);
        let hub = Hub::start(
            reader.clone(),
            wake::Source::doorbell(dir.path()),
            streams,
            stop.clone(),
        );
        let tcp = bind_tcp("127.0.0.1:0".parse().unwrap()).unwrap();
        let unix = bind_unix(&dir.path().join("web.sock")).unwrap();
        let port = tcp.tcp().unwrap().port();
        let served = tokio::spawn(serve(
            settings,
            reader,
            hub.clone(),
            vec![tcp, unix],
            stop.clone(),
        ));
        World {
            dir,
            db,
            port,
            hub,
            stop,
            served,
        }
    }

    async fn append(&mut self, count: usize, payload: &str) {
        for _ in 0..count {
            sqlx::query(
                "INSERT INTO events (timestamp, recorded_at, event_type, payload, event_key) \
                 VALUES ('2026-11-21T01:02:03.000000Z', '2026-11-21T01:02:03.000000Z', 'turn_detected', ?, hex(randomblob(8)))",
            )
            .bind(payload).execute(&mut self.db).await.unwrap();
        }
        wake::Doorbell::new(self.dir.path()).ring();
    }

    async fn tcp(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port)).await.unwrap()
    }

    async fn raw(&self, request: &str) -> String {
        let mut stream = self.tcp().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = vec![];
        // A refused request may be answered by a reset after the answer.
        let _ = timeout(SOON, stream.read_to_end(&mut answer))
            .await
            .expect("the connection ends");
        String::from_utf8(answer).unwrap()
    }

    async fn get(&self, path: &str, more: &str) -> (u16, String, String) {
        let port = self.port;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n{more}\r\n"
        );
        split(&self.raw(&request).await)
    }

    async fn json(&self, path: &str) -> (u16, Value) {
        let (status, _, body) = self.get(path, "").await;
        (status, serde_json::from_str(&body).unwrap_or(Value::Null))
    }

    async fn stream(&self, path: &str) -> TcpStream {
        let mut stream = self.tcp().await;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost:{}\r\n\r\n",
            self.port
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }
}

fn split(answer: &str) -> (u16, String, String) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .unwrap_or(0);
    (status, head.to_ascii_lowercase(), body.into())
}

async fn read_until(stream: &mut TcpStream, seen: &mut String, wanted: &str) {
    let mut part = [0; 4096];
    while !seen.contains(wanted) {
        let count = timeout(SOON, stream.read(&mut part))
            .await
            .expect("data in time")
            .unwrap();
        assert!(count > 0, "the stream ended without {wanted:?}: {seen}");
        seen.push_str(std::str::from_utf8(&part[..count]).unwrap());
    }
}

#[tokio::test]
async fn a_page_is_json_newest_first_with_its_cursors() {
    let mut world = World::new().await;
    world.append(5, r#"{"text":"hello"}"#).await;
    let (status, page) = world.json("/api/events?limit=2").await;
    assert_eq!(status, 200);
    assert_eq!(
        (&page["events"][0]["id"], &page["events"][1]["id"]),
        (&5.into(), &4.into())
    );
    assert_eq!(
        (&page["next_before"], &page["follow_after"]),
        (&4.into(), &5.into())
    );
    let (_, page) = world
        .json("/api/events?before=3&types=turn_detected,session_ended")
        .await;
    assert_eq!(page["events"].as_array().unwrap().len(), 2);
    assert_eq!(page["next_before"], Value::Null);
}

#[tokio::test]
async fn the_stream_replays_and_goes_live_over_tcp() {
    let mut world = World::new().await;
    world.append(2, r#"{"text":"old"}"#).await;
    let mut stream = world.stream("/api/events/stream?last_event_id=1").await;
    let mut seen = String::new();
    read_until(&mut stream, &mut seen, "id: 2\n").await;
    assert!(seen.starts_with("HTTP/1.1 200 OK"));
    assert!(
        seen.contains("content-type: text/event-stream") && seen.contains("x-accel-buffering: no")
    );
    assert!(seen.contains("cache-control: no-cache") && !seen.contains("id: 1\n"));
    world.append(1, r#"{"text":"new"}"#).await;
    read_until(&mut stream, &mut seen, "id: 3\n").await;
    world.stop.cancel();
    read_until(&mut stream, &mut seen, "event: close\n").await;
    timeout(Duration::from_secs(2), world.served)
        .await
        .expect("out in time")
        .unwrap()
        .unwrap();
    assert!(!world.dir.path().join("web.sock").exists());
}

#[tokio::test]
async fn the_accept_header_chooses_the_stream() {
    let world = World::new().await;
    let mut stream = world.tcp().await;
    let request = format!(
        "GET /api/events HTTP/1.1\r\nHost: localhost:{}\r\nAccept: text/event-stream\r\nLast-Event-ID: x\r\n\r\n",
        world.port
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    read_until(&mut stream, &mut String::new(), "event: reset\nid: 0\n").await;
}

#[tokio::test]
async fn one_reader_too_many_is_asked_to_come_again() {
    let world = World::with(1, SOON).await;
    let mut first = world.stream("/api/events/stream").await;
    read_until(&mut first, &mut String::new(), ": connected").await;
    let (status, head, _) = world.get("/api/events/stream", "").await;
    assert_eq!(status, 503);
    assert!(head.contains("retry-after: 5"), "{head}");
    drop(first);
    let freed = async {
        while world.hub.active_connections() > 0 {
            tokio::task::yield_now().await
        }
    };
    timeout(SOON, freed).await.expect("the place is free again");
}

#[tokio::test]
async fn a_reader_that_never_reads_is_let_go_and_counted() {
    let mut world = World::with(2, Duration::from_millis(300)).await;
    let text = "x".repeat(100_000);
    world.append(60, &format!(r#"{{"text":"{text}"}}"#)).await;
    let stuck = world.stream("/api/events/stream?last_event_id=0").await;
    let gone = async {
        while world.hub.dropped_slow() == 0 {
            tokio::task::yield_now().await
        }
    };
    timeout(SOON, gone).await.expect("it is disconnected");
    let freed = async {
        while world.hub.active_connections() > 0 {
            tokio::task::yield_now().await
        }
    };
    timeout(SOON, freed).await.expect("its place is free");
    drop(stuck);
}

#[tokio::test]
async fn the_unix_socket_serves_the_same_user() {
    let world = World::new().await;
    let mut stream = UnixStream::connect(world.dir.path().join("web.sock"))
        .await
        .unwrap();
    stream
        .write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    timeout(SOON, stream.read_to_string(&mut answer))
        .await
        .unwrap()
        .unwrap();
    let (status, _, body) = split(&answer);
    let health: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &health["status"]), (200, &"degraded".into()));
    assert_eq!(health["reasons"][0], "no watcher is running");
}

#[tokio::test]
async fn health_counts_and_turns_strict_and_unhealthy() {
    let mut world = World::new().await;
    world.append(3, "{}").await;
    assert_eq!(world.json("/health?strict").await.0, 503);
    let counted = async {
        while world.json("/health").await.1["database"]["events"] != 3 {
            tokio::task::yield_now().await
        }
    };
    timeout(SOON, counted)
        .await
        .expect("the events are counted");
    world.append(2, "{}").await;
    assert_eq!(world.json("/health").await.1["database"]["events"], 5);
    std::fs::remove_file(world.dir.path().join("headspace.db")).unwrap();
    let (status, health) = world.json("/health").await;
    assert_eq!((status, &health["status"]), (503, &"unhealthy".into()));
    assert_eq!(health["database"]["status"], "unreachable");
    assert_eq!(world.json("/api/events").await.0, 503);
}
