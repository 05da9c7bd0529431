//! Every way in, hooks and sessions alike, has the same guard and the same bounds.

use rustix::process::Signal;
use serde_json::{Value, json};

use super::other_user::{as_nobody_asks, as_other_user};
use crate::{
    spool::{assert_silent, hook, lines, segments, stop},
    support::{
        disk::SmallDisk,
        headspace::{Headspace, Kind, eventually},
        oracle,
        server::Server,
        web::{Answer, Web, post, request},
    },
};

const JSON: &str = "Content-Type: application/json";
const MAX: usize = 1024 * 1024;

/// Method, path, and whether there is a body.
const WAYS: [(&str, &str, bool); 7] = [
    ("POST", "/hook", true),
    ("POST", "/hook/stop", true),
    ("POST", "/hook/made-up", true),
    ("GET", "/hook/status", false),
    ("POST", "/api/sessions", true),
    ("GET", "/api/sessions/s", false),
    ("DELETE", "/api/sessions/s", false),
];

#[test]
fn only_the_exact_hosts_have_a_way_in() {
    let (headspace, web) = served();
    let port = web.port;
    for (method, path, has_body) in WAYS {
        for host in [
            format!("localhost:{}", port ^ 1),
            "localhost".into(),
            "127.0.0.1".into(),
            format!("LOCALHOST:{port}"),
            format!("localhost.:{port}"),
            format!("localhost.evil.test:{port}"),
            format!("evil.test:{port}"),
            format!("127.1:{port}"),
            format!("2130706433:{port}"),
            format!("[::ffff:127.0.0.1]:{port}"),
            format!("localhost:0{port}"),
            String::new(),
        ] {
            let answer = web.ask(asking(method, path, &host, has_body, &[]));
            answer.problem(403);
        }
        let own = format!("localhost:{port}");
        let whole = asking(method, path, &own, has_body, &[]);
        let none = whole.replace(&format!("Host: {own}\r\n"), "");
        assert_eq!(web.ask(none).status, 403, "{method} {path} without a Host");
        let two = asking(method, path, &own, has_body, &[&format!("Host: {own}")]);
        assert_eq!(web.ask(two).status, 403, "{method} {path} with two");
        let absolute = whole.replacen(path, &format!("http://evil.test{path}"), 1);
        assert_eq!(web.ask(absolute).status, 403, "{method} {path}, absolute");
    }
    assert_eq!(lines(&headspace), Vec::<String>::new());
}

#[test]
fn no_other_site_has_a_way_in_and_no_preflight_is_answered() {
    let (headspace, web) = served();
    let port = web.port;
    let host = format!("localhost:{port}");
    for (method, path, has_body) in WAYS {
        for header in [
            "Origin: http://evil.test".to_owned(),
            format!("Origin: http://evil.test:{port}"),
            format!("Origin: https://localhost:{port}"),
            format!("Origin: http://localhost:{}", port ^ 1),
            "Origin: null".into(),
            "Sec-Fetch-Site: cross-site".into(),
            "Sec-Fetch-Site: same-site".into(),
        ] {
            let answer = web.ask(asking(method, path, &host, has_body, &[&header]));
            answer.problem(403);
        }
        for origin in ["http://evil.test".to_owned(), format!("http://{host}")] {
            let origin = format!("Origin: {origin}");
            let wants = format!("Access-Control-Request-Method: {method}");
            let asked = asking("OPTIONS", path, &host, false, &[&origin, &wants]);
            let answer = web.ask(asked);
            assert!(matches!(answer.status, 403 | 405), "{}", answer.head);
            assert!(!answer.head.to_lowercase().contains("access-control"));
        }
    }
    assert_eq!(lines(&headspace), Vec::<String>::new());
}

#[test]
fn another_user_has_no_way_in_and_cannot_read_or_write_the_spool() {
    let (headspace, web) = served();
    assert_eq!(web.post("/hook", &stop("ours").to_string()).status, 200);
    // A folder that everybody may enter shows that the spool protects itself.
    let open: std::fs::Permissions = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    for folder in [headspace.dir().to_owned(), headspace.state()] {
        std::fs::set_permissions(folder, open.clone()).expect("opened");
    }
    for (method, path, _) in WAYS {
        for body in [
            stop("theirs"),
            json!({"session_uuid": "s", "project_path": "/p"}),
        ] {
            let (status, said) = as_nobody_asks(&web, method, path, &body.to_string());
            assert_eq!(status, 403, "{method} {path}: {said}");
            assert!(!said.contains("ours"), "{method} {path}: {said}");
        }
    }
    let segment = segments(&headspace).remove(0);
    let spool = headspace.state().join("spool");
    for (what, path) in [
        ("import os, sys; os.listdir(sys.argv[1])", spool.clone()),
        ("import sys; open(sys.argv[1])", segment.clone()),
        ("import sys; open(sys.argv[1], 'a')", segment),
        ("import sys; open(sys.argv[1], 'a')", spool.join("lock")),
        (
            "import sys; open(sys.argv[1], 'w')",
            spool.join("00000000000000000001.jsonl"),
        ),
    ] {
        let output = as_other_user(what, &[&path.display().to_string()]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("PermissionError"), "{what}: {said}");
    }
    assert_eq!(lines(&headspace).len(), 1);
}

