//! A page that stays true while it is used: nothing that a person holds is lost.

use rustix::process::Signal;
use serde_json::json;

use crate::support::{
    agents::stored_at_rest,
    chromium::{Chromium, Tab},
    headspace::{Headspace, Kind, eventually},
    stream::Stream,
    talk::{Talk, converse, tamper},
    web::{self, Web},
};

const NEEDS: &str = "UPDATE agents SET state = 'awaiting_input', needs = 'permission', \
                     asks = 'Bash: make', title = substr(working_directory, 11)";
const IS_OPEN: &str = "document.documentElement.dataset.stream === 'open'";

#[test]
fn typed_text_focus_and_selection_outlive_changes_and_a_restart() {
    let headspace = with_waiting(&["first", "second"]);
    let mut web = Web::start(&headspace);
    let mut browser = Chromium::start(headspace.dir());
    let mut tab = home(&mut browser, &web);
    tab.evaluate("globalThis.mark = document.querySelector('#a1'); mark.dataset.jsMark = 'same'");
    tab.evaluate("document.querySelector('#q').focus()");
    for key in ["t", "h", "i"] {
        tab.press(key);
    }
    // It narrows the page to what has these letters: nothing has, or nothing yet.
    tab.wait_until(
        "location.search === '?q=thi' && document.querySelectorAll('.card').length === 0",
    );
    stored_at_rest(&headspace, "third", 1);
    tamper(&headspace.store, &format!("{NEEDS} WHERE id = 3"));
    ring(&headspace, "bell");
    tab.wait_until("document.querySelectorAll('.card').length === 1");
    let held = "document.activeElement.id + ' ' + document.activeElement.value";
    assert_eq!(tab.evaluate(held), "q thi");

    let port = web.port;
    web.process.signal(Signal::KILL);
    web.process.wait();
    tab.wait_until("document.documentElement.classList.contains('away')");
    tab.wait_until("/no connection since \\d\\d:\\d\\d, trying again/.test(document.querySelector('#offline').textContent)");
    assert_eq!(
        tab.evaluate("document.querySelectorAll('.card').length"),
        1,
        "the content stays"
    );
    tab.press("r");
    stored_at_rest(&headspace, "thirsty", 1);
    tamper(
        &headspace.store,
        &format!("{NEEDS} WHERE working_directory = '/home/dev/thirsty'"),
    );
    web = serve_at(&headspace, port);
    tab.wait_until("document.querySelectorAll('.card').length === 1 && document.querySelector('.card h3').textContent === 'thirsty' || document.querySelectorAll('.card').length === 2");
    tab.wait_until("!document.documentElement.classList.contains('away') && document.querySelector('#offline').hidden");
    assert_eq!(tab.evaluate(held), "q thir");
    assert_eq!(tab.refused(), json!([]));
    drop(web);
}

#[test]
fn a_selection_and_an_opened_fold_stay_while_the_conversation_grows() {
    let headspace = Headspace::on(Kind::Sqlite);
    let mut talk = Talk::new(&headspace, "grows");
    talk.say("A prompt to be selected");
    headspace.watch_once();
    converse(
        &headspace.store,
        1,
        &[("user", "A prompt to be selected".into())],
    );
    tamper(
        &headspace.store,
        "INSERT INTO tool_uses (agent_id, command_id, tool_use_id, name, summary, started_at) \
         SELECT 1, command_id, 'u', 'Bash', 'cargo test', timestamp FROM turns",
    );
    let web = Web::start(&headspace);
    let mut browser = Chromium::start(headspace.dir());
    let mut tab = browser.open(&format!("http://127.0.0.1:{}/agents/1", web.port));
    tab.wait_until(IS_OPEN);
    tab.evaluate("getSelection().selectAllChildren(document.querySelector('.prompt')); document.querySelector('details.call').open = true");
    tamper(
        &headspace.store,
        "INSERT INTO turns (command_id, actor, intent, text, timestamp, event_id) \
         SELECT command_id, 'agent', 'progress', 'An answer', timestamp, 1 FROM turns",
    );
    talk.say("And another one");
    headspace.watch_once();
    tab.wait_until("document.querySelectorAll('.said').length === 1");
    let kept = "getSelection().toString().includes('A prompt to be selected') && document.querySelector('details.call').open";
    assert_eq!(tab.evaluate(kept), true);
}

