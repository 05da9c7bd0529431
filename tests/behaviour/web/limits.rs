//! Requests have bounds, each with an answer of its own.

use std::{
    io::{Read, Write},
    time::{Duration, Instant},
};

use crate::support::{
    headspace::{Headspace, Kind},
    talk::stored,
    web::{Web, connect},
};

#[test]
fn what_is_too_much_or_wrong_is_refused_with_its_status() {
    let headspace = Headspace::on(Kind::Sqlite);
    stored(&headspace, "bounds", 1);
    let web = Web::start(&headspace);
    let port = web.port;
    let head =
        |line: &str| format!("{line}\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n");

    web.get_with("/health", &[&format!("X: {}", "a".repeat(100_000))])
        .problem(431);
    web.get_with("/health", &vec!["X: 1"; 1000]).problem(431);
    web.ask("this is no request\r\n\r\n").problem(400);
    web.get(&format!("/{}", "a".repeat(9000))).problem(414);
    web.get(&format!("/api/events?types={}", "a".repeat(9000)))
        .problem(414);
    assert!(matches!(
        web.get(&format!("/{}", "a".repeat(100_000))).status,
        414 | 431
    ));

    for path in [
        "/nothing",
        "/metrics/",
        "/api",
        "/api/events/",
        "//",
        "/../etc/passwd",
        "/..%2f..%2fetc%2fpasswd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/app.js/..",
        "/assets/app.js",
        "/app.js%00",
        "/HEALTH",
    ] {
        web.get(path).problem(404);
    }
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"] {
        for path in ["/", "/health", "/api/events", "/api/events/stream"] {
            let answer = web.ask(head(&format!("{method} {path} HTTP/1.1")));
            answer.problem(405);
            let allowed = answer.header("allow").unwrap_or_default();
            assert!(allowed.contains("GET"), "{method} {path}: {allowed}");
        }
    }
    for garbage in [
        "nonsense\r\n\r\n".to_owned(),
        "GET / HTTP/9.9\r\n\r\n".into(),
        format!("GET /health HTTP/1.1\r\nHost: localhost:{port}\r\n folded: yes\r\n\r\n"),
        format!("GET /health HTTP/1.1\r\nHost: localhost:{port}\r\nBad Name: x\r\n\r\n"),
        "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0".into(),
    ] {
        let answer = web.ask(&garbage);
        assert_eq!(answer.status, 400, "{garbage:?}");
    }
    for query in [
        "limit=0",
        "limit=501",
        "limit=ten",
        "before=x",
        "after=-1",
        "unknown=1",
    ] {
        let name = query.split('=').next().expect("a name");
        assert!(
            web.get(&format!("/api/events?{query}"))
                .problem(400)
                .contains(name)
        );
    }
    // A body where none belongs, with two lengths, must not become a second request.
    let smuggled = format!(
        "GET /health HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Length: 44\r\n\
         Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /api/events HTTP/1.1\r\nHost: evil\r\n\r\n"
    );
    let answer = web.ask(smuggled);
    assert!(!answer.body.contains("\"events\":["), "{}", answer.body);
    assert_eq!(web.get("/health").status, 200, "and it still serves");
    let log = web.process.log();
    assert!(
        !log.contains("aaaaaaaa"),
        "nothing is logged in full: {log}"
    );
}

#[test]
fn a_head_that_never_ends_is_cut_in_time() {
    let headspace = Headspace::on(Kind::Sqlite);
    let web = Web::start(&headspace);
    let begun = Instant::now();
    // Silent from the start; silent in the middle; a kept connection that goes silent.
    let starts = [
        String::new(),
        "GET /health HTTP/1.1\r\nHost: loc".to_owned(),
        format!(
            "GET /health HTTP/1.1\r\nHost: localhost:{}\r\n\r\n",
            web.port
        ),
    ];
    let connections: Vec<_> = (0..100)
        .map(|number| {
            let mut connection = connect(web.port);
            connection
                .write_all(starts[number % 3].as_bytes())
                .expect("sent");
            connection
        })
        .collect();
    // Others are served meanwhile.
    assert_eq!(web.get("/health").status, 503);
    for mut connection in connections {
        let mut answer = Vec::new();
        // Fails after a minute; a reset is an end as well.
        if let Err(error) = connection.read_to_end(&mut answer) {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
        }
    }
    eprintln!("all ended after {:?}", begun.elapsed());
    assert!(
        begun.elapsed() > Duration::from_secs(4),
        "a head may take a while"
    );
    assert!(
        begun.elapsed() < Duration::from_secs(20),
        "{:?}",
        begun.elapsed()
    );
}
