//! What programs learn of the API and of the process: every route is written down as it
//! is, and every figure is there.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::{Value, json};

use crate::support::{
    headspace::{Headspace, Kind, on_both},
    talk::stored,
    web::Web,
};

/// Routes for people, and what pages load.
const FOR_PEOPLE: [&str; 8] = [
    "/",
    "/agents/",
    "/log",
    "/fragments/",
    "/icon.svg",
    "/style.css",
    "/htmx.js",
    ".js",
];

/// Reads the router, since it cannot be asked.
#[test]
fn every_route_of_the_router_is_in_the_document_and_no_other() {
    let headspace = Headspace::on(Kind::Sqlite);
    let document = Web::start(&headspace).get("/openapi.json").json();
    assert_eq!(document["openapi"], "3.1.0");
    let written: BTreeSet<String> = document["paths"]
        .as_object()
        .expect("paths")
        .iter()
        .flat_map(|(path, methods)| {
            let methods = methods.as_object().expect("methods").keys();
            methods.map(move |method| format!("{method} {path}"))
        })
        .collect();
    assert_eq!(written, routes());
}

on_both! {
    fn answers_are_what_the_document_says(kind: Kind) {
        let headspace = Headspace::on(kind);
        stored(&headspace, "shop", 3);
        let uuid = headspace.store.column("SELECT session_uuid FROM agents").remove(0);
        let web = Web::start(&headspace);
        let document = web.get("/openapi.json").json();
        let of = |path: &str| document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"].clone();
        for (path, address) in [
            ("/health", "/health".to_owned()),
            ("/api/events", "/api/events?limit=500".into()),
            ("/api/projects", "/api/projects".into()),
            ("/api/agents", "/api/agents".into()),
            ("/api/agents/{id}", "/api/agents/1".into()),
            ("/api/agents/{id}/turns", "/api/agents/1/turns".into()),
            ("/api/agents/{id}/transitions", "/api/agents/1/transitions".into()),
            ("/api/commands/{id}", "/api/commands/1".into()),
            ("/api/sessions/{uuid}", format!("/api/sessions/{uuid}")),
            ("/hook/status", "/hook/status".into()),
            ("/api/waits", "/api/waits".into()),
        ] {
            let schema = of(path);
            assert!(schema.is_object(), "{path}");
            let answer = web.get(&address);
            assert_eq!(answer.status, 200, "{address}: {}", answer.body);
            check(&document, &schema, &answer.json(), path);
        }
        let problem = web.get("/api/agents/99").json();
        check(&document, &json!({"$ref": "#/components/schemas/Problem"}), &problem, "a problem");
    }

    fn figures_are_those_of_health(kind: Kind) {
        let headspace = Headspace::on(kind);
        stored(&headspace, "shop", 3);
        let web = Web::start(&headspace);
        web.wait_for_status("degraded");
        let answer = web.get("/metrics");
        let kind = answer.header("content-type");
        assert_eq!(kind, Some("text/plain; version=0.0.4; charset=utf-8"));
        let figure = |name: &str| {
            let line = answer.body.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.unwrap_or_else(|| panic!("{name}: {}", answer.body)).parse::<i64>().expect("a number")
        };
        let health = web.health();
        assert_eq!(figure("headspace_events"), health["database"]["events"].as_i64().expect("a number"));
        assert_eq!((figure("headspace_database_up"), figure("headspace_watcher_running")), (1, 0));
        assert_eq!((figure("headspace_up"), figure("headspace_sse_connections_max")), (0, 100));
        for name in ["bytes_behind", "retries_total", "rejected_total", "failed_writes_total", "sse_connections",
            "sse_dropped_total", "events_written_total"] {
            figure(&format!("headspace_{name}"));
        }
        let count = |answer: &str, code: &str| {
            let name = format!("headspace_http_requests_total{{code=\"{code}\"}} ");
            let line = answer.lines().find_map(|line| line.strip_prefix(&*name));
            line.expect("a count").parse::<i64>().expect("a number")
        };
        assert_eq!(web.get("/nothing").status, 404);
        assert_eq!(count(&web.get("/metrics").body, "4xx"), count(&answer.body, "4xx") + 1);
        // Each name is explained once, before its figures.
        let names: Vec<&str> = answer.body.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
        for line in answer.body.lines().filter(|line| !line.starts_with('#')) {
            let name = line.split([' ', '{']).next().expect("a name");
            assert!(names.contains(&name), "{line}");
        }
    }
}

#[test]
fn no_other_site_reads_them() {
    let headspace = Headspace::on(Kind::Sqlite);
    let web = Web::start(&headspace);
    for path in ["/metrics", "/openapi.json"] {
        web.get_with(path, &["Origin: http://evil.test"])
            .problem(403);
        web.get_with(path, &["Sec-Fetch-Site: cross-site"])
            .problem(403);
    }
}

/// `get /api/events` for each route of the router that is for programs.
fn routes() -> BTreeSet<String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web/mod.rs");
    let source = fs::read_to_string(source).expect("the router's source");
    let (_, router) = source.split_once("Router::new()").expect("the router");
    let mut found = BTreeSet::new();
    for route in router.split(".route(").skip(1) {
        let path = route.split('"').nth(1).expect("a path");
        let handlers = route.split(".layer(").next().expect("its handlers");
        let is_for_people = |known: &&str| match known.starts_with('.') {
            true => path.ends_with(*known),
            false => {
                path == *known
                    || known.ends_with('/') && known.len() > 1 && path.starts_with(*known)
                    || path.starts_with("/log")
            }
        };
        if FOR_PEOPLE.iter().any(is_for_people) {
            continue;
        }
        for method in ["get", "post", "delete"] {
            if handlers.contains(&format!("{method}(")) {
                found.insert(format!("{method} {path}"));
            }
        }
    }
    assert!(found.len() > 15, "{found:?}");
    found
}

/// Fails where a value is not of its schema, as far as we use schemas: types, required and
/// known properties, items.
fn check(document: &Value, schema: &Value, value: &Value, at: &str) {
    if let Some(name) = schema["$ref"].as_str() {
        let pointer = name.strip_prefix('#').expect("of this document");
        let schema = document
            .pointer(pointer)
            .unwrap_or_else(|| panic!("{at}: no {name}"));
        return check(document, schema, value, at);
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        let is_null = value.is_null() && choices.iter().any(|one| one["type"] == "null");
        let other = choices
            .iter()
            .find(|one| one["type"] != "null")
            .expect("a choice");
        return match is_null {
            true => {}
            false => check(document, other, value, at),
        };
    }
    let own = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let allows = |kind: &Value| kind == own || kind == "number" && own == "integer";
    match &schema["type"] {
        Value::Null => {}
        Value::Array(kinds) => assert!(kinds.iter().any(allows), "{at}: {own}, not {kinds:?}"),
        kind => assert!(allows(kind), "{at}: {own}, not {kind}"),
    }
    if let Value::Array(items) = value {
        for item in items {
            check(document, &schema["items"], item, &format!("{at}[]"));
        }
    }
    let (Value::Object(fields), Some(properties)) = (value, schema["properties"].as_object())
    else {
        return;
    };
    for name in schema["required"].as_array().into_iter().flatten() {
        let name = name.as_str().expect("a name");
        assert!(fields.contains_key(name), "{at}: {name} is missing");
    }
    for (name, value) in fields {
        let property = properties
            .get(name)
            .unwrap_or_else(|| panic!("{at}: {name} is not written down"));
        check(document, property, value, &format!("{at}.{name}"));
    }
}
