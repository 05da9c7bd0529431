//! Alerts of a browser: asked for by a click, shown once for all tabs, taken back.

use serde_json::{Value, json};

use crate::support::{
    agents::{ago, change, session},
    asking::Asking,
    chromium::{Chromium, Target},
    headspace::{Headspace, Kind, eventually},
    talk::tamper,
    web::Web,
};

/// Takes down what the browser's own notices show.
const NOTES: &str = "
    globalThis.asked = 0; globalThis.notes = []; globalThis.gone = [];
    const Real = Notification, request = Real.requestPermission.bind(Real);
    globalThis.Notification = class extends Real {
        constructor(title, options) { super(title, options); notes.push({ title, body: options.body }); this.named = title; }
        close() { super.close(); gone.push(this.named); }
        static requestPermission() { asked += 1; return request(); }
    };
    true";
/// The tab's clock runs two hundred times as fast: ten minutes are three seconds.
const HURRY: &str = "
    const steady = performance.now.bind(performance), later = setTimeout.bind(globalThis);
    performance.now = () => steady() * 200;
    globalThis.setTimeout = (act, pause, ...more) => later(act, pause / 200, ...more);
    true";
const IS_OPEN: &str = "document.documentElement.dataset.stream === 'open'";

fn tab(browser: &mut Chromium, web: &Web) -> Target {
    let target = browser.target(&format!("http://127.0.0.1:{}/", web.port));
    browser.tab(&target).wait_until(IS_OPEN);
    browser.tab(&target).evaluate(NOTES);
    target
}

fn notes(browser: &mut Chromium, tabs: &[Target], name: &str) -> Vec<Value> {
    let of = |tab: &Target| browser.tab(tab).evaluate(name);
    let all = tabs.iter().map(of).collect::<Vec<Value>>();
    all.iter()
        .flat_map(|notes| notes.as_array().expect("a list").clone())
        .collect()
}

fn ask(headspace: &Headspace, name: &str, command: &str) -> Asking {
    let mut asking = Asking::new(headspace, name);
    asking.prompt(&format!("{name} <b>title</b>"));
    asking.ask(headspace, command);
    asking
}

#[test]
fn one_notice_for_all_tabs_after_a_click_on_the_bell_and_gone_with_its_answer() {
    let headspace = Headspace::on(Kind::Sqlite);
    let _watcher = headspace.watch();
    let web = Web::start(&headspace);
    let mut browser = Chromium::start(headspace.dir());
    let tabs = [tab(&mut browser, &web), tab(&mut browser, &web)];
    browser
        .tab(&tabs[0])
        .grant("notifications", &format!("http://127.0.0.1:{}", web.port));
    // Not asked for: nothing is shown, and no permission is wanted. The tab in front is
    // the second; the first leads the stream.
    let mut before = ask(&headspace, "before", "true");
    browser
        .tab(&tabs[1])
        .wait_until("document.querySelectorAll('.card').length === 1");
    before.answered();
    browser
        .tab(&tabs[1])
        .wait_until("document.querySelectorAll('.card').length === 0");
    assert_eq!(browser.tab(&tabs[0]).evaluate("asked"), 0);
    for tab in &tabs {
        assert_eq!(
            browser
                .tab(tab)
                .evaluate("document.querySelector('#bell').getAttribute('aria-pressed')"),
            "false"
        );
    }
    browser
        .tab(&tabs[1])
        .evaluate("document.querySelector('#bell').click()");
    browser
        .tab(&tabs[1])
        .wait_until("document.querySelector('#bell').getAttribute('aria-pressed') === 'true'");
    assert_eq!(browser.tab(&tabs[1]).evaluate("asked"), 1);

    let mut quick = ask(&headspace, "quick", "true");
    quick.answered();
    let mut asking = ask(&headspace, "shop", "npm test <i>");
    eventually("it is shown", || {
        notes(&mut browser, &tabs, "notes").len() == 1
    });
    assert_eq!(
        notes(&mut browser, &tabs, "notes"),
        [json!({
            "title": "shop · shop <b>title</b>", "body": "asks to run `npm test <i>`",
        })]
    );
    assert_eq!(notes(&mut browser, &tabs, "gone"), [json!(null); 0]);
    asking.answered();
    eventually("it is closed", || {
        notes(&mut browser, &tabs, "gone") == [json!("shop · shop <b>title</b>")]
    });

    // Put off: closed, and not shown again by a tab that leads anew.
    let _second = ask(&headspace, "second", "make");
    eventually("it is shown", || {
        notes(&mut browser, &tabs, "notes").len() == 2
    });
    let id = headspace
        .store
        .number("SELECT id FROM agents WHERE needs = 'permission'");
    assert_eq!(
        web.post(&format!("/api/agents/{id}/snooze"), "{}").status,
        200
    );
    eventually("it is closed", || {
        notes(&mut browser, &tabs, "gone").len() == 2
    });
    for tab in &tabs {
        assert_eq!(browser.tab(tab).refused(), json!([]));
    }
}

