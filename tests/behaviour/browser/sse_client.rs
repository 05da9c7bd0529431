//! The reader of the stream that pages use, `sse-client.js`, in a real browser
//! against the real server: pauses, resuming, closing.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{
    chromium::{Chromium, Tab},
    headspace::{Headspace, Kind},
    talk::{Talk, newest, stored, wait_for_count},
    web::{self, Web},
};

#[test]
fn the_bound_of_the_pause_doubles_from_one_second_to_thirty() {
    let (headspace, web) = served();
    let mut browser = Chromium::start(headspace.dir());
    let mut tab = page(&mut browser, &web);
    let pauses = |tab: &mut Tab, random: &str| {
        tab.evaluate(&format!(
            "[0, 1, 2, 3, 4, 5, 6, 60, 2000].map((attempt) => client.pauseBefore(attempt, () => {random}))"
        ))
    };
    let bounds = [1, 2, 4, 8, 16, 30, 30, 30, 30].map(|seconds| seconds * 1000);
    assert_eq!(pauses(&mut tab, "1"), json!(bounds));
    assert_eq!(
        pauses(&mut tab, "0.5"),
        json!(bounds.map(|bound| bound / 2))
    );
    assert_eq!(pauses(&mut tab, "0"), json!(vec![0; 9]));
}

#[test]
fn the_pause_is_drawn_anew_from_all_of_its_range() {
    let (headspace, web) = served();
    let mut browser = Chromium::start(headspace.dir());
    let mut tab = page(&mut browser, &web);
    let drawn = tab.evaluate("Array.from({length: 1000}, () => client.pauseBefore(2))");
    let drawn: Vec<f64> = serde_json::from_value(drawn).expect("numbers");
    assert!(drawn.iter().all(|pause| (0.0..4000.0).contains(pause)));
    // A thousand draws miss a quarter of the range once in 10^124 runs.
    for quarter in 0..4 {
        let from = f64::from(quarter) * 1000.0;
        assert!(
            drawn
                .iter()
                .any(|pause| (from..from + 1000.0).contains(pause))
        );
    }
}

/// A hundred clients lose their server in the same moment.
#[test]
fn a_hundred_clients_do_not_come_back_at_once() {
    let (headspace, web) = served();
    let mut browser = Chromium::start(headspace.dir());
    let mut tab = page(&mut browser, &web);
    tab.evaluate(
        "globalThis.tries = [];
         globalThis.EventSource = class {
           constructor() { tries.push(performance.now()); this.number = tries.length; setTimeout(() => this.onerror(), 0); }
           addEventListener() {}
           close() {}
         };
         globalThis.all = Array.from({length: 100}, () => client.connect('/api/events/stream', {}));
         true",
    );
    // Each has tried three times more: in the first, the first two and the first four seconds.
    tab.wait_until("tries.length >= 400");
    let tries = tab.evaluate(
        "all.forEach((one) => one.close()), tries.slice(100).map((at) => at - tries[99])",
    );
    let tries: Vec<f64> = serde_json::from_value(tries).expect("times");
    let most = (0..80).map(|tenth| {
        let from = f64::from(tenth) * 100.0;
        tries
            .iter()
            .filter(|at| (from..from + 100.0).contains(*at))
            .count()
    });
    // Ten are expected where they are densest, twenty of those that came back at once.
    let most = most.max().expect("a number");
    assert!(most < 50, "{most} of them tried within a tenth of a second");
}

#[test]
fn it_resumes_after_its_last_event_when_the_server_stops_or_dies() {
    let (headspace, mut web) = served();
    let mut browser = Chromium::start(headspace.dir());
    let mut tab = page(&mut browser, &web);
    connect(&mut tab, "/api/events/stream", newest(&headspace.store));
    tab.wait_until("stream.states.at(-1).state === 'open'");
    let mut talk = Talk::new(&headspace, "resumed");
    let mut said = Vec::new();
    for (round, end) in [Signal::TERM, Signal::KILL, Signal::TERM]
        .into_iter()
        .enumerate()
    {
        say(&headspace, &mut talk, &mut said, &format!("heard {round}"));
        tab.wait_until(&format!("stream.texts.length === {}", said.len()));
        let port = web.port;
        web.process.signal(end);
        web.process.wait();
        // The end is an event named close, or a connection that breaks.
        tab.wait_until("stream.states.at(-1).state !== 'open'");
        say(&headspace, &mut talk, &mut said, &format!("missed {round}"));
        web = serve_at(&headspace, port);
        tab.wait_until(&format!("stream.texts.length === {}", said.len()));
    }
    assert_eq!(
        tab.evaluate("stream.texts"),
        json!(said),
        "once each, in order"
    );
    let last: String =
        serde_json::from_value(tab.evaluate("stream.handle.lastEventId")).expect("text");
    assert_eq!(last, newest(&headspace.store).to_string());
    let outages = outages(&tab.evaluate("stream.states"));
    assert_eq!(outages.len(), 3, "{outages:?}");
    outages.iter().for_each(|pauses| assert_bounded(pauses));
}

