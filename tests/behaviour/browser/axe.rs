//! No page, in no state, has a hindrance that axe-core knows.

use rustix::process::Signal;
use serde_json::json;

use crate::support::{
    agents::{change, session},
    axe::violations,
    chromium::{Chromium, Tab},
    headspace::{Headspace, Kind},
    server::Server,
    talk::{Talk, converse, tamper},
    transcripts::append,
    web::Web,
};

const IS_OPEN: &str = "document.documentElement.dataset.stream === 'open'";

#[test]
fn axe_finds_nothing_on_any_page() {
    let headspace = Headspace::on(Kind::Sqlite);
    full(&headspace);
    let web = Web::start(&headspace);
    let mut browser = Chromium::start(headspace.dir());
    let mut tab = browser.open("about:blank");
    let call = headspace.store.number("SELECT max(id) FROM tool_uses");
    let pages = [
        ("/", IS_OPEN),
        ("/?state=work&q=title", IS_OPEN),
        ("/?state=need&q=none+has+this", IS_OPEN),
        ("/?group=project", IS_OPEN),
        ("/agents/1", IS_OPEN),
        ("/agents/7", IS_OPEN),
        (&format!("/agents/7/calls/{call}"), IS_OPEN),
        ("/log", IS_OPEN),
        ("/log?type=hook_received", IS_OPEN),
        ("/log/2", IS_OPEN),
        (
            "/nothing",
            "document.querySelector('h1').textContent === 'No such page'",
        ),
    ];
    for (width, scheme) in [
        (1280, "light"),
        (1280, "dark"),
        (360, "light"),
        (360, "dark"),
        (3840, "light"),
        (3840, "dark"),
    ] {
        tab.looks_like(width, scheme);
        for (path, is_there) in &pages {
            go(&mut tab, &web, path, is_there);
            check(&mut tab, &format!("{path} at {width} in the {scheme}"));
        }
        // What opens on a page.
        go(&mut tab, &web, "/agents/7", IS_OPEN);
        tab.evaluate("document.querySelectorAll('details').forEach((one) => one.open = true)");
        tab.wait_until("document.querySelector('.call').textContent.includes('412 passed')");
        check(
            &mut tab,
            &format!("an opened call at {width} in the {scheme}"),
        );
        for name in ["why", "help"] {
            go(&mut tab, &web, "/", IS_OPEN);
            tab.evaluate(&format!(
                "document.querySelector('[data-do={name}]').click()"
            ));
            tab.wait_until(&format!("document.querySelector('#{name}').open"));
            check(&mut tab, &format!("{name} at {width} in the {scheme}"));
        }
    }
}

#[test]
fn axe_finds_nothing_where_a_page_cannot_be_had() {
    let (mut server, headspace) = Server::with_headspace();
    headspace.watch_once();
    let web = Web::start(&headspace);
    let mut browser = Chromium::start(headspace.dir());
    let mut tab = browser.open("about:blank");
    let titled = |title: &str| format!("document.querySelector('h1').textContent === '{title}'");
    for (width, scheme) in [(360, "light"), (1280, "dark"), (3840, "light")] {
        tab.looks_like(width, scheme);
        // Every name below localhost is this machine.
        tab.go(&format!("http://box.localhost:{}/", web.port));
        tab.wait_until(&titled("This name is not served"));
        let said = "document.body.textContent.includes('Host: box.localhost')";
        assert_eq!(tab.evaluate(said), true);
        check(&mut tab, &format!("a refused name at {width}"));
    }
    server.stop(Signal::INT);
    for (width, scheme) in [(360, "dark"), (1280, "light"), (3840, "dark")] {
        tab.looks_like(width, scheme);
        go(&mut tab, &web, "/", &titled("Not available at the moment"));
        check(&mut tab, &format!("no database at {width}"));
    }
}

