//! A hook by HTTP is on disk before its answer, whatever else is down.

use std::{
    fs::{self, File},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::other_user::as_nobody_asks;
use crate::{
    spool::{lines, stop},
    support::{
        disk::SmallDisk,
        headspace::{Headspace, Kind, eventually, on_both},
        web::{Answer, Web, connect, post, try_ask},
    },
};

const JSON: &str = "Content-Type: application/json";
const MAX: usize = 1024 * 1024;

on_both! {
    fn the_status_counts_the_hooks_in_the_log_by_their_type(kind: Kind) {
        let headspace = Headspace::on(kind);
        headspace.watch_once();
        let web = Web::start(&headspace);
        let nothing = json!({"mode": "polling", "last_event": null, "hooks": []});
        assert_eq!(web.get("/hook/status").json(), nothing);
        for (path, session) in [("/hook/stop", "a"), ("/hook/stop", "b"), ("/hook/session-end", "a")] {
            let hook = json!({"session_id": session, "cwd": "/p"});
            assert_eq!(web.post(path, &hook.to_string()).status, 200);
        }
        headspace.watch_once();
        let status = web.get("/hook/status").json();
        assert_eq!(status["mode"], "hooks");
        let counts: Vec<Value> = status["hooks"].as_array().unwrap().iter()
            .map(|hook| json!([hook["hook_type"], hook["count"]]))
            .collect();
        assert_eq!(json!(counts), json!([["SessionEnd", 1], ["Stop", 2]]));
        let last = &status["hooks"][0]["last_received_at"];
        assert_eq!(status["last_event"], json!({"hook_type": "SessionEnd", "received_at": last}));
        let newest = "SELECT max(timestamp) FROM events WHERE event_type = 'hook_received'";
        if kind == Kind::Sqlite {
            assert_eq!(headspace.store.column(newest), [last.as_str().unwrap()]);
        }
        // What is read again counts once.
        assert_eq!(headspace.watch_once().stored, 0);
        assert_eq!(web.get("/hook/status").json(), status);
        web.post("/hook/status", &stop("a").to_string()).problem(405);
    }

    fn switched_off_they_are_answered_and_passed_over(kind: Kind) {
        let mut headspace = Headspace::on(kind);
        let web = Web::start(&headspace);
        assert_eq!(web.post("/hook/stop", &stop("before").to_string()).status, 200);
        headspace.set("HEADSPACE_HOOKS__ENABLED", "false");
        drop(web);
        let web = Web::start(&headspace);
        for hook in [stop("a").to_string(), "no hook".into()] {
            let answer = web.post("/hook", &hook);
            assert_eq!((answer.status, answer.body.as_str()), (200, "{}"));
        }
        let session = json!({"session_uuid": "s-1", "project_path": "/p"});
        assert_eq!(web.post("/api/sessions", &session.to_string()).status, 202);
        assert_eq!(lines(&headspace).len(), 2);
        headspace.watch_once();
        assert_eq!(headspace.store.column("SELECT session_uuid FROM agents"), ["s-1"]);
        assert_eq!(headspace.store.number("SELECT count(*) FROM rejections"), 0);
        assert_eq!(web.get("/hook/status").json()["mode"], "off");
    }

    fn a_hook_is_in_the_spool_before_the_answer_and_in_the_log_once(kind: Kind) {
        let headspace = Headspace::on(kind);
        let web = Web::start(&headspace);
        let mut start = stop("a");
        start.as_object_mut().unwrap().remove("hook_event_name");
        let named = [
            ("/hook", stop("a"), "Stop"),
            ("/hook/session-start", start.clone(), "SessionStart"),
            ("/hook/some-day-new", start, "SomeDayNew"),
            ("/hook/notification", stop("b"), "Stop"),
        ];
        for (number, (path, hook, _)) in named.iter().enumerate() {
            let answer = web.post(path, &hook.to_string());
            assert_eq!((answer.status, answer.body.as_str()), (200, "{}"), "{path}");
            assert_eq!(lines(&headspace).len(), number + 1, "{path}");
        }
        headspace.watch_once();
        assert_eq!(headspace.watch_once().stored, 0);
        let sql = "SELECT payload FROM events WHERE event_type = 'hook_received' ORDER BY id";
        let payloads = headspace.store.column(sql);
        let types: Vec<Value> = payloads
            .iter()
            .map(|payload| serde_json::from_str::<Value>(payload).unwrap()["hook_type"].clone())
            .collect();
        assert_eq!(json!(types), json!(named.map(|(_, _, name)| name)));
    }
}

#[test]
fn by_unix_socket_and_over_one_connection_it_is_the_same() {
    let (headspace, web) = served();
    let stream = std::os::unix::net::UnixStream::connect(&web.socket).unwrap();
    let by_socket = post("/hook", "localhost", &[JSON], &stop("a").to_string());
    let answer = try_ask(stream, by_socket.as_bytes()).unwrap();
    assert_eq!(answer.status, 200);
    let host = format!("localhost:{}", web.port);
    let kept = post("/hook", &host, &[JSON], &stop("b").to_string());
    let kept = kept.replace("Connection: close\r\n", "");
    let last = post("/hook", &host, &[JSON], &stop("c").to_string());
    let both = try_ask(connect(web.port), format!("{kept}{last}").as_bytes()).unwrap();
    assert!(both.body.starts_with("{}HTTP/1.1 200"), "{}", both.body);
    assert_eq!(lines(&headspace).len(), 3);
}

#[test]
fn what_is_no_hook_is_refused_with_the_reason_and_leaves_nothing() {
    let (headspace, web) = served();
    for field in ["session_id", "cwd", "hook_event_name"] {
        let mut hook = stop("a");
        hook.as_object_mut().unwrap().remove(field);
        let detail = web.post("/hook", &hook.to_string()).problem(400);
        assert_eq!(detail, format!("missing field {field}"));
        for wrong in [json!(1), json!(""), Value::Null, json!(["secret"])] {
            hook[field] = wrong;
            let detail = web.post("/hook", &hook.to_string()).problem(400);
            assert_eq!(detail, format!("field {field}: expected a text"));
        }
    }
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(5000), "]".repeat(5000));
    for garbage in ["", "null", "[]", "{\"secret\":", "{} {}", "\u{0}", &deep] {
        let detail = web.post("/hook", garbage).problem(400);
        assert!(detail.starts_with("not a JSON object"), "{detail}");
        assert!(!detail.contains("secret"), "{detail}");
    }
    let hook = stop("a").to_string();
    let host = format!("localhost:{}", web.port);
    for method in ["GET", "PUT", "DELETE", "OPTIONS"] {
        for path in ["/hook", "/hook/stop"] {
            let request = post(path, &host, &[JSON], &hook).replacen("POST", method, 1);
            let answer = web.ask(request);
            answer.problem(405);
            assert!(!answer.head.to_lowercase().contains("access-control"));
        }
    }
    web.post("/hook/a/b", &hook).problem(404);
    web.post("/hook/%ff", &hook).problem(400);
    assert_eq!(lines(&headspace), Vec::<String>::new());
}

