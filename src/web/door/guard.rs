//! Which requests are allowed: the outermost layer, around every route.
//!
//! A page of a foreign site can send requests to loopback, and by rebinding its
//! own name even read the answers: such a GET carries neither `Origin` nor
//! `Sec-Fetch-Site`, so only `Host` shows it. Another user of this machine is
//! recognised by the peer's credentials.

use std::{
    collections::HashSet,
    net::{IpAddr, SocketAddr},
};

use axum::{
    Extension,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{Client, Peer, limits::ADDRESS_BYTES};
use crate::web::{Shared, error::Problem};

/// The names this server answers to, to the letter.
#[derive(Debug, Default)]
pub struct Hosts {
    names: HashSet<String>,
}

impl Hosts {
    /// The configured names, the ones of loopback, and the addresses listened on.
    pub fn new(configured: &[String], addresses: impl Iterator<Item = SocketAddr>) -> Hosts {
        let mut names: HashSet<String> = configured.iter().cloned().collect();
        for address in addresses {
            let port = address.port();
            let own = match address.ip() {
                IpAddr::V4(ip) => ip.to_string(),
                IpAddr::V6(ip) => format!("[{ip}]"),
            };
            for name in ["127.0.0.1", "localhost", "[::1]", &own] {
                names.insert(format!("{name}:{port}"));
                if port == 80 {
                    names.insert(name.to_owned());
                }
            }
        }
        Hosts { names }
    }

    /// By unix socket there is no port, and no browser.
    fn has(&self, host: &str, by_unix_socket: bool) -> bool {
        self.names.contains(host) || (by_unix_socket && host == "localhost")
    }
}

pub async fn guard(
    State(app): State<Shared>,
    Extension(client): Extension<Client>,
    request: Request,
    next: Next,
) -> Response {
    let refusal = check(&app.hosts, &client, &request).err();
    let response = match refusal {
        Some(problem) => problem.into_response(),
        None => next.run(request).await,
    };
    app.requests.count(response.status());
    with_headers(response)
}

fn check(hosts: &Hosts, client: &Client, request: &Request<Body>) -> Result<(), Problem> {
    let by_unix_socket = client.by_unix_socket;
    let host = only_host(request)?;
    if !hosts.has(host, by_unix_socket) {
        return Err(Problem::forbidden("this Host is not served here"));
    }
    check_origin(hosts, request.headers())?;
    if request
        .uri()
        .path_and_query()
        .is_some_and(|whole| whole.as_str().len() > ADDRESS_BYTES)
    {
        return Err(Problem::new(
            StatusCode::URI_TOO_LONG,
            "the address is too long",
        ));
    }
    if client.peer != Peer::Ours && request.uri().path() != "/health" {
        return Err(Problem::forbidden(
            "only the user that runs headspace may use this",
        ));
    }
    Ok(())
}

/// Exactly one `Host`, and no other one in the request line.
fn only_host(request: &Request<Body>) -> Result<&str, Problem> {
    let mut given = request.headers().get_all(header::HOST).iter();
    let (Some(host), None) = (given.next(), given.next()) else {
        return Err(Problem::forbidden("exactly one Host is needed"));
    };
    let host = host
        .to_str()
        .map_err(|_| Problem::forbidden("this Host is not served here"))?;
    match request.uri().authority() {
        Some(authority) if authority.as_str() != host => {
            Err(Problem::forbidden("the request line names another Host"))
        }
        _ => Ok(host),
    }
}

fn check_origin(hosts: &Hosts, headers: &HeaderMap) -> Result<(), Problem> {
    for origin in headers.get_all(header::ORIGIN) {
        let host = origin
            .to_str()
            .ok()
            .and_then(|origin| origin.strip_prefix("http://"));
        if !host.is_some_and(|host| hosts.has(host, false)) {
            return Err(Problem::forbidden("this Origin is not allowed"));
        }
    }
    for site in headers.get_all("sec-fetch-site") {
        if site != "same-origin" && site != "none" {
            return Err(Problem::forbidden(
                "requests from another site are not allowed",
            ));
        }
    }
    Ok(())
}

const HEADERS: [(HeaderName, &str); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
         img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

fn with_headers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let cache = headers.entry(header::CACHE_CONTROL);
    cache.or_insert(HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts() -> Hosts {
        let address = "127.0.0.9:5055".parse().unwrap();
        Hosts::new(&["box.local:8080".into()], [address].into_iter())
    }

    fn verdict(headers: &[(&str, &str)]) -> bool {
        let mut request = Request::builder().uri("/health");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let client = Client {
            by_unix_socket: false,
            peer: Peer::Ours,
        };
        check(&hosts(), &client, &request.body(Body::empty()).unwrap()).is_ok()
    }

    #[test]
    fn only_the_exact_hosts_are_served() {
        for host in [
            "127.0.0.1:5055",
            "127.0.0.9:5055",
            "localhost:5055",
            "[::1]:5055",
            "box.local:8080",
        ] {
            assert!(verdict(&[("host", host)]), "{host}");
        }
        for host in [
            "",
            "localhost",
            "127.0.0.1",
            "127.0.0.8:5055",
            "localhost:5056",
            "LOCALHOST:5055",
            "localhost.:5055",
            "localhost.evil.test:5055",
            "evil.test:5055",
            "evil.test",
            "2130706433:5055",
            "127.1:5055",
            "[::ffff:127.0.0.1]:5055",
            "::1:5055",
            "user@localhost:5055",
            "localhost:5055 ",
            "localhost:05055",
        ] {
            assert!(!verdict(&[("host", host)]), "{host}");
        }
        assert!(!verdict(&[]));
        assert!(!verdict(&[
            ("host", "localhost:5055"),
            ("host", "localhost:5055")
        ]));
    }

    #[test]
    fn other_origins_and_sites_are_refused() {
        let host = ("host", "localhost:5055");
        for (name, value, allowed) in [
            ("origin", "http://localhost:5055", true),
            ("origin", "http://127.0.0.1:5055", true),
            ("origin", "https://localhost:5055", false),
            ("origin", "http://evil.test", false),
            ("origin", "http://localhost:3000", false),
            ("origin", "null", false),
            ("sec-fetch-site", "same-origin", true),
            ("sec-fetch-site", "none", true),
            ("sec-fetch-site", "same-site", false),
            ("sec-fetch-site", "cross-site", false),
        ] {
            assert_eq!(verdict(&[host, (name, value)]), allowed, "{name}: {value}");
        }
    }

    #[test]
    fn another_user_gets_no_further_than_health() {
        let request = |path: &str| {
            Request::builder()
                .uri(path)
                .header("host", "localhost")
                .body(Body::empty())
                .unwrap()
        };
        let other = Client {
            by_unix_socket: true,
            peer: Peer::Other,
        };
        assert!(check(&hosts(), &other, &request("/health")).is_ok());
        for path in [
            "/",
            "/api/events",
            "/api/events/stream",
            "/app.js",
            "/nothing",
            "/health/",
        ] {
            assert!(check(&hosts(), &other, &request(path)).is_err(), "{path}");
        }
        let ours = Client {
            by_unix_socket: true,
            peer: Peer::Ours,
        };
        assert!(check(&hosts(), &ours, &request("/")).is_ok());
    }
}