#[test]
fn seven_tabs_are_one_connection_and_another_leads_when_it_is_gone() {
    let headspace = with_waiting(&["first"]);
    let web = Web::start(&headspace);
    let mut browser = Chromium::start(headspace.dir());
    let mut tabs: Vec<_> = (0..7)
        .map(|_| browser.target(&format!("http://127.0.0.1:{}/", web.port)))
        .collect();
    for tab in &tabs {
        browser.tab(tab).wait_until(IS_OPEN);
    }
    assert_eq!(web.health()["sse"]["active_connections"], 1);
    // The first one leads: it came first.
    let leader = tabs.remove(0);
    browser.close(&leader);
    stored_at_rest(&headspace, "second", 1);
    tamper(&headspace.store, &format!("{NEEDS} WHERE id = 2"));
    ring(&headspace, "bell");
    let last = tabs.last().expect("a tab");
    browser.show(last);
    browser
        .tab(last)
        .wait_until("document.querySelectorAll('.card').length === 2");
    browser.tab(last).wait_until("document.title === '(2) headspace' && document.querySelector('#icon').getAttribute('href') === '/icon.svg?n=2'");
    eventually("one connection again", || {
        web.health()["sse"]["active_connections"] == 1
    });
}

#[test]
fn rows_do_not_move_under_the_pointer() {
    let headspace = with_waiting(&["first", "second"]);
    tamper(
        &headspace.store,
        "UPDATE agents SET since = '2026-11-30T10:00:00.000000Z' WHERE id = 1; UPDATE agents SET since = '2026-11-30T11:00:00.000000Z' WHERE id = 2",
    );
    let web = Web::start(&headspace);
    let mut browser = Chromium::start(headspace.dir());
    let mut tab = home(&mut browser, &web);
    let at = tab.evaluate(
        "(({x, y}) => [x + 40, y + 20])(document.querySelector('#a2').getBoundingClientRect())",
    );
    let (x, y) = (at[0].as_f64().expect("x"), at[1].as_f64().expect("y"));
    // Each look is a move of the pointer as well, so that it never rests.
    let under = |tab: &mut Tab, wiggle: f64| {
        tab.point_at(x + wiggle, y);
        tab.evaluate(&format!(
            "document.elementFromPoint({x}, {y})?.closest('.item')?.id"
        ))
    };
    assert_eq!(under(&mut tab, 0.0), "a2");
    // An older wait would stand above.
    stored_at_rest(&headspace, "third", 1);
    tamper(
        &headspace.store,
        &format!("{NEEDS}, since = '2026-11-30T09:00:00.000000Z' WHERE id = 3"),
    );
    tab.evaluate(
        "globalThis.asked = 0; document.addEventListener('htmx:before:swap', () => asked += 1)",
    );
    ring(&headspace, "bell");
    let mut wiggle = 0.0;
    eventually("news came three times", || {
        wiggle = 1.0 - wiggle;
        assert_eq!(under(&mut tab, wiggle), "a2");
        tab.evaluate("asked >= 3") == true
    });
    tab.point_at(2.0, 2.0);
    tab.wait_until("document.querySelector('.card').id === 'a3'");
}

#[test]
fn keys_move_open_search_and_rest_while_typing() {
    let headspace = with_waiting(&["first", "second"]);
    let web = Web::start(&headspace);
    let mut browser = Chromium::start(headspace.dir());
    let mut tab = home(&mut browser, &web);
    let held = "document.activeElement.closest('.item')?.id";
    for (key, row) in [
        ("j", "a1"),
        ("j", "a2"),
        ("j", "a2"),
        ("k", "a1"),
        ("n", "a2"),
        ("n", "a1"),
    ] {
        tab.press(key);
        assert_eq!(tab.evaluate(held), row, "after {key}");
    }
    tab.press(".");
    tab.wait_until("document.querySelector('#why').open && document.querySelector('#why-text').textContent.includes('asks to run')");
    tab.press("j");
    tab.evaluate("document.querySelector('#why').close()");
    tab.press("?");
    assert_eq!(tab.evaluate("document.querySelector('#help').open"), true);
    tab.evaluate(
        "document.querySelector('#keys-on').click(); document.querySelector('#help').close()",
    );
    tab.evaluate("document.activeElement.blur()");
    tab.press("/");
    assert_eq!(
        tab.evaluate("document.activeElement.id"),
        "",
        "they are switched off"
    );
    tab.evaluate("document.querySelector('#keys-on').click()");
    tab.press("/");
    assert_eq!(tab.evaluate("document.activeElement.id"), "q");
    tab.press("j");
    assert_eq!(tab.evaluate("document.querySelector('#q').value"), "j");
    assert_eq!(tab.refused(), json!([]));
    tab.go(&format!("http://127.0.0.1:{}/agents/1", web.port));
    tab.wait_until(IS_OPEN);
    tab.press("n");
    tab.wait_until("location.pathname === '/agents/2'");
}