#[test]
fn a_body_has_a_size_and_a_time() {
    let (headspace, web) = served();
    let sized = |size: usize| {
        let mut hook = stop("a");
        hook["last_assistant_message"] = json!("");
        let rest = size - hook.to_string().len();
        hook["last_assistant_message"] = json!("x".repeat(rest));
        hook.to_string()
    };
    assert_eq!(web.post("/hook", &sized(MAX)).status, 200);
    for size in [MAX + 1, 10 * MAX] {
        let detail = web.post("/hook", &sized(size)).problem(413);
        assert_eq!(detail, "the body is larger than 1048576 bytes");
    }
    // In chunks no length says how much there will be.
    let host = format!("localhost:{}", web.port);
    let chunk = format!("{MAX:x}\r\n{}\r\n", "x".repeat(MAX));
    let chunked = format!(
        "POST /hook HTTP/1.1\r\nHost: {host}\r\n{JSON}\r\nConnection: close\r\n\
         Transfer-Encoding: chunked\r\n\r\n{chunk}{chunk}0\r\n\r\n"
    );
    web.ask(chunked).problem(413);
    let began = Instant::now();
    let whole = post("/hook", &host, &[JSON], &stop("slow").to_string());
    let slow = try_ask(connect(web.port), &whole.as_bytes()[..whole.len() - 5]).unwrap();
    slow.problem(408);
    let took = began.elapsed().as_secs_f32();
    assert!((4.5..9.0).contains(&took), "{took} s");
    assert_eq!(lines(&headspace).len(), 1);
}