#[test]
fn every_body_is_json_of_bounded_size_and_depth() {
    let (headspace, web) = served();
    let host = format!("localhost:{}", web.port);
    let bodies = WAYS.iter().filter(|(_, _, has_body)| *has_body);
    for (_, path, _) in bodies {
        let body = body_for(path);
        for kind in [
            "X: none",
            "Content-Type: text/plain",
            "Content-Type: text/plain; application/json",
            "Content-Type: application/x-www-form-urlencoded",
            "Content-Type: multipart/form-data; boundary=x",
            "Content-Type: application/json\r\nContent-Type: text/plain",
        ] {
            web.ask(post(path, &host, &[kind], &body)).problem(415);
        }
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(5000), "]".repeat(5000));
        for garbage in [
            "",
            "null",
            "7",
            "[]",
            "{\"secret\":",
            "{} {}",
            "\u{0}",
            "{\"a\": 1e999}",
            &deep,
        ] {
            let detail = web.post(path, garbage).problem(400);
            assert!(!detail.contains("secret"), "{path}: {detail}");
        }
        let large = format!("{}{}", " ".repeat(MAX), body);
        let detail = web.post(path, &large).problem(413);
        assert_eq!(detail, "the body is larger than 1048576 bytes", "{path}");
        let both = format!("{JSON}\r\nTransfer-Encoding: chunked");
        assert_eq!(
            web.ask(post(path, &host, &[&both], &body)).status,
            400,
            "{path}"
        );
    }
    assert_eq!(lines(&headspace), Vec::<String>::new());
}

#[test]
fn on_a_full_disk_each_way_in_says_so_and_none_is_half_in() {
    let headspace = Headspace::on(Kind::Sqlite);
    let disk = SmallDisk::at(&headspace.state());
    let web = Web::start(&headspace);
    assert_eq!(web.post("/hook", &stop("before").to_string()).status, 200);
    disk.fill();
    // So long that no page that is there already has room for it.
    let long = "x".repeat(4000);
    let session = json!({"session_uuid": "s", "project_path": format!("/{long}"), "working_directory": format!("/{long}")});
    assert_busy(&web.post("/api/sessions", &session.to_string()));
    let mut body = stop("full");
    body["last_assistant_message"] = json!(long.repeat(2));
    assert_busy(&web.post("/hook/stop", &body.to_string()));
    disk.free();
    assert_eq!(web.post("/api/sessions", &session.to_string()).status, 202);
    assert_eq!(web.delete("/api/sessions/s").status, 202);
    let kinds: Vec<Value> = lines(&headspace)
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).expect("whole")["kind"].clone())
        .collect();
    assert_eq!(json!(kinds), json!(["hook", "session", "unregistered"]));
}

/// A request that would succeed, but for the host and the headers.
fn asking(method: &str, path: &str, host: &str, has_body: bool, headers: &[&str]) -> String {
    if has_body {
        let headers = [&[JSON], headers].concat();
        return post(path, host, &headers, &body_for(path)).replacen("POST", method, 1);
    }
    let asked = request(path, 0, headers).replacen("GET", method, 1);
    asked.replacen("Host: localhost:0", &format!("Host: {host}"), 1)
}

fn body_for(path: &str) -> String {
    match path.starts_with("/hook") {
        true => stop("s").to_string(),
        false => json!({"session_uuid": "s", "project_path": "/p"}).to_string(),
    }
}

fn served() -> (Headspace, Web) {
    let headspace = Headspace::on(Kind::Sqlite);
    let web = Web::start(&headspace);
    (headspace, web)
}

fn assert_busy(answer: &Answer) {
    assert_eq!(answer.problem(503), "the spool cannot be written");
    assert_eq!(answer.header("retry-after"), Some("1"));
}

#[test]
fn while_the_database_is_down_what_comes_is_accepted_and_stored_later() {
    let (mut server, headspace) = Server::with_headspace();
    let mut watcher = headspace.watch();
    let web = Web::start(&headspace);
    assert_eq!(web.get("/hook/status").status, 200);
    server.stop(Signal::INT);
    let session = json!({"session_uuid": "s", "project_path": "/p"});
    assert_eq!(web.post("/hook", &stop("a").to_string()).status, 200);
    let answer = web.post("/api/sessions", &session.to_string());
    assert_eq!(answer.status, 202, "{}", answer.body);
    assert_silent(&hook(&headspace, stop("b").to_string()));
    for path in ["/hook/status", "/api/sessions/s"] {
        assert!(web.get(path).problem(503).contains("database"), "{path}");
    }
    server.start();
    let sent = [
        json!({"hook": stop("a")}),
        json!({"session": session}),
        json!({"hook": stop("b")}),
    ];
    eventually("all of it is stored", || {
        let found = headspace
            .store
            .try_column("SELECT session_uuid FROM agents ORDER BY id");
        found.is_ok_and(|found| found == ["a", "s", "b"])
    });
    assert!(watcher.stop().success());
    oracle::assert_clean_with_sent(&headspace, &sent);
}
