//! A program registers a session, asks for it and ends it.

use serde_json::{Value, json};

use super::other_user::as_nobody_asks;
use crate::{
    spool::lines,
    support::{
        headspace::{Headspace, Kind, on_both},
        web::{Answer, Web},
    },
};

on_both! {
    fn a_session_is_registered_once_and_ends_when_it_is_deleted(kind: Kind) {
        let headspace = Headspace::on(kind);
        let _watcher = headspace.watch();
        let web = Web::start(&headspace);
        let session = json!({"session_uuid": "s-1", "project_path": "/home/dev/shop",
            "working_directory": "/home/dev/shop/api", "iterm_pane_id": "w0t1p2"});
        web.get("/api/sessions/s-1").problem(404);
        for _ in 0..2 {
            let created = web.post("/api/sessions", &session.to_string());
            assert_eq!(created.status, 201, "{}", created.body);
            let created = created.json();
            assert_eq!(created["status"], "created");
            assert_eq!((&created["session_uuid"], &created["project_name"]), (&json!("s-1"), &json!("shop")));
            let row = web.get("/api/sessions/s-1").json();
            assert_eq!((&row["id"], &row["project_id"]), (&created["agent_id"], &created["project_id"]));
            assert_eq!(row["iterm_pane_id"], "w0t1p2");
            assert_eq!(row["working_directory"], "/home/dev/shop/api");
            assert_eq!((&row["project_path"], &row["ended_at"]), (&json!("/home/dev/shop"), &Value::Null));
        }
        for _ in 0..2 {
            let ended = delete(&web, "s-1");
            assert_eq!((ended.status, &ended.json()["status"]), (200, &json!("ended")));
            assert_eq!(web.get("/api/sessions/s-1").json()["end_reason"], "unregistered");
        }
        // Once more, under the next number.
        assert_eq!(web.post("/api/sessions", &session.to_string()).status, 201);
        assert_eq!(web.get("/api/sessions/s-1").json()["ended_at"], Value::Null);
        let sql = "SELECT event_type FROM events ORDER BY id";
        let types = ["session_registered", "session_ended", "session_registered"];
        assert_eq!(headspace.store.column(sql), types);
        let sql = "SELECT payload FROM events ORDER BY id LIMIT 1";
        let payload: Value = serde_json::from_str(&headspace.store.column(sql)[0]).unwrap();
        assert_eq!(payload, session);
    }

    fn without_a_watcher_all_is_accepted_and_stored_later_in_its_order(kind: Kind) {
        let headspace = Headspace::on(kind);
        headspace.watch_once();
        let web = Web::start(&headspace);
        let session = json!({"session_uuid": "s-1", "project_path": "/p"});
        let answers = [web.post("/api/sessions", &session.to_string()), delete(&web, "s-1")];
        for answer in answers {
            assert_eq!((answer.status, answer.json()), (202, json!({"status": "accepted"})));
        }
        headspace.watch_once();
        assert_eq!(headspace.watch_once().stored, 0);
        let sql = "SELECT event_type FROM events ORDER BY id";
        assert_eq!(headspace.store.column(sql), ["session_registered", "session_ended"]);
        assert_eq!(web.get("/api/sessions/s-1").json()["end_reason"], "unregistered");
        assert!(headspace.run(&["verify"]).status.success());
    }
}

#[test]
fn what_is_no_session_is_refused_with_its_field_and_leaves_nothing() {
    let headspace = Headspace::on(Kind::Sqlite);
    let web = Web::start(&headspace);
    for (field, wrong, detail) in [
        (
            "session_uuid",
            Value::Null,
            "field session_uuid: expected a text",
        ),
        (
            "session_uuid",
            json!("a/b"),
            "field session_uuid: expected a uuid",
        ),
        (
            "project_path",
            json!(7),
            "field project_path: expected a text",
        ),
        (
            "project_path",
            json!("here"),
            "field project_path: expected an absolute path",
        ),
        (
            "working_directory",
            json!(["/"]),
            "field working_directory: expected a text",
        ),
        (
            "iterm_pane_id",
            json!(""),
            "field iterm_pane_id: expected a text",
        ),
    ] {
        let mut session = json!({"session_uuid": "s", "project_path": "/p"});
        session[field] = wrong;
        assert_eq!(
            web.post("/api/sessions", &session.to_string()).problem(400),
            detail
        );
    }
    let missing = web.post("/api/sessions", "{}").problem(400);
    assert_eq!(missing, "missing field session_uuid");
    web.post("/api/sessions", "[").problem(400);
    web.get("/api/sessions").problem(405);
    let session = json!({"session_uuid": "s", "project_path": "/p"}).to_string();
    for (method, path) in [
        ("POST", "/api/sessions"),
        ("DELETE", "/api/sessions/s"),
        ("GET", "/api/sessions/s"),
    ] {
        let (status, body) = as_nobody_asks(&web, method, path, &session);
        assert_eq!(status, 403, "{body}");
    }
    for header in ["Origin: http://evil.test", "Sec-Fetch-Site: cross-site"] {
        let request = request_to_delete(&web, "s", &format!("{header}\r\n"));
        web.ask(request).problem(403);
    }
    assert_eq!(lines(&headspace), Vec::<String>::new());
}

fn delete(web: &Web, session: &str) -> Answer {
    web.ask(request_to_delete(web, session, ""))
}

fn request_to_delete(web: &Web, session: &str, more: &str) -> String {
    let port = web.port;
    format!(
        "DELETE /api/sessions/{session} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n{more}\r\n"
    )
}
