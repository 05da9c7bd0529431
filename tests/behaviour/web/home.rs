//! Home, as the server makes it: which session needs a person, for what, and what goes on.

use crate::support::{
    agents::{session, stored_at_rest},
    headspace::{Headspace, Kind, eventually, on_both},
    talk::{converse, tamper},
    web::Web,
};

on_both! {
    fn each_session_stands_where_it_belongs_and_says_why(kind: Kind) {
        let headspace = Headspace::on(kind);
        let names = ["asker", "runner", "planner", "limited", "done", "worker", "back", "idle", "gone", "stale"];
        for (name, id) in names.into_iter().zip(1..) {
            stored_at_rest(&headspace, name, 1);
            converse(&headspace.store, id, &[("user", format!("{name} 1"))]);
        }
        let at = |minutes: i64| ago(kind, minutes);
        let set = |name: &str, what: &str| format!(
            "UPDATE agents SET {what} WHERE working_directory = '/home/dev/{name}';");
        let yes = match kind { Kind::Sqlite => "1", Kind::Postgres => "true" };
        let child = "INSERT INTO agents (session_uuid, project_id, parent_agent_id, working_directory, \
            cli, started_at, last_seen_at, title, state, needs, asks) \
            SELECT 'sub', project_id, id, '/x', 'claude', started_at, last_seen_at, 'Explorer', \
            'awaiting_input', 'permission', 'Bash: ls /etc' FROM agents \
            WHERE working_directory = '/home/dev/worker';";
        tamper(&headspace.store, &[
            format!("UPDATE agents SET last_seen_at = {0}, since = {0}, title = 'The ' || substr(working_directory, 11);", at(3)),
            "UPDATE commands SET state = 'complete', outcome = 'done', completed_at = started_at;".to_owned(),
            set("asker", "state = 'awaiting_input', needs = 'question', asks = 'One table, or two?\n1. One\n2. Two'"),
            set("runner", &format!("state = 'awaiting_input', needs = 'permission', asks = 'Bash: rm -rf build', since = {}", at(9 * 60))),
            set("planner", "state = 'awaiting_input', needs = 'plan', asks = '# 1. a\n2. b\n3. c\n4. d'"),
            set("limited", "needs = 'limit', asks = 'limit reached, resets 3pm (UTC)'"),
            set("done", &format!("unseen = {yes}, last_words = 'All pass.'")),
            set("worker", "state = 'processing', queue_length = 2, context_tokens = 76000, model = 'claude-opus-4-5-20251101', todos = '[{\"content\":\"a\",\"status\":\"completed\"},{\"content\":\"b\",\"status\":\"pending\"}]'"),
            set("back", "background = 2"),
            // It has not ended, and was not seen for longer than anything is open.
            set("stale", &format!("state = 'processing', needs = 'permission', last_seen_at = {}", at(30 * 60))),
            set("gone", &format!("ended_at = {}, needs = 'permission', asks = 'Bash: ./rotate'", at(1))),
            "INSERT INTO tool_uses (agent_id, command_id, tool_use_id, name, summary, started_at) \
             SELECT a.id, c.id, 'u', 'Edit', 'src/a.rs', c.started_at FROM agents a JOIN commands c \
             ON c.agent_id = a.id WHERE working_directory = '/home/dev/worker';".to_owned(),
        ].concat());
        let web = Web::start(&headspace);
        let page = web.get("/");
        assert_eq!(page.status, 200, "{}", page.body);
        assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
        assert_eq!(page.header("cache-control"), Some("no-store"));
        let html = page.body;
        let place = |text: &str| html.find(text).unwrap_or_else(|| panic!("{text:?} is not in {html}"));
        let order = [
            ">(4) headspace</title>", "Needs you", "The runner", "waiting", ">9 h</time>", "asks to run</span>rm -rf build",
            "› runner 1", "The asker", "asks you</span>One table, or two?\n1. One\n2. Two",
            "Finished, unread", "The done", "All pass.", "after", "Working", "The worker", "Edit src/a.rs",
            "todo 1/2", "2 prompts queued", "context 38 %", "opus-4-5", "In the background", "The back", "2 tasks run",
            "Idle", "<b>idle</b> · 1 session · last ", "Left hanging", "The gone", "asks to run `./rotate`",
        ];
        // The mark before a prompt is the style's.
        let places: Vec<usize> = order.iter().map(|text| place(text.trim_start_matches("› "))).collect();
        assert!(places.is_sorted(), "{places:?}\n{html}");
        place("1. a\n2. b\n3. c\n…");
        place("hit the limit until 3pm");
        assert!(!html.contains("4. d") && !html.contains("The stale"), "{html}");
        // What a subagent needs stands on its root.
        tamper(&headspace.store, child);
        let html = web.get("/fragments/home").body;
        assert!(html.trim_start().starts_with("<div id=\"page\""), "{html}");
        assert!(html.contains("its subagent “Explorer” asks to run</span>ls /etc"), "{html}");
        assert!(!html.contains("id=\"work\""), "{html}");
    }

    fn a_choice_is_an_address(kind: Kind) {
        let headspace = Headspace::on(kind);
        for name in ["one", "two", "three"] {
            stored_at_rest(&headspace, name, 1);
        }
        tamper(&headspace.store, &format!(
            "UPDATE agents SET last_seen_at = {0}, title = substr(working_directory, 11); \
             UPDATE agents SET state = 'processing' WHERE title <> 'two'; \
             UPDATE agents SET other_hosts = '[\"laptop\"]' WHERE title = 'three';", ago(kind, 1)));
        let web = Web::start(&headspace);
        let shown = |query: &str| {
            let html = web.get(&format!("/{query}")).body;
            ["one", "two", "three"].into_iter()
                .filter(|title| html.contains(&format!(">{title}</a></h3>"))).collect::<Vec<_>>()
        };
        assert_eq!(shown(""), ["one", "three"], "idle ones are folded");
        assert_eq!(shown("?state=idle"), ["two"]);
        assert_eq!(shown("?state=work&q=THRE"), ["three"]);
        assert_eq!(shown("?q=tw"), ["two"]);
        assert_eq!(shown("?project=1"), ["one"]);
        assert_eq!((shown("?host=elsewhere"), shown("?host=laptop")), (vec![], vec!["three"]));
        assert!(web.get("/?q=nothing+like+it").body.contains("No session fits."));
        assert!(web.get("/?group=project").body.contains("<h3 class=\"group\">one</h3>"));
        let chosen = web.get("/?q=%22%3E%3Cscript%3E").body;
        assert!(!chosen.contains("<script>") && chosen.contains("&#34;&#62;&#60;script&#62;"), "{chosen}");
    }
}

