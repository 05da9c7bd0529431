//! A session and the log, as the server makes them.

use crate::support::{
    agents::{ago, change, session, stored_at_rest, subagent},
    headspace::{Headspace, Kind, on_both},
    talk::{converse, tamper},
    web::Web,
};

on_both! {
    fn a_session_is_a_window_of_its_turns_with_what_was_done_between_them(kind: Kind) {
        let headspace = Headspace::on(kind);
        stored_at_rest(&headspace, "long", 1);
        let said: Vec<_> = (0..300).map(|n| ("user", format!("long {n}"))).collect();
        converse(&headspace.store, 1, &said);
        let turns: Vec<i64> = headspace.store.column("SELECT id FROM turns ORDER BY id")
            .iter().map(|id| id.parse().expect("an id")).collect();
        let command = headspace.store.column("SELECT max(command_id) FROM turns").remove(0);
        let calls: String = (0..5).map(|n| format!(
            "INSERT INTO tool_uses (agent_id, command_id, tool_use_id, name, summary, started_at, ended_at, outcome) \
             SELECT 1, {command}, 'u{n}', 'Bash', 'cargo test {n}', timestamp, timestamp, '{}' FROM turns WHERE id = {};",
            if n == 2 { "error" } else { "ok" }, turns[299])).collect();
        tamper(&headspace.store, &calls);
        let web = Web::start(&headspace);
        let page = |query: &str| web.get(&format!("/agents/1{query}")).body;
        let shown = |html: &str| -> Vec<i64> {
            html.split("<div class=\"prompt turn\" id=\"t").skip(1)
                .map(|rest| rest.split('"').next().expect("an id").parse().expect("an id")).collect()
        };
        let newest = page("");
        assert_eq!(shown(&newest), turns[220..]);
        assert!(newest.contains("5 tool calls, <span class=\"bad\">1 failed</span>"), "{newest}");
        assert!(newest.contains(&format!("tail={}\"", turns[220])), "what is shown stays shown");
        let earlier = newest.split("?from=").nth(1).expect("a link").split('"').next().expect("an id");
        assert_eq!(earlier, turns[140].to_string());
        let window = page(&format!("?from={earlier}"));
        assert_eq!(shown(&window), turns[140..220]);
        assert!(window.contains(&format!("?from={}\">Later", turns[220])), "{window}");
        let around = page(&format!("?turn={}", turns[100]));
        assert_eq!(shown(&around), turns[80..160]);
        let followed = web.get(&format!("/fragments/agents/1?tail={}", turns[200])).body;
        assert_eq!(shown(&followed), turns[200..]);
        assert_eq!(shown(&web.get(&format!("/fragments/agents/1?tail={}", turns[0])).body), turns[220..],
            "a window that is too long begins anew");
    }

    fn why_a_session_waits_is_said_from_its_moves(kind: Kind) {
        let headspace = Headspace::on(kind);
        stored_at_rest(&headspace, "why", 2);
        let key = match kind { Kind::Sqlite => "randomblob(16)", Kind::Postgres => "decode(md5(random()::text), 'hex')" };
        let payload = r#"{"agent_id":1,"command_id":1,"from_state":"processing","to_state":"awaiting_input","needs":"permission","trigger":"hook","rule":"14","confidence":1.0,"evidence":{"event":7}}"#;
        tamper(&headspace.store, &format!(
            "UPDATE agents SET state = 'awaiting_input', needs = 'permission', asks = 'Bash: npm test'; \
             INSERT INTO events (timestamp, recorded_at, agent_id, event_type, payload, event_key) \
             SELECT timestamp, recorded_at, 1, 'state_transition', '{payload}', {key} FROM events WHERE id = 1;"));
        let web = Web::start(&headspace);
        let why = web.get("/fragments/agents/1/why").body;
        for text in ["asks to run", "working → asks for leave", "hook · rule 14 · 100 % sure", "100 % sure · event 7"] {
            assert!(why.contains(text), "{text}: {why}");
        }
        let log = web.get("/log?type=state_transition").body;
        assert!(log.contains("working → asks for leave, by hook"), "{log}");
        let page = web.get("/agents/1").body;
        assert!(page.contains("<b class=\"need\">asks to run</b> <code>npm test</code>"), "{page}");
        assert!(page.contains("<rect class=\"need\"") && page.contains("State over time"), "{page}");
    }

    fn a_session_says_where_it_came_from_and_where_it_went_on(kind: Kind) {
        let headspace = Headspace::on(kind);
        let origin = session(&headspace, "origin", "title = 'the <first>'");
        let next = session(&headspace, "next", "title = 'the next'");
        let id = session(&headspace, "middle", &format!(
            "forked_from_id = {origin}, successor_id = {next}, other_hosts = '[\"laptop\", \"<tower>\"]'"));
        let web = Web::start(&headspace);
        let page = web.get(&format!("/agents/{id}")).body;
        let came = format!("forked from <a href=\"/agents/{origin}\">the &#60;first&#62;</a>");
        let went = format!("continued in <a href=\"/agents/{next}\">the next</a>");
        assert_eq!(page.matches(&came).count(), 2, "in the head and at the beginning: {page}");
        assert_eq!(page.matches(&went).count(), 2, "in the head and at the end: {page}");
        assert!(page.contains("also on laptop · also on &#60;tower&#62;"), "{page}");
        let alone = web.get(&format!("/agents/{next}")).body;
        for text in ["forked from", "continued in", "also on"] {
            assert!(!alone.contains(text), "{text}: {alone}");
        }
    }

    fn subagents_of_subagents_stand_below_their_own(kind: Kind) {
        let headspace = Headspace::on(kind);
        let root = session(&headspace, "root", "title = 'root'");
        let first = subagent(&headspace, root, "a", "title = 'first'");
        let second = subagent(&headspace, root, "b", "title = 'second', state = 'processing'");
        let below = subagent(&headspace, first, "c", "title = 'below'");
        // The one that was seen last comes first.
        change(&headspace, second, &format!("last_seen_at = {}", ago(-60)));
        let web = Web::start(&headspace);
        let tree = |id: i64| -> Vec<(i64, bool)> {
            let page = web.get(&format!("/agents/{id}")).body;
            let list = page.split("<h2>Subagents</h2>").nth(1).unwrap_or_default().split("</ol>").next().expect("a list").to_owned();
            list.split("<li").skip(1).map(|item| {
                let id = item.split("/agents/").nth(1).expect("a link").split('"').next().expect("an id");
                (id.parse().expect("an id"), item.starts_with(" class=\"below-1\""))
            }).collect()
        };
        assert_eq!(tree(root), [(second, false), (first, false), (below, true)]);
        assert_eq!(tree(first), [(below, false)]);
        assert_eq!(tree(below), []);
    }

    fn the_log_says_whether_it_records_and_what(kind: Kind) {
        let headspace = Headspace::on(kind);
        let newest = stored_at_rest(&headspace, "logged", 120);
        let web = Web::start(&headspace);
        let log = web.get("/log").body;
        for text in ["Watcher", "Database", "connected", "122 events", "Hooks", "user: logged 120", "/log/"] {
            assert!(log.contains(text), "{text}: {log}");
        }
        assert_eq!(log.matches("class=\"line item\"").count(), 100);
        let older = web.get(&format!("/log?before={}", newest - 99)).body;
        assert_eq!(older.matches("class=\"line item\"").count(), 22);
        let sessions = web.get("/log?type=session_registered").body;
        assert_eq!(sessions.matches("class=\"line item\"").count(), 1);
        assert_eq!(web.get("/fragments/log?type=nonsense").problem(400), "type: unknown event type \"nonsense\"");
        let event = web.get(&format!("/log/{newest}")).body;
        assert!(event.contains("&#34;text&#34;: &#34;logged 120&#34;"), "{event}");
    }
}

#[test]
fn assets_are_asked_for_again_and_sent_once() {
    let headspace = Headspace::on(Kind::Sqlite);
    let web = Web::start(&headspace);
    let page = web.get("/").body;
    assert!(
        !page.contains(" style=") && !page.contains("<style") && !page.contains(" onclick"),
        "{page}"
    );
    let mut all = 0;
    for path in [
        "/app.js",
        "/keys.js",
        "/alerts.js",
        "/talk.js",
        "/sse-client.js",
        "/htmx.js",
        "/problem.js",
        "/style.css",
        "/icon.svg?n=3",
    ] {
        let first = web.get(path);
        assert_eq!(first.status, 200, "{path}");
        all += first.body.len();
        let tag = first.header("etag").expect("a tag");
        let again = web.get_with(path, &[&format!("If-None-Match: {tag}")]);
        assert_eq!((again.status, again.body.as_str()), (304, ""), "{path}");
    }
    assert!(all < 100_000, "{all} bytes");
}