#[test]
fn while_the_spool_cannot_be_written_a_client_is_asked_to_try_again() {
    let (headspace, web) = served();
    let folder = headspace.state().join("spool");
    fs::write(&folder, "in the way").unwrap();
    assert_busy(&web.post("/hook", &stop("a").to_string()));
    fs::remove_file(&folder).unwrap();
    assert_eq!(web.post("/hook", &stop("b").to_string()).status, 200);
    let lock = File::open(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    let began = Instant::now();
    assert_busy(&web.post("/hook", &stop("c").to_string()));
    let took = began.elapsed();
    assert!(took < Duration::from_millis(1500), "{took:?}");
    drop(lock);
    assert_eq!(web.post("/hook", &stop("d").to_string()).status, 200);
    assert_eq!(sessions(&headspace), ["b", "d"]);
    let log = web.process.log();
    assert_eq!(
        log.matches("cannot append to the spool").count(),
        2,
        "{log}"
    );
}

#[test]
fn on_a_full_disk_nothing_is_promised_and_nothing_is_torn() {
    let headspace = Headspace::on(Kind::Sqlite);
    let disk = SmallDisk::at(&headspace.state());
    let web = Web::start(&headspace);
    assert_eq!(web.post("/hook", &stop("before").to_string()).status, 200);
    disk.fill();
    let mut large = stop("full");
    large["last_assistant_message"] = json!("x".repeat(8000));
    assert_busy(&web.post("/hook", &large.to_string()));
    disk.free();
    assert_eq!(web.post("/hook", &stop("after").to_string()).status, 200);
    assert_eq!(sessions(&headspace), ["before", "after"]);
}

#[test]
fn killed_while_it_takes_hooks_it_loses_none_that_it_answered() {
    let headspace = Headspace::on(Kind::Sqlite);
    let answered = AtomicUsize::new(0);
    let mut kept = Vec::new();
    for round in 0..5 {
        let mut web = Web::start(&headspace);
        let port = web.port;
        let before = answered.load(Ordering::SeqCst);
        thread::scope(|scope| {
            let clients: Vec<_> = (0..4)
                .map(|client| (client, &answered))
                .map(|(client, answered)| {
                    scope.spawn(move || take_until_killed(port, round, client, answered))
                })
                .collect();
            eventually("hooks are taken", || {
                answered.load(Ordering::SeqCst) >= before + 20
            });
            web.process.signal(Signal::KILL);
            web.process.wait();
            for client in clients {
                kept.extend(client.join().unwrap());
            }
        });
    }
    let found: Vec<String> = lines(&headspace)
        .iter()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .map(|line| line["hook"]["session_id"].as_str().unwrap().to_owned())
        .collect();
    for session in &kept {
        let times = found.iter().filter(|found| *found == session).count();
        assert_eq!(times, 1, "{session}");
    }
    assert!(kept.len() >= 100, "{}", kept.len());
}

/// Sends hooks until one gets no answer; the sessions of those that got 200.
fn take_until_killed(
    port: u16,
    round: usize,
    client: usize,
    answered: &AtomicUsize,
) -> Vec<String> {
    let mut kept = Vec::new();
    for number in 0.. {
        let session = format!("{round}-{client}-{number}");
        let host = format!("localhost:{port}");
        let request = post("/hook", &host, &[JSON], &stop(&session).to_string());
        let Ok(stream) = std::net::TcpStream::connect(("127.0.0.1", port)) else {
            break;
        };
        match try_ask(stream, request.as_bytes()) {
            Ok(answer) if answer.status == 200 && answer.body == "{}" => kept.push(session),
            _ => break,
        }
        answered.fetch_add(1, Ordering::SeqCst);
    }
    kept
}

#[test]
fn only_this_user_under_an_exact_name_and_no_other_site_may_send_one() {
    let (headspace, web) = served();
    let (port, hook) = (web.port, stop("a").to_string());
    for host in [
        format!("localhost:{}", port ^ 1),
        "localhost".into(),
        format!("LOCALHOST:{port}"),
        format!("localhost.:{port}"),
        format!("localhost.evil.test:{port}"),
        format!("evil.test:{port}"),
        format!("2130706433:{port}"),
        format!("[::ffff:127.0.0.1]:{port}"),
        String::new(),
    ] {
        for path in ["/hook", "/hook/stop"] {
            web.ask(post(path, &host, &[JSON], &hook)).problem(403);
        }
    }
    let host = format!("localhost:{port}");
    for header in [
        "Origin: http://evil.test".to_owned(),
        format!("Origin: http://evil.test:{port}"),
        "Origin: null".into(),
        "Sec-Fetch-Site: cross-site".into(),
        "Sec-Fetch-Site: same-site".into(),
    ] {
        web.ask(post("/hook", &host, &[JSON, &header], &hook))
            .problem(403);
    }
    for path in ["/hook", "/hook/stop"] {
        let (status, body) = as_nobody_asks(&web, "POST", path, &hook);
        assert_eq!(status, 403, "{body}");
    }
    assert_eq!(lines(&headspace), Vec::<String>::new());
}

fn served() -> (Headspace, Web) {
    let headspace = Headspace::on(Kind::Sqlite);
    let web = Web::start(&headspace);
    (headspace, web)
}

fn sessions(headspace: &Headspace) -> Vec<Value> {
    lines(headspace)
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["hook"]["session_id"].clone())
        .collect()
}

fn assert_busy(answer: &Answer) {
    assert_eq!(answer.problem(503), "the spool cannot be written");
    assert_eq!(answer.header("retry-after"), Some("1"));
}
