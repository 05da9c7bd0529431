//! A session that a person looks at is seen.

use crate::support::{
    asking::Asking,
    chromium::Chromium,
    headspace::{Headspace, Kind, eventually},
    web::Web,
};

const IS_OPEN: &str = "document.documentElement.dataset.stream === 'open'";

#[test]
fn what_is_new_of_a_session_is_seen_when_its_page_is_opened_and_while_it_is_in_front() {
    let headspace = Headspace::on(Kind::Sqlite);
    let _watcher = headspace.watch();
    let web = Web::start(&headspace);
    let mut browser = Chromium::start(headspace.dir());
    let mut tab = browser.open(&format!("http://127.0.0.1:{}/", web.port));
    tab.wait_until(IS_OPEN);
    let mut asking = Asking::new(&headspace, "shop");
    asking.prompt("make it");
    asking.ask(&headspace, "make");
    tab.wait_until("document.querySelectorAll('.card').length === 1");
    let seen = || {
        let rows = "SELECT count(*) FROM events WHERE event_type = 'session_viewed'";
        headspace.store.number(rows)
    };
    assert_eq!(seen(), 0, "a card at home is not its page");
    let id = headspace.store.number("SELECT id FROM agents");
    tab.go(&format!("http://127.0.0.1:{}/agents/{id}", web.port));
    tab.wait_until(IS_OPEN);
    eventually("its wait is seen", || seen() == 1);
    let waits = web.get("/api/waits").json();
    assert_eq!(waits["waits"].as_array().map(Vec::len), Some(0), "{waits}");
    tab.wait_until("document.querySelector('#main').dataset.news === undefined");
    let needs = "SELECT count(*) FROM agents WHERE needs = 'permission'";
    assert_eq!(headspace.store.number(needs), 1, "it waits as before");

    // It ends in front of the person.
    asking.answered();
    asking.done("All of it is made.");
    eventually("its end is seen", || seen() == 2);
    let unseen = "SELECT count(*) FROM agents WHERE unseen";
    eventually("it is read", || headspace.store.number(unseen) == 0);
    tab.wait_until("document.body.textContent.includes('All of it is made.')");
}