#[test]
fn a_tab_that_takes_the_lead_tells_nothing_twice() {
    let headspace = Headspace::on(Kind::Sqlite);
    let _watcher = headspace.watch();
    let web = Web::start(&headspace);
    let mut browser = Chromium::start(headspace.dir());
    let [first, second] = [tab(&mut browser, &web), tab(&mut browser, &web)];
    browser
        .tab(&first)
        .grant("notifications", &format!("http://127.0.0.1:{}", web.port));
    browser
        .tab(&first)
        .evaluate("document.querySelector('#bell').click()");
    browser
        .tab(&first)
        .wait_until("document.querySelector('#bell').getAttribute('aria-pressed') === 'true'");
    let _asking = ask(&headspace, "shop", "make");
    browser.tab(&first).wait_until("notes.length === 1");
    browser.close(&first);
    let _other = ask(&headspace, "other", "make");
    browser.tab(&second).wait_until("notes.length === 1");
    assert_eq!(
        browser.tab(&second).evaluate("notes[0].title"),
        "other · other <b>title</b>"
    );
}

#[test]
fn many_waits_are_one_notice_and_after_ten_minutes_one_more() {
    let headspace = Headspace::on(Kind::Sqlite);
    for name in ["ant", "bee", "cat", "dog", "elk"] {
        let wait = "state = 'awaiting_input', needs = 'permission', asks = 'Bash: make'";
        session(
            &headspace,
            name,
            &format!("{wait}, title = 'the {name}', since = {}", ago(20)),
        );
    }
    let web = Web::start(&headspace);
    let mut browser = Chromium::start(headspace.dir());
    let target = tab(&mut browser, &web);
    let mut tab = browser.tab(&target);
    tab.grant("notifications", &format!("http://127.0.0.1:{}", web.port));
    tab.evaluate(HURRY);
    tab.evaluate("document.querySelector('#bell').click()");
    tab.wait_until("notes.length === 1");
    let all = json!({
        "title": "5 sessions need you",
        "body": "ant · the ant: asks to run `make`\nbee · the bee: asks to run `make`\n\
                 cat · the cat: asks to run `make`\nand 2 more",
    });
    assert_eq!(tab.evaluate("notes"), json!([all]));
    let before = tab.evaluate("globalThis.first = performance.now()");
    tab.wait_until("notes.length === 2");
    assert_eq!(tab.evaluate("notes"), json!([all, all]));
    let passed = tab.evaluate("performance.now()").as_f64().expect("a time")
        - before.as_f64().expect("a time");
    assert!(passed > 590_000.0, "after {passed} ms already");
    tab.wait_until("performance.now() > first + 3 * 600000");
    assert_eq!(tab.evaluate("notes.length"), 2, "it is told again once");
}

#[test]
fn several_that_finished_are_said_to_have_finished() {
    let mut headspace = Headspace::on(Kind::Sqlite);
    headspace.set("HEADSPACE_NOTIFY__FINISHED", true);
    let agents = ["ant", "bee", "cat", "dog"].map(|name| session(&headspace, name, "unseen = 1"));
    tamper(
        &headspace.store,
        &format!(
            "UPDATE commands SET state = 'complete', outcome = 'done', started_at = {}, \
             completed_at = {}; UPDATE agents SET since = {};",
            ago(140),
            ago(0),
            ago(0)
        ),
    );
    let web = Web::start(&headspace);
    let mut browser = Chromium::start(headspace.dir());
    let target = tab(&mut browser, &web);
    let mut tab = browser.tab(&target);
    tab.grant("notifications", &format!("http://127.0.0.1:{}", web.port));
    tab.evaluate(HURRY);
    // The first answer breaks off within its body: it is asked for again.
    tab.evaluate(
        "const real = fetch; globalThis.broken = 0; \
         globalThis.fetch = async (address) => { \
           const answer = await real(address); \
           if (address !== '/api/waits' || broken++ > 0) return answer; \
           return new Response((await answer.text()).slice(0, 50)); \
         }; true",
    );
    tab.evaluate("document.querySelector('#bell').click()");
    tab.wait_until("notes.length === 1");
    assert_eq!(tab.evaluate("notes[0].title"), "4 sessions finished");
    assert!(tab.evaluate("broken").as_i64() > Some(1));
    let blocked = format!(
        "needs = 'permission', asks = 'Bash: make', since = {}",
        ago(10)
    );
    for agent in &agents[..2] {
        change(&headspace, *agent, &blocked);
    }
    for agent in &agents[2..] {
        change(&headspace, *agent, &format!("since = {}", ago(9)));
    }
    tab.evaluate(
        "document.querySelector('#bell').click(); document.querySelector('#bell').click()",
    );
    tab.wait_until("notes.length === 2");
    assert_eq!(tab.evaluate("notes[1].title"), "2 need you, 2 finished");
}
