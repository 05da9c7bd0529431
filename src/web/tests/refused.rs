//! What is refused, on every route, and what every answer carries.

use super::*;

#[tokio::test]
async fn what_cannot_be_asked_is_refused_by_name() {
    let world = World::new().await;
    for (path, name) in [
        ("/api/events?limit=0", "limit"),
        ("/api/events?limit=501", "limit"),
        ("/api/events?before=x", "before"),
        ("/api/events?after=-1", "after"),
        ("/api/events?types=turn", "types"),
        ("/api/events?types=", "types"),
        ("/api/events?agent_id=1.5", "agent_id"),
        ("/api/events/stream?project_id=1%20OR%201", "project_id"),
        ("/api/events/stream?limit=3", "limit"),
        ("/api/events?colour=red", "colour"),
    ] {
        let (status, problem) = world.json(path).await;
        assert_eq!(status, 400, "{path}");
        assert!(
            problem["detail"].as_str().unwrap().contains(name),
            "{path}: {problem}"
        );
    }
    for (path, expected) in [
        ("/nothing", 404),
        ("/..%2f..%2fetc/passwd", 404),
        ("/metrics/more", 404),
    ] {
        let (status, head, _) = world.get(path, "").await;
        assert_eq!(status, expected, "{path}");
        assert!(head.contains("content-type: application/problem+json"));
    }
    let post = format!(
        "POST /api/events HTTP/1.1\r\nHost: localhost:{}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        world.port
    );
    let (status, head, _) = split(&world.raw(&post).await);
    assert_eq!(status, 405);
    assert!(head.contains("allow: get,head"), "{head}");
}

#[tokio::test]
async fn every_answer_carries_the_protective_headers_and_no_cors() {
    let world = World::new().await;
    for path in [
        "/",
        "/app.js",
        "/sse-client.js",
        "/style.css",
        "/health",
        "/api/events",
        "/nothing",
    ] {
        let (_, head, _) = world.get(path, "").await;
        for header in [
            "content-security-policy: default-src 'none'",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
            "cross-origin-opener-policy: same-origin",
            "cross-origin-resource-policy: same-origin",
        ] {
            assert!(head.contains(header), "{path}: {header}");
        }
        assert!(!head.contains("access-control"), "{path}");
    }
    let (_, head, _) = world.get("/api/events", "").await;
    assert!(head.contains("cache-control: no-store"));
}

#[tokio::test]
async fn foreign_hosts_and_origins_are_refused_on_every_route() {
    let world = World::new().await;
    for path in [
        "/",
        "/health",
        "/api/events",
        "/api/events/stream",
        "/style.css",
        "/nothing",
    ] {
        let rebound = format!(
            "GET {path} HTTP/1.1\r\nHost: evil.test:{}\r\nConnection: close\r\n\r\n",
            world.port
        );
        assert_eq!(split(&world.raw(&rebound).await).0, 403, "{path}");
        assert_eq!(
            world.get(path, "Origin: http://evil.test\r\n").await.0,
            403,
            "{path}"
        );
        assert_eq!(
            world.get(path, "Sec-Fetch-Site: cross-site\r\n").await.0,
            403,
            "{path}"
        );
    }
    let absolute = format!(
        "GET http://evil.test/health HTTP/1.1\r\nHost: localhost:{}\r\nConnection: close\r\n\r\n",
        world.port
    );
    assert_eq!(split(&world.raw(&absolute).await).0, 403);
}

#[tokio::test]
async fn oversized_requests_are_refused_with_their_status() {
    let world = World::new().await;
    assert_eq!(
        world.get(&format!("/{}", "a".repeat(9000)), "").await.0,
        414
    );
    assert_eq!(
        world
            .get("/health", &format!("X: {}\r\n", "a".repeat(40_000)))
            .await
            .0,
        431
    );
    assert_eq!(world.get("/health", &"X: 1\r\n".repeat(100)).await.0, 431);
}