#[test]
fn it_tries_again_where_a_browser_gives_up() {
    let (headspace, web) = served();
    let mut browser = Chromium::start(headspace.dir());
    let mut tab = page(&mut browser, &web);
    // An answer that is an error ends an EventSource for good.
    connect(&mut tab, "/no/such/stream", 0);
    tab.wait_until("stream.states.filter(({state}) => state === 'waiting').length >= 3");
    let states = tab.evaluate("stream.states");
    let tried = outages(&json!(
        states
            .as_array()
            .expect("a list")
            .iter()
            .cloned()
            .chain([json!({"state": "open"})])
            .collect::<Vec<_>>()
    ));
    assert_bounded(&tried[0]);
    assert!(!states.to_string().contains("open"), "{states}");
}

#[test]
fn closed_it_stays_closed_even_while_it_waits() {
    let (headspace, web) = served();
    let mut browser = Chromium::start(headspace.dir());
    let mut tab = page(&mut browser, &web);
    connect(&mut tab, "/no/such/stream", 0);
    tab.wait_until("stream.states.at(-1).state === 'waiting'");
    let pause = "stream.states.at(-1).pause";
    let after = tab.evaluate(&format!(
        "(async () => {{
            const pause = {pause};
            const before = stream.states.length;
            stream.handle.close();
            await new Promise((over) => setTimeout(over, pause + 100));
            return stream.states.slice(before).map(({{state}}) => state);
        }})()"
    ));
    assert_eq!(after, json!(["closed"]));
    connect(&mut tab, "/api/events/stream", newest(&headspace.store));
    tab.wait_until("stream.states.at(-1).state === 'open'");
    tab.evaluate("stream.handle.close()");
    let states = tab.evaluate("stream.states.map(({state}) => state)");
    assert_eq!(states, json!(["connecting", "open", "closed"]));
}

/// A log with one turn, and a server.
fn served() -> (Headspace, Web) {
    let headspace = Headspace::on(Kind::Sqlite);
    stored(&headspace, "before", 1);
    let web = Web::start(&headspace);
    (headspace, web)
}

fn serve_at(headspace: &Headspace, port: u16) -> Web {
    let mut command = web::command(headspace);
    command.env("HEADSPACE_WEB__LISTEN", format!(r#"["127.0.0.1:{port}"]"#));
    Web::from(headspace, command)
}

/// A page of the server's origin with the module in it, as `client`.
fn page<'a>(browser: &'a mut Chromium, web: &Web) -> Tab<'a> {
    let mut tab = browser.open(&format!("http://127.0.0.1:{}/", web.port));
    tab.wait_for(&["<title>headspace</title>"]);
    tab.evaluate("import('/sse-client.js').then((module) => { globalThis.client = module; })");
    tab
}

/// Connects and notes what it does in `stream`.
fn connect(tab: &mut Tab, address: &str, last_event_id: i64) {
    tab.evaluate(&format!(
        "globalThis.stream = {{states: [], texts: []}};
        stream.handle = client.connect('{address}', {{
            lastEventId: {last_event_id},
            handlers: {{turn_detected: (event) => stream.texts.push(event.payload.text)}},
            onState: (state, detail) => stream.states.push({{state, ...detail}}),
        }});
        true"
    ));
}

fn say(headspace: &Headspace, talk: &mut Talk, said: &mut Vec<String>, text: &str) {
    let before = crate::support::talk::count(&headspace.store);
    talk.say(text);
    headspace.watch_once();
    wait_for_count(&headspace.store, before + 1);
    said.push(text.to_owned());
}

/// The pauses before each time that it was open again.
fn outages(states: &Value) -> Vec<Vec<f64>> {
    let mut outages = vec![];
    let mut pauses = vec![];
    for state in states.as_array().expect("a list") {
        match state["state"].as_str() {
            Some("waiting") => pauses.push(state["pause"].as_f64().expect("a number")),
            Some("open") if !pauses.is_empty() => outages.push(std::mem::take(&mut pauses)),
            _ => {}
        }
    }
    outages
}

/// The first of an outage is below a second: being open starts the count anew.
fn assert_bounded(pauses: &[f64]) {
    for (attempt, pause) in pauses.iter().enumerate() {
        let bound = f64::min(30_000.0, 1000.0 * 2f64.powi(attempt as i32));
        assert!((0.0..bound).contains(pause), "{attempt}: {pauses:?}");
    }
}
