//! With `watch.sessions: registered`, a session is read once a program registered
//! it, from its start; of all others nothing is read.

use std::fs;

use serde_json::{Value, json};

use crate::{
    spool::{lines, stop},
    support::{
        headspace::{Headspace, Kind, eventually, on_both},
        transcripts::{Session, append},
        web::Web,
    },
};

/// A session with a transcript, a subagent's transcript and a hook.
struct Traced {
    session: Session,
    prompt: String,
}

impl Traced {
    fn new(headspace: &Headspace, web: &Web, name: &str) -> Traced {
        let mut session = Session::new(name, "/home/dev/shop");
        let folder = headspace.project("-home-dev-shop");
        let prompt = format!("words of {name}");
        append(&folder.join(session.file_name()), session.prompt(&prompt));
        let below = folder.join(&session.uuid).join("subagents");
        fs::create_dir_all(&below).unwrap();
        let mut agent = session.subagent(name);
        append(&below.join(agent.file_name()), agent.prompt("a task"));
        let traced = Traced { session, prompt };
        traced.hook(web, "Notification");
        traced
    }

    fn hook(&self, web: &Web, name: &str) {
        let mut hook = stop(&self.session.uuid);
        hook["hook_event_name"] = json!(name);
        assert_eq!(web.post("/hook", &hook.to_string()).status, 200);
    }

    fn register(&self, web: &Web) {
        let session = json!({"session_uuid": self.session.uuid, "project_path": "/home/dev/shop"});
        let answer = web.post("/api/sessions", &session.to_string());
        assert!([201, 202].contains(&answer.status), "{}", answer.body);
    }
}

fn sessions(headspace: &Headspace) -> Vec<String> {
    let sql = "SELECT session_uuid FROM agents ORDER BY length(session_uuid), id";
    headspace.store.try_column(sql).unwrap_or_default()
}

fn hooks(headspace: &Headspace) -> Vec<String> {
    headspace.store.column(
        "SELECT concat(payload ->> 'hook_type', ' ', payload ->> 'claude_session_id')
         FROM events WHERE event_type = 'hook_received' ORDER BY id",
    )
}

/// The spool is read in its order: when this session is there, what came before was.
fn mark(headspace: &Headspace, web: &Web, name: &str) {
    let mark = json!({"session_uuid": name, "project_path": "/home/dev/mark"});
    web.post("/api/sessions", &mark.to_string());
    eventually("the mark is stored", || {
        sessions(headspace).contains(&name.to_owned())
    });
}

on_both! {
    fn a_session_is_read_from_its_start_once_it_is_registered_and_no_other_is(kind: Kind) {
        let mut headspace = Headspace::on(kind);
        headspace.set("HEADSPACE_WATCH__SESSIONS", "registered");
        let web = Web::start(&headspace);
        let before = Traced::new(&headspace, &web, "before");
        let registry = headspace.root().join("sessions");
        fs::create_dir_all(&registry).unwrap();
        let pid = std::process::id();
        let entry = json!({"pid": pid, "sessionId": before.session.uuid, "cwd": "/home/dev/shop",
            "status": "busy", "statusUpdatedAt": 1});
        fs::write(registry.join(format!("{pid}.json")), entry.to_string()).unwrap();
        let mut watcher = headspace.watch();
        eventually("the registry is observed", || {
            lines(&headspace).iter().any(|line| line.contains("\"observation\""))
        });
        let mut while_it_runs = Traced::new(&headspace, &web, "while it runs");
        mark(&headspace, &web, "mark-1");
        assert_eq!(sessions(&headspace), ["mark-1"]);

        while_it_runs.register(&web);
        headspace.store.wait_for_turns(&[&while_it_runs.prompt]);
        let uuid = while_it_runs.session.uuid.clone();
        let child = format!("{uuid}/while it runs");
        eventually("its subagent", || sessions(&headspace).contains(&child));
        while_it_runs.hook(&web, "Stop");
        before.hook(&web, "Stop");
        mark(&headspace, &web, "mark-2");
        assert_eq!(hooks(&headspace), [format!("Stop {uuid}")]);

        // It is remembered.
        assert!(watcher.stop().success());
        let reply = while_it_runs.session.reply("still here");
        append(&headspace.project("-home-dev-shop").join(while_it_runs.session.file_name()), reply);
        headspace.watch_once();
        assert_eq!(headspace.store.turns(), [&*while_it_runs.prompt, "still here"]);
        let registered = "SELECT count(*) FROM agents WHERE registered AND session_uuid NOT LIKE '%/%'";
        assert_eq!(headspace.store.number(registered), 3);
        let observed = "SELECT count(*) FROM events WHERE event_type = 'session_observed'";
        assert_eq!(headspace.store.number(observed), 0);
        assert_eq!(headspace.store.number("SELECT count(*) FROM rejections"), 0);
        assert!(headspace.run(&["verify"]).status.success());

        // Registered while nothing ran, and read at the same start.
        before.register(&web);
        headspace.watch_once();
        assert_eq!(headspace.store.turns().last(), Some(&before.prompt));
        assert_eq!(headspace.watch_once().stored, 0);
    }
}

#[test]
fn the_doctor_counts_what_is_registered() {
    let mut headspace = Headspace::on(Kind::Sqlite);
    headspace.set("HEADSPACE_WATCH__SESSIONS", "registered");
    let web = Web::start(&headspace);
    let one = Traced::new(&headspace, &web, "one");
    Traced::new(&headspace, &web, "other");
    one.register(&web);
    headspace.watch_once();
    let report: Value =
        serde_json::from_slice(&headspace.run(&["doctor", "--json"]).stdout).unwrap();
    let text = report.to_string();
    assert!(
        text.contains("holds 1 registered session and 1 file of a subagent"),
        "{text}"
    );
}