#[test]
fn axe_finds_nothing_while_something_is_missing() {
    let headspace = Headspace::on(Kind::Sqlite);
    let web = Web::start(&headspace);
    let mut browser = Chromium::start(headspace.dir());
    let mut tab = browser.open("about:blank");
    for scheme in ["light", "dark"] {
        tab.looks_like(1280, scheme);
        go(&mut tab, &web, "/", IS_OPEN);
        check(&mut tab, &format!("nothing found yet in the {scheme}"));
    }
    session(&headspace, "one", "unseen = 1");
    for scheme in ["light", "dark"] {
        tab.looks_like(1280, scheme);
        go(&mut tab, &web, "/?state=need", IS_OPEN);
        check(&mut tab, &format!("nobody waits in the {scheme}"));
    }
    // The connection is gone.
    go(&mut tab, &web, "/", IS_OPEN);
    web.process.signal(Signal::KILL);
    tab.wait_until("document.documentElement.classList.contains('away')");
    check(&mut tab, "disconnected");
}

fn go(tab: &mut Tab, web: &Web, path: &str, is_there: &str) {
    tab.go("about:blank");
    tab.wait_until("location.href === 'about:blank'");
    tab.go(&format!("http://127.0.0.1:{}{path}", web.port));
    tab.wait_until(is_there);
}

fn check(tab: &mut Tab, what: &str) {
    let found = violations(tab);
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

/// A session of each kind, and one with a call, a thought and a compaction.
fn full(headspace: &Headspace) {
    for (name, set) in [
        (
            "asks",
            "needs = 'permission', state = 'awaiting_input', asks = 'Bash: make', todos = '[{\"content\":\"a\",\"status\":\"in_progress\"}]'",
        ),
        ("done", "unseen = 1, last_words = 'Done.'"),
        ("works", "state = 'processing'"),
        ("waits", "background = 1"),
        ("rests", "title = 'title'"),
        (
            "left",
            "needs = 'plan', state = 'awaiting_input', asks = '1. a', ended_at = last_seen_at",
        ),
    ] {
        session(headspace, name, set);
    }
    let said = "## A head\n\ntext, `code`, a [link](https://example.test)\n\n> quoted\n\n|a|b|\n|-|-|\n|1|2|";
    converse(
        &headspace.store,
        1,
        &[("user", "Do it".into()), ("agent", said.into())],
    );
    let mut talk = Talk::new(headspace, "inside");
    talk.say("run the tests");
    let block = |block: serde_json::Value| json!({"message": {"id": "m1", "role": "assistant", "model": "claude-opus-4-1", "content": [block]}});
    let result = json!({"type": "tool_result", "tool_use_id": "toolu_1", "content": "412 passed"});
    let patch =
        json!({"structuredPatch": [{"oldStart": 1, "newStart": 1, "lines": [" a", "-b", "+c"]}]});
    let lines = [
        talk.session.record("assistant", block(json!({"type": "thinking", "thinking": "First I look.\nThen I think."}))),
        talk.session.record("assistant", block(json!({"type": "tool_use", "id": "toolu_1", "name": "Edit", "input": {"file_path": "/a"}}))),
        talk.session.record("user", json!({"toolUseResult": patch, "message": {"role": "user", "content": [result]}})),
        talk.session.record("system", json!({"subtype": "compact_boundary", "compactMetadata": {"trigger": "auto", "preTokens": 1000}})),
    ];
    append(&talk.path, lines.concat());
    headspace.watch_once();
    assert_eq!(headspace.store.number("SELECT max(id) FROM agents"), 7);
    change(
        headspace,
        7,
        "todos = '[{\"content\":\"a\",\"status\":\"completed\"}]'",
    );
    // A subagent beside it, and something that moved.
    tamper(
        &headspace.store,
        "INSERT INTO agents (session_uuid, parent_agent_id, project_id, working_directory, cli, started_at, last_seen_at) \
         SELECT session_uuid || '/a', id, project_id, working_directory, cli, started_at, last_seen_at FROM agents WHERE id = 7",
    );
}
