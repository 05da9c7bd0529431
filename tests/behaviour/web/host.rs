//! Only a program of this machine's user may ask: no page of another site, not
//! even one whose name was made to point here.

use crate::support::{
    headspace::{Headspace, Kind},
    talk::stored,
    web::{Answer, Web, request},
};

/// Every route, and two that are none.
const ROUTES: [&str; 9] = [
    "/",
    "/app.js",
    "/sse-client.js",
    "/style.css",
    "/health",
    "/api/events",
    "/api/events/stream",
    "/nothing",
    "/..%2fetc/passwd",
];

#[test]
fn only_the_exact_hosts_are_answered() {
    let (_headspace, web) = served();
    let port = web.port;
    let other = port ^ 1;
    for host in [
        format!("localhost:{port}"),
        format!("127.0.0.1:{port}"),
        format!("[::1]:{port}"),
    ] {
        assert_eq!(with_host(&web, "/health", &host).status, 200, "{host}");
    }
    let refused = [
        format!("localhost:{other}"),
        format!("127.0.0.1:{other}"),
        "localhost".into(),
        "127.0.0.1".into(),
        format!("LOCALHOST:{port}"),
        format!("Localhost:{port}"),
        format!("localhost.:{port}"),
        format!("localhost.evil.test:{port}"),
        format!("evil.test:{port}"),
        format!("0x7f.1:{port}"),
        format!("127.1:{port}"),
        format!("2130706433:{port}"),
        format!("0177.0.0.1:{port}"),
        format!("127.0.0.1.:{port}"),
        format!("[::ffff:127.0.0.1]:{port}"),
        format!("[0:0:0:0:0:0:0:1]:{port}"),
        format!("0.0.0.0:{port}"),
        format!("localhost:0{port}"),
        format!("user@localhost:{port}"),
        format!("localhost:{port}/"),
        format!("localhost:{port},evil.test"),
        String::new(),
    ];
    for path in ROUTES {
        for host in &refused {
            assert_refused(&with_host(&web, path, host), &format!("{path} {host:?}"));
        }
        let none = web.ask(format!("GET {path} HTTP/1.1\r\nConnection: close\r\n\r\n"));
        assert_refused(&none, path);
        let old = web.ask(format!("GET {path} HTTP/1.0\r\n\r\n"));
        assert_refused(&old, path);
        for second in [format!("localhost:{port}"), "evil.test".into()] {
            let two = web.get_with(path, &[&format!("Host: {second}")]);
            assert_refused(&two, &format!("{path} and {second}"));
        }
        let absolute = format!(
            "GET http://evil.test{path} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n"
        );
        assert_refused(&web.ask(absolute), path);
    }
}

#[test]
fn other_origins_and_sites_are_refused_on_every_route() {
    let (_headspace, web) = served();
    let port = web.port;
    let refused = [
        "Origin: http://evil.test".to_owned(),
        format!("Origin: http://evil.test:{port}"),
        format!("Origin: https://localhost:{port}"),
        format!("Origin: http://localhost:{}", port ^ 1),
        "Origin: null".into(),
        "Origin:".into(),
        "Origin: file://".into(),
        "Sec-Fetch-Site: cross-site".into(),
        "Sec-Fetch-Site: same-site".into(),
        "Sec-Fetch-Site: anything".into(),
    ];
    for path in ROUTES {
        for header in &refused {
            assert_refused(&web.get_with(path, &[header]), &format!("{path} {header}"));
        }
    }
    let ours = format!("Origin: http://localhost:{port}");
    for allowed in [
        ours.as_str(),
        "Sec-Fetch-Site: same-origin",
        "Sec-Fetch-Site: none",
    ] {
        assert_eq!(
            web.get_with("/api/events", &[allowed]).status,
            200,
            "{allowed}"
        );
    }
    // No preflight is ever answered.
    let preflight = format!(
        "OPTIONS /api/events HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\
         Origin: http://localhost:{port}\r\nAccess-Control-Request-Method: POST\r\n\r\n"
    );
    let answer = web.ask(preflight);
    answer.problem(405);
    assert_protected(&answer, "a preflight");
}

#[test]
fn every_answer_is_protected() {
    let (_headspace, web) = served();
    for path in ROUTES.iter().filter(|path| !path.ends_with("stream")) {
        let answer = web.get(path);
        assert_protected(&answer, path);
        let cache = answer.header("cache-control");
        assert!(
            matches!(cache, Some("no-store" | "no-cache")),
            "{path}: {cache:?}"
        );
    }
    for data in ["/health", "/api/events"] {
        assert_eq!(
            web.get(data).header("cache-control"),
            Some("no-store"),
            "{data}"
        );
    }
    for wrong in [
        "/api/events?limit=x",
        "/api/events/stream?types=x",
        "/nothing",
    ] {
        assert_protected(&web.get(wrong), wrong);
    }
}

fn served() -> (Headspace, Web) {
    let headspace = Headspace::on(Kind::Sqlite);
    stored(&headspace, "guarded", 1);
    let web = Web::start(&headspace);
    (headspace, web)
}

fn with_host(web: &Web, path: &str, host: &str) -> Answer {
    let port = web.port;
    let asked = request(path, port, &[]);
    web.ask(asked.replace(
        &format!("Host: localhost:{port}\r\n"),
        &format!("Host: {host}\r\n"),
    ))
}

fn assert_refused(answer: &Answer, what: &str) {
    // A head that is no HTTP at all is refused before its Host is looked at.
    assert!(
        matches!(answer.status, 403 | 400),
        "{what}: {}",
        answer.head
    );
    assert!(
        !answer.body.contains("guarded") && !answer.body.contains("version"),
        "{what}"
    );
    if answer.status == 403 {
        answer.problem(403);
        assert_protected(answer, what);
    }
}

fn assert_protected(answer: &Answer, what: &str) {
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{what}");
    }
    let policy = answer.header("content-security-policy").expect("a policy");
    assert!(
        policy.starts_with("default-src 'none';") && !policy.contains("unsafe"),
        "{policy}"
    );
    assert!(
        !answer.head.to_ascii_lowercase().contains("access-control"),
        "{what}"
    );
}
