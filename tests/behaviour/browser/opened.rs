//! What a person opens and presses on a page.

use serde_json::json;

use crate::support::{
    agents::session,
    chromium::Chromium,
    headspace::{Headspace, Kind},
    talk::{Talk, tamper},
    tmux::Tmux,
    transcripts::append,
    web::Web,
};

const IS_OPEN: &str = "document.documentElement.dataset.stream === 'open'";
const CALL: &str = "document.querySelector('details.call')";

#[test]
fn a_call_is_filled_when_it_is_opened_stays_so_and_gets_its_result() {
    let headspace = Headspace::on(Kind::Sqlite);
    let mut talk = Talk::new(&headspace, "calls");
    talk.say("run the tests");
    let used = json!({"type": "tool_use", "id": "toolu_9", "name": "Bash", "input": {"command": "cargo test\n<b>all</b>"}});
    let message = json!({"id": "m1", "role": "assistant", "model": "claude-opus-4-1", "content": [used], "stop_reason": "tool_use"});
    append(
        &talk.path,
        talk.session
            .record("assistant", json!({"message": message})),
    );
    headspace.watch_once();
    let web = Web::start(&headspace);
    let mut browser = Chromium::start(headspace.dir());
    let mut tab = browser.open(&format!("http://127.0.0.1:{}/agents/1", web.port));
    tab.wait_until(IS_OPEN);
    tab.evaluate(&format!("{CALL}.querySelector('summary').click()"));
    tab.wait_until(&format!("{CALL}.textContent.includes('No result yet.')"));
    assert_eq!(
        tab.evaluate(&format!("{CALL}.querySelector('pre').textContent")),
        "cargo test\n<b>all</b>"
    );
    // The page changes, the call stays as it was opened.
    tab.evaluate(&format!("{CALL}.querySelector('pre').dataset.js = 'mine'"));
    talk.say("and say what you see");
    headspace.watch_once();
    tab.wait_until("document.querySelectorAll('.prompt').length === 2");
    assert_eq!(
        tab.evaluate(&format!(
            "{CALL}.open && {CALL}.querySelector('pre').dataset.js"
        )),
        "mine"
    );
    let result = json!({"type": "tool_result", "tool_use_id": "toolu_9", "content": "412 passed"});
    let message = json!({"role": "user", "content": [result]});
    append(
        &talk.path,
        talk.session.record("user", json!({"message": message})),
    );
    talk.say("go on");
    headspace.watch_once();
    tab.wait_until(&format!(
        "{CALL}.open && {CALL}.textContent.includes('412 passed')"
    ));
    assert_eq!(tab.refused(), json!([]));
}

#[test]
fn the_line_about_hooks_is_dismissed_once_for_all() {
    let headspace = Headspace::on(Kind::Sqlite);
    session(&headspace, "shop", "unseen = 1");
    let web = Web::start(&headspace);
    let mut browser = Chromium::start(headspace.dir());
    let home = format!("http://127.0.0.1:{}/", web.port);
    let mut tab = browser.open(&home);
    tab.wait_until(IS_OPEN);
    let is_seen = "document.querySelector('#hooks-hint').checkVisibility()";
    assert_eq!(tab.evaluate(is_seen), true);
    tab.evaluate("document.querySelector('[data-do=dismiss]').click()");
    assert_eq!(tab.evaluate(is_seen), false);
    // Nor does a newer state of the page bring it back.
    tab.evaluate("globalThis.swapped = 0; document.addEventListener('htmx:after:swap', () => swapped += 1); document.dispatchEvent(new CustomEvent('headspace:refresh'))");
    tab.wait_until("swapped > 0");
    assert_eq!(tab.evaluate(is_seen), false);
    tab.go("about:blank");
    tab.wait_until("location.href === 'about:blank'");
    tab.go(&home);
    tab.wait_until(IS_OPEN);
    assert_eq!(tab.evaluate(is_seen), false);
    assert_eq!(tab.refused(), json!([]));
}

#[test]
fn the_button_shows_the_terminal_and_where_it_cannot_copies_the_command() {
    let headspace = Headspace::on(Kind::Sqlite);
    let mut tmux = Tmux::start(&headspace);
    tmux.attach("work");
    let pane = tmux.window("cat");
    let set = format!(
        "title = 'shop', state = 'awaiting_input', needs = 'permission', asks = 'Bash: make', terminal = '{}'",
        tmux.variables(&pane)
    );
    let id = session(&headspace, "shop", &set);
    let web = Web::start(&headspace);
    let mut browser = Chromium::start(headspace.dir());
    let mut tab = browser.open(&format!("http://127.0.0.1:{}/", web.port));
    tab.wait_until(IS_OPEN);
    let press = "document.querySelector('#a1 [data-do=go]').click()";
    tab.evaluate(press);
    tab.wait_until(
        "document.querySelector('#toast').textContent === 'Shown: shop is in tmux work:1.0.'",
    );
    assert_eq!(tmux.run(&["display-message", "-p", "#{pane_id}"]), pane);
    tmux.run(&["kill-pane", "-t", &pane]);
    tab.evaluate("navigator.clipboard.writeText = async (text) => { globalThis.copied = text; }");
    tab.evaluate(press);
    tab.wait_until(&format!("globalThis.copied === 'headspace go {id}'"));
    tab.wait_until("/^Copied: headspace go 1. Not shown from here: shop is in tmux %/.test(document.querySelector('#toast').textContent)");
    // The key does the same.
    tab.evaluate("globalThis.copied = null; document.querySelector('#a1 a').focus()");
    tab.press("g");
    tab.wait_until(&format!("globalThis.copied === 'headspace go {id}'"));
    tamper(&headspace.store, "UPDATE agents SET terminal = NULL");
    tab.evaluate("globalThis.copied = null");
    tab.evaluate(press);
    tab.wait_until("globalThis.copied !== null && document.querySelector('#toast').textContent.includes('no hook said where it is')");
    assert_eq!(tab.refused(), json!([]));
}