on_both! {
    fn history_that_is_being_read_is_a_bar_that_moves(kind: Kind) {
        let headspace = Headspace::on(kind);
        stored_at_rest(&headspace, "history", 1);
        let web = Web::start(&headspace);
        let behind = |bytes: u64| {
            let counters = format!("UPDATE watchers SET counters = '{{\"bytes_behind\": {bytes}}}'");
            tamper(&headspace.store, &counters);
            eventually("it is known", || web.health()["database"]["bytes_behind"] == bytes);
            web.get("/").body
        };
        assert!(!behind(1 << 19).contains("id=\"behind\""), "a watcher at work is no news");
        for (bytes, done, left) in [(200 << 20, 0, "200 MB"), (50 << 20, 75, "50 MB"), (400 << 20, 0, "400 MB"), (1 << 20, 100, "1 MB")] {
            let page = behind(bytes);
            let bar = format!("max=\"100\" value=\"{done}\">");
            assert!(page.contains(&bar) && page.contains(&format!("the newest first: {left} to go")), "{page}");
        }
        assert!(!behind(0).contains("id=\"behind\""));
    }

    fn today_is_a_line_with_how_long_sessions_waited(kind: Kind) {
        let mut headspace = Headspace::on(kind);
        noon_is_now(&mut headspace);
        stored_at_rest(&headspace, "today", 1);
        let key = match kind { Kind::Sqlite => "randomblob(16)", Kind::Postgres => "decode(md5(random()::text), 'hex')" };
        let moved = |minutes: i64, from: &str, to: &str| format!(
            "INSERT INTO events (timestamp, recorded_at, agent_id, event_type, payload, event_key) VALUES \
             ({0}, {0}, 1, 'state_transition', '{{\"from_state\": \"{from}\", \"to_state\": \"{to}\"}}', {key});", ago(kind, minutes));
        tamper(&headspace.store, &(moved(9, "processing", "awaiting_input") + &moved(4, "awaiting_input", "processing")));
        let web = Web::start(&headspace);
        let page = web.get("/").body;
        assert!(page.contains("waited 5 min for you"), "{page}");
    }

    fn a_session_that_waits_since_yesterday_waited_all_day(kind: Kind) {
        let mut headspace = Headspace::on(kind);
        noon_is_now(&mut headspace);
        let wait = "state = 'awaiting_input', needs = 'permission', asks = 'Bash: make'";
        session(&headspace, "silent", &format!("{wait}, since = {}", ago(kind, 20 * 60)));
        let web = Web::start(&headspace);
        let page = web.get("/").body;
        assert!(page.contains("waited 12 h"), "{page}");
    }
}

