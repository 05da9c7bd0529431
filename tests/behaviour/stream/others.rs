//! Clients that others wrote read the stream: curl, a library of Python, one of Rust.
//! The browser's own EventSource is in `browser::event_source`.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use futures_util::StreamExt;
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use sse_stream::SseStream;

use crate::support::{
    headspace::{Headspace, Kind, PATIENCE, on_both},
    talk::{Talk, newest},
    web::Web,
};

/// Text that is not easy to frame.
const TEXTS: [&str; 6] = [
    "plain",
    "two\nlines\r\nand\rmore\n\n",
    "data: not a field\nevent: reset\nid: 7",
    "ümlaut 家族 👩‍👩‍👧 \u{2028}\u{2029}\u{85}\u{feff}",
    ": heartbeat",
    "\u{1b}[31m\u{7f} and a tab\t",
];

/// Reads a stream to the end of the arguments' last id, and prints what it reads.
const PYTHON: &str = r#"
import json, signal, sys, urllib.request
from sseclient import SSEClient
signal.alarm(60)
address, first, last = sys.argv[1], sys.argv[2], int(sys.argv[3])
answer = urllib.request.urlopen(urllib.request.Request(address, headers={"Last-Event-ID": first}))
for event in SSEClient(answer).events():
    print(json.dumps({"id": int(event.id), "event": event.event, "data": json.loads(event.data)}))
    if int(event.id) >= last:
        break
"#;
const LIBRARY: &str = "sseclient-py==1.9.0 --hash=sha256:340062b1587fc2880892811e2ab5b176d98ef3eee98b3672ff3a3ba1e8ed0f6f";

on_both! {
    fn curl_reads_it(kind: Kind) {
        let (headspace, web) = talked(kind);
        let last = newest(&headspace.store);
        let mut curl = Command::new("curl")
            .args(["--silent", "--no-buffer", "--fail", "--max-time", "60", "--header", "Last-Event-ID: 1"])
            .arg(address(&web))
            .stdout(Stdio::piped())
            .spawn()
            .expect("curl is missing: install the Debian package curl");
        let mut events = Vec::new();
        let mut event = json!({});
        for line in BufReader::new(curl.stdout.take().expect("its output")).lines() {
            let line = line.expect("text");
            match line.split_once(": ") {
                Some(("event", name)) => event["event"] = name.into(),
                Some(("id", id)) => event["id"] = id.parse::<i64>().expect("an id").into(),
                Some(("data", data)) => event["data"] = serde_json::from_str(data).expect("JSON"),
                _ if line.is_empty() && !event["id"].is_null() => events.push(event.take()),
                _ => {}
            }
            if events.last().is_some_and(|event: &Value| event["id"] == last) {
                break;
            }
            if event.is_null() {
                event = json!({});
            }
        }
        curl.kill().expect("it runs");
        curl.wait().expect("it has ended");
        assert_eq!(events, stored(&web));
    }

    fn a_library_of_python_reads_it(kind: Kind) {
        let (headspace, web) = talked(kind);
        let last = newest(&headspace.store).to_string();
        let read = Command::new("python3")
            .args(["-c", PYTHON, &address(&web), "1", &last])
            .env("PYTHONPATH", library())
            .env("PYTHONIOENCODING", "utf-8")
            .output()
            .expect("python3");
        assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
        let lines = String::from_utf8(read.stdout).expect("text");
        let events: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(events, stored(&web));
    }

    fn a_library_of_rust_reads_it(kind: Kind) {
        let (headspace, web) = talked(kind);
        let last = newest(&headspace.store);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let events = runtime.expect("a runtime").block_on(async {
            tokio::time::timeout(PATIENCE, read(web.port, last)).await.expect("all of it comes")
        });
        assert_eq!(events, stored(&web));
    }
}

async fn read(port: u16, last: i64) -> Vec<Value> {
    let connection = tokio::net::TcpStream::connect(("127.0.0.1", port))
        .await
        .expect("the port is open");
    let (mut client, connection) = hyper::client::conn::http1::handshake(TokioIo::new(connection))
        .await
        .expect("HTTP");
    tokio::spawn(connection);
    let request = hyper::Request::get("/api/events/stream")
        .header("host", format!("localhost:{port}"))
        .header("accept", "text/event-stream")
        .header("last-event-id", "1")
        .body(Empty::<Bytes>::new())
        .expect("a request");
    let answer = client.send_request(request).await.expect("an answer");
    assert_eq!(answer.status(), 200);
    let mut stream = SseStream::new(answer.into_body());
    let mut events = Vec::new();
    while let Some(event) = stream.next().await {
        let event = event.expect("an event");
        let (Some(id), Some(data)) = (event.id, event.data) else {
            continue;
        };
        let data: Value = serde_json::from_str(&data).expect("JSON");
        let id: i64 = id.parse().expect("an id");
        events.push(json!({"id": id, "event": event.event, "data": data}));
        if id >= last {
            break;
        }
    }
    events
}

/// A log with these texts in it, and a server.
fn talked(kind: Kind) -> (Headspace, Web) {
    let headspace = Headspace::on(kind);
    Talk::new(&headspace, "others").say_all(TEXTS.map(str::to_owned));
    headspace.watch_once();
    let web = Web::start(&headspace);
    (headspace, web)
}

fn address(web: &Web) -> String {
    format!("http://127.0.0.1:{}/api/events/stream", web.port)
}

/// All events behind the first one, as clients give them.
fn stored(web: &Web) -> Vec<Value> {
    let page = web.get("/api/events?limit=500&after=1").json();
    let events = page["events"].as_array().expect("events").iter().rev();
    let events: Vec<Value> = events
        .map(|event| json!({"id": event["id"], "event": event["event_type"], "data": event}))
        .collect();
    assert!(events.len() > TEXTS.len(), "{events:?}");
    for text in TEXTS {
        let has = |event: &Value| event["data"]["payload"]["text"] == text.trim();
        assert!(
            events
                .iter()
                .any(|event| has(event) || event["data"]["payload"]["text"] == text),
            "{text:?}"
        );
    }
    events
}

/// Where the library is; fetched once, and checked by its hash.
fn library() -> std::path::PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sseclient");
    if !folder.join("sseclient").exists() {
        let made = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!(
            "sseclient-{}-{:?}",
            std::process::id(),
            std::thread::current().id()
        ));
        fs::create_dir_all(&made).expect("a folder");
        let list = made.join("requirements.txt");
        fs::write(&list, LIBRARY).expect("a list");
        let fetched = Command::new("python3")
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--no-deps",
                "--require-hashes",
                "--disable-pip-version-check",
                "--root-user-action=ignore",
                "--target",
            ])
            .arg(&made)
            .arg("-r")
            .arg(&list)
            .output()
            .expect("python3");
        let errors = String::from_utf8_lossy(&fetched.stderr);
        assert!(
            fetched.status.success(),
            "pip cannot fetch the library (Debian package python3-pip): {errors}"
        );
        // Of two tests that fetch it at once, one has it.
        let _ = fs::rename(&made, &folder);
    }
    folder
}
