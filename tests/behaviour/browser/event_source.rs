//! The browser's own EventSource, with nothing of ours around it.

use rustix::process::Signal;
use serde_json::json;

use crate::support::{
    chromium::Chromium,
    headspace::{Headspace, Kind},
    talk::{Talk, stored},
    web::{self, Web},
};

#[test]
fn an_event_source_gets_every_event_once_over_a_restart() {
    let headspace = Headspace::on(Kind::Sqlite);
    stored(&headspace, "before", 2);
    let web = Web::start(&headspace);
    let port = web.port;
    let mut browser = Chromium::start(headspace.dir());
    // A page without a script of its own.
    let mut tab = browser.open(&format!("http://127.0.0.1:{port}/openapi.json"));
    tab.wait_until("document.readyState === 'complete'");
    let types = "['session_registered', 'session_ended', 'turn_detected', 'state_transition', 'hook_received', 'session_observed', 'session_viewed']";
    tab.evaluate(&format!(
        "globalThis.ids = []; globalThis.texts = [];
         const source = new EventSource('/api/events/stream?last_event_id=0');
         for (const type of {types}) source.addEventListener(type, (event) => {{
           ids.push(Number(event.lastEventId));
           const {{payload}} = JSON.parse(event.data);
           if (type === 'turn_detected') texts.push(payload.text);
         }});
         true"
    ));
    tab.wait_until("texts.length === 2");
    let mut talk = Talk::new(&headspace, "live");
    talk.say("while it is open \u{2028} 家族");
    headspace.watch_once();
    tab.wait_until("texts.length === 3");
    web.process.signal(Signal::KILL);
    drop(web);
    talk.say("while it is away");
    headspace.watch_once();
    let mut command = web::command(&headspace);
    command.env("HEADSPACE_WEB__LISTEN", format!(r#"["127.0.0.1:{port}"]"#));
    let _web = Web::from(&headspace, command);
    tab.wait_until("texts.length === 4");
    let texts = json!([
        "before 1",
        "before 2",
        "while it is open \u{2028} 家族",
        "while it is away"
    ]);
    assert_eq!(tab.evaluate("texts"), texts);
    let all = headspace.store.column("SELECT id FROM events ORDER BY id");
    let all: Vec<i64> = all.iter().map(|id| id.parse().expect("an id")).collect();
    tab.wait_until(&format!("ids.length >= {}", all.len()));
    assert_eq!(tab.evaluate("ids"), json!(all));
    assert_eq!(tab.refused(), json!([]));
}