/// From now on it is between noon and one o'clock for what is started: today is long
/// enough, whatever the time is.
fn noon_is_now(headspace: &mut Headspace) {
    let now = jiff::Zoned::now().with_time_zone(jiff::tz::TimeZone::UTC);
    // In this notation what is west of Greenwich is positive.
    headspace.set("TZ", format!("NOON{:+}", now.hour() - 12));
}

#[test]
fn before_anything_is_recorded_the_page_says_where_it_looks() {
    let mut headspace = Headspace::on(Kind::Sqlite);
    headspace.set("HEADSPACE_CLAUDE__ROOTS", r#"["/some/where/.claude"]"#);
    let web = Web::start(&headspace);
    for path in ["/", "/fragments/home"] {
        let page = web.get(path);
        assert_eq!(page.status, 200, "{}", page.body);
        for text in [
            "Nothing found yet",
            "<li>/some/where/.claude/projects</li>",
            "no watcher is running",
        ] {
            assert!(page.body.contains(text), "{text}: {}", page.body);
        }
    }
}

#[test]
fn a_browser_gets_a_problem_as_a_page_and_a_program_as_json() {
    let headspace = Headspace::on(Kind::Sqlite);
    stored_at_rest(&headspace, "pages", 1);
    let web = Web::start(&headspace);
    for (path, title) in [
        ("/nothing", "No such page"),
        ("/agents/99", "No such session"),
        ("/agents/1/calls/99", "No such call"),
        ("/log/99", "No such event"),
        ("/fragments/agents/99", "No such session"),
    ] {
        let page = web.get_with(path, &["Accept: text/html,*/*;q=0.8"]);
        assert_eq!(page.status, 404, "{path}");
        let said = page.body.contains(&format!("<h1>{title}</h1>"));
        assert!(
            said && page.body.contains("<a href=\"/\">"),
            "{}",
            page.body
        );
        assert!(
            page.header("content-security-policy").is_some(),
            "{}",
            page.head
        );
        web.get(path).problem(404);
    }
    assert!(
        web.get_with("/agents/seven", &["Accept: text/html"])
            .body
            .contains("the agent&#39;s id is no integer")
    );
    let refused = web.ask("GET / HTTP/1.1\r\nHost: box.example:5055\r\nAccept: text/html\r\nConnection: close\r\n\r\n");
    assert_eq!(refused.status, 403);
    for text in [
        "this Host is not served here",
        "<code>Host: box.example:5055</code>",
        "<code>web.hosts</code>",
    ] {
        assert!(refused.body.contains(text), "{text}: {}", refused.body);
    }
    let asks = refused.body.contains("<link") || refused.body.contains("<script");
    assert!(!asks, "nothing else is served there: {}", refused.body);
}

/// So many minutes ago, in the database's own words.
fn ago(kind: Kind, minutes: i64) -> String {
    match kind {
        Kind::Sqlite => {
            format!("strftime('%Y-%m-%dT%H:%M:%S.000000Z', 'now', '-{minutes} minutes')")
        }
        Kind::Postgres => format!("now() - interval '{minutes} minutes'"),
    }
}