#[test]
fn a_full_stream_is_waited_out() {
    let mut headspace = with_waiting(&["first"]);
    headspace.set("HEADSPACE_SSE__MAX_CONNECTIONS", 1);
    let web = Web::start(&headspace);
    let other = Stream::open(&web, "/api/events/stream");
    let mut browser = Chromium::start(headspace.dir());
    let mut tab = browser.open(&format!("http://127.0.0.1:{}/", web.port));
    tab.wait_until("document.documentElement.classList.contains('away')");
    drop(other);
    tab.wait_until(IS_OPEN);
    tab.wait_until("!document.documentElement.classList.contains('away')");
}

#[test]
fn a_database_that_is_away_is_said_and_waited_out() {
    let headspace = with_waiting(&["first"]);
    let web = Web::start(&headspace);
    let mut browser = Chromium::start(headspace.dir());
    let mut tab = home(&mut browser, &web);
    let path = headspace.state().join("headspace.db");
    let aside = headspace.state().join("aside.db");
    std::fs::rename(&path, &aside).expect("moved");
    std::fs::create_dir(&path).expect("a folder in its place");
    tab.evaluate("document.dispatchEvent(new CustomEvent('headspace:refresh'))");
    tab.wait_until("document.querySelector('#offline').textContent.includes('headspace cannot read its database')");
    assert_eq!(
        tab.evaluate("document.querySelectorAll('.card').length"),
        1,
        "the content stays"
    );
    let mut other = browser.open(&format!("http://127.0.0.1:{}/", web.port));
    other.wait_for(&[
        "<h1>Not available at the moment</h1>",
        "tries again by itself",
    ]);
    std::fs::remove_dir(&path).expect("removed");
    std::fs::rename(&aside, &path).expect("moved back");
    other.wait_until("document.querySelectorAll('.card').length === 1");
}

#[test]
fn without_scripts_a_page_can_be_read() {
    let headspace = with_waiting(&["first"]);
    let web = Web::start(&headspace);
    let mut browser = Chromium::start(headspace.dir());
    let mut tab = browser.open("about:blank");
    tab.without_scripts();
    tab.go(&format!("http://127.0.0.1:{}/", web.port));
    // The style's own view: the debugger still may ask.
    tab.wait_until("document.querySelector('.card h3')?.textContent === 'first'");
    tab.wait_until("getComputedStyle(document.querySelector('.actions')).display === 'none'");
    tab.wait_until("/since \"? ?attr|since/.test(getComputedStyle(document.querySelector('time.for'), '::after').content)");
    let shown = tab.evaluate("document.querySelector('.card h3 a').getAttribute('href')");
    assert_eq!(shown, "/agents/1");
}

/// A log with a session of each name that waits for a person.
fn with_waiting(names: &[&str]) -> Headspace {
    let headspace = Headspace::on(Kind::Sqlite);
    for name in names {
        stored_at_rest(&headspace, name, 1);
    }
    tamper(&headspace.store, NEEDS);
    headspace
}

fn home<'a>(browser: &'a mut Chromium, web: &Web) -> Tab<'a> {
    let mut tab = browser.open(&format!("http://127.0.0.1:{}/", web.port));
    tab.wait_until(IS_OPEN);
    tab
}

/// An event of another session says that something changed.
fn ring(headspace: &Headspace, name: &str) {
    Talk::new(headspace, name).say("ring");
    headspace.watch_once();
}

fn serve_at(headspace: &Headspace, port: u16) -> Web {
    let mut command = web::command(headspace);
    command.env("HEADSPACE_WEB__LISTEN", format!(r#"["127.0.0.1:{port}"]"#));
    Web::from(headspace, command)
}
