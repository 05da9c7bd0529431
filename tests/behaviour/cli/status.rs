//! `status` says which sessions need a person, and what the others do.

use serde_json::{Value, json};

use crate::support::{
    agents::{ago, change, session, subagent, yes},
    headspace::{Headspace, Kind, on_both},
    talk::{Talk, count, tamper, wait_for_count},
};

const HOUR: i64 = 3600;

on_both! {
    fn each_session_has_a_line_and_the_most_pressing_comes_first(kind: Kind) {
        let headspace = Headspace::on(kind);
        let since = |hours| format!("since = {}", ago(hours * HOUR + 60));
        session(&headspace, "headspace", &format!(
            "title = 'upgrade axum', unseen = {}, last_words = 'All 412 tests pass.\nMore.', {}",
            yes(kind), since(4)));
        let parser = session(&headspace, "parser", &format!(
            "title = 'port parser', state = 'processing', queue_length = 1, {}, \
             todos = '[{{\"status\":\"completed\"}},{{\"status\":\"pending\"}}]'", since(12)));
        for (id, ended) in [(1, "NULL"), (2, &*ago(1))] {
            tamper(&headspace.store, &format!(
                "INSERT INTO tool_uses (id, agent_id, tool_use_id, name, summary, started_at, ended_at) \
                 VALUES ({id}, {parser}, 't{id}', 'Edit', 'src/{id}.rs', {}, {ended})", ago(9)));
        }
        subagent(&headspace, parser, "a1", "state = 'processing'");
        session(&headspace, "billing", &format!(
            "title = '請求スキーマの設計をやり直して', needs = 'asked', state = 'awaiting_input', \
             asks = 'One table or two?', terminal = '{{\"tty\":\"/dev/pts/7\"}}', {}", since(9 * 24)));
        let shop = session(&headspace, "shop", "title = 'fix login', state = 'processing'");
        subagent(&headspace, shop, "a2", &format!(
            "needs = 'permission', state = 'awaiting_input', asks = 'Bash: rm -rf build && make', {}",
            since(3)));
        session(&headspace, "dev", &format!("background = 2, title = 'serve\u{1b}[2J', {}", since(1)));
        for name in ["idle", "idler"] {
            session(&headspace, name, &format!("title = '{name}', last_words = 'hi', {}", since(2)));
        }
        tamper(&headspace.store, "UPDATE projects SET current_branch = 'main' WHERE name = 'shop'");

        let text = printed(&headspace, &["status"]);
        let (head, rest) = text.split_once('\n').expect("lines");
        assert!(head.starts_with("2 need you   1 finished   1 working   1 in the background   2 idle   "), "{text}");
        assert!(head.ends_with("no watcher"), "{text}");
        let rows = [
            "! no watcher is running",
            "■ fix login           shop      main  3h  Bash: rm -rf build && make",
            "■ 請求スキーマの設計… billing         9d  asks: “One table or two?”        pts/7",
            "● upgrade axum        headspace       4h  “All 412 tests pass.”",
            "◐ port parser         parser         12h  Edit src/1.rs  todo 1/2  1 subagent",
            "◌ serve\\u{1b}[2J      dev             1h  2 tasks in the background",
            "○ 2 idle in 2 projects (-a shows them)",
        ];
        assert_eq!(rest.lines().collect::<Vec<_>>(), rows, "\n{text}");
        let all = printed(&headspace, &["status", "-a"]);
        let idle: Vec<&str> = all.lines().skip(7).collect();
        assert_eq!(idle, [
            "○ idler               idler           2h  “hi”",
            "○ idle                idle            2h  “hi”",
        ], "\n{all}");

        let report = json(&headspace);
        assert_eq!(report["counts"],
            json!({"needs_you": 2, "snoozed": 0, "finished": 1, "working": 1, "background": 1, "idle": 2}));
        let first = &report["sessions"][0];
        assert_eq!((&first["agent_id"], &first["shows"], &first["subagents"]),
            (&json!(shop), &json!("needs_you"), &json!(0)));
        assert_ne!(first["asker_id"], json!(shop), "its subagent asks");
    }

    fn the_exit_code_says_whether_a_session_waits(kind: Kind) {
        let headspace = Headspace::on(kind);
        let id = session(&headspace, "shop", "state = 'processing'");
        let code = |arguments: &[&str]| headspace.run(arguments).status.code();
        assert_eq!(code(&["status", "--exit-code"]), Some(0));
        change(&headspace, id, "needs = 'plan', state = 'awaiting_input'");
        assert_eq!(code(&["status", "--exit-code"]), Some(3));
        assert_eq!(code(&["status", "--exit-code", "--json"]), Some(3));
        assert_eq!(code(&["status"]), Some(0));
        change(&headspace, id, &format!("ended_at = {}", ago(0)));
        assert_eq!(code(&["status", "--exit-code"]), Some(0), "it has ended");
        assert!(printed(&headspace, &["status"]).starts_with("all is quiet   "));
    }

    fn what_was_put_off_waits_for_no_person_until_then(kind: Kind) {
        let headspace = Headspace::on(kind);
        let id = session(&headspace, "shop", "title = 'fix login', needs = 'plan'");
        change(&headspace, id, &format!("snoozed_until = {}", ago(-HOUR)));
        let text = printed(&headspace, &["status"]);
        assert!(text.starts_with("all is quiet ") && text.ends_with("\n■ 1 snoozed (-a shows them)\n"), "{text}");
        assert!(printed(&headspace, &["status", "-a"]).contains("■ fix login"));
        assert_eq!(printed(&headspace, &["status", "--exit-code"]), text);
        assert_eq!(printed(&headspace, &["line"]), "");
        assert_eq!(printed(&headspace, &["next"]), "no session needs you\n");
        let counts = &json(&headspace)["counts"];
        assert_eq!((&counts["needs_you"], &counts["snoozed"]), (&json!(0), &json!(1)));
        change(&headspace, id, &format!("snoozed_until = {}", ago(1)));
        assert_eq!(printed(&headspace, &["line"]), "■1\n");
        assert!(printed(&headspace, &["status"]).starts_with("1 needs you "));
    }

    fn it_says_how_the_watcher_is(kind: Kind) {
        let headspace = Headspace::on(kind);
        for name in ["shop", "blog"] {
            Talk::new(&headspace, name).say("hello");
        }
        let watcher = headspace.watch();
        wait_for_count(&headspace.store, 6);
        let text = printed(&headspace, &["status"]);
        assert!(text.lines().next().expect("a line").contains("watcher ok, "), "{text}");
        let text = printed(&headspace, &["status", "--verbose"]);
        let pid = format!("pid {}", watcher.pid().as_raw_nonzero());
        for expected in ["6 events", &pid, "watcher   running", "projects  2"] {
            assert!(text.contains(expected), "{expected:?} is not in\n{text}");
        }
        let report = json(&headspace);
        assert_eq!(report["events"], count(&headspace.store));
        assert_eq!(report["watchers"][0]["state"], "running");
        assert_eq!(report["watcher"]["running"], true);
        assert_eq!(report["reasons"], json!([]));
        assert_eq!(report["projects"].as_array().map(Vec::len), Some(2));
        assert_eq!(report["agents"].as_array().map(Vec::len), Some(2));
        watcher.kill();
        // Its row still says that it runs; the judge of `/health` knows better.
        let text = printed(&headspace, &["status"]);
        for expected in ["no watcher\n", "! no watcher is running"] {
            assert!(text.contains(expected), "{expected:?} is not in\n{text}");
        }
        let report = json(&headspace);
        assert_eq!(report["watcher"]["running"], false);
        assert_eq!(report["watchers"][0]["state"], "running");
    }
}

#[test]
fn nothing_recorded_yet_is_one_line_that_says_what_to_do() {
    let headspace = Headspace::on(Kind::Sqlite);
    for command in [&["status"][..], &["status", "--json"]] {
        let output = headspace.run(command);
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            said.lines().count() == 1 && said.contains("headspace up"),
            "{said}"
        );
    }
}

fn printed(headspace: &Headspace, arguments: &[&str]) -> String {
    let output = headspace.run(arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {errors}", output.status);
    String::from_utf8(output.stdout).expect("text")
}

fn json(headspace: &Headspace) -> Value {
    serde_json::from_str(&printed(headspace, &["status", "--json"])).expect("one JSON object")
}
