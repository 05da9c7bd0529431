//! `events` prints the log, for people, for scripts, and as it grows.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Command, Output, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::{
    asking::Asking,
    headspace::{Headspace, Kind, on_both},
    talk::{Talk, count, newest, stored},
    web::Web,
};

on_both! {
    fn the_newest_are_printed_oldest_first(kind: Kind) {
        let headspace = Headspace::on(kind);
        let head = stored(&headspace, "terminal", 60);
        let lines = lines(&headspace.run(&["events"]));
        assert_eq!(lines.len(), 50);
        let last = lines.last().expect("a line");
        assert!(last.trim_start().starts_with(&head.to_string()), "{last}");
        assert!(last.ends_with("user: terminal 60"), "{last}");
        assert_eq!(ids(&headspace.run(&["events", "--json", "--limit", "3"])), [head - 2, head - 1, head]);
        assert_eq!(ids(&headspace.run(&["events", "--json", "-n", "1000"])).len(), count(&headspace.store) as usize);
        let all = headspace.run(&["events", "--json", "--since", "2020-01-01T00:00:00Z"]);
        assert_eq!(ids(&all).len(), count(&headspace.store) as usize, "with --since, all of them");
    }

    fn json_is_one_object_a_line_as_the_api_sends_it(kind: Kind) {
        let headspace = Headspace::on(kind);
        Talk::new(&headspace, "lines").say("two \u{1b}[31mred\nlines");
        headspace.watch_once();
        let objects = objects(&headspace.run(&["events", "--json"]));
        let web = Web::start(&headspace);
        let mut page = web.get("/api/events").json()["events"].as_array().expect("events").clone();
        page.reverse();
        assert_eq!(objects, page);
        // In the terminal text is shown and never obeyed.
        let lines = lines(&headspace.run(&["events"]));
        assert_eq!(lines.len(), 3);
        assert!(!lines[1].contains('\u{1b}') && lines[1].contains("red"), "{:?}", lines[1]);
    }

    fn each_line_has_its_session_and_what_it_shows_as(kind: Kind) {
        let headspace = Headspace::on(kind);
        let mut asking = Asking::new(&headspace, "shop");
        asking.prompt("fix \u{1b}[31mlogin");
        headspace.watch_once();
        asking.ask(&headspace, "npm test");
        headspace.watch_once();
        let lines = lines(&headspace.run(&["events"]));
        let with = |text: &str| {
            let line = lines.iter().find(|line| line.ends_with(text));
            line.unwrap_or_else(|| panic!("{text}: {lines:#?}")).as_str()
        };
        for (glyph, text) in [
            (' ', "user: fix \\u{1b}[31mlogin"),
            ('◐', "idle → commanded, by turn"),
            ('■', " → asks for leave, by hook"),
            (' ', "PermissionRequest Bash"),
        ] {
            let line = with(text);
            assert!(line.contains(&format!("  {glyph} fix ")), "{line}");
        }
    }

    fn filters_take_ids_and_names(kind: Kind) {
        let headspace = Headspace::on(kind);
        for name in ["shop", "blog"] {
            stored(&headspace, name, 2);
        }
        let uuid = headspace.store.column("SELECT session_uuid FROM agents WHERE id = 2").remove(0);
        let shop = ids(&headspace.run(&["events", "--json", "--project", "shop"]));
        assert_eq!(shop, [1, 2, 3, 4]);
        for (arguments, expected) in [
            (&["--project", "1"][..], &[1, 2, 3, 4][..]),
            (&["--project", "/home/dev/blog"], &[5, 6, 7, 8]),
            (&["--project", "shop", "--project", "blog"], &[1, 2, 3, 4, 5, 6, 7, 8]),
            (&["--agent", "2"], &[5, 6, 7, 8]),
            (&["--agent", &uuid], &[5, 6, 7, 8]),
            (&["--agent", &uuid[..8]], &[5, 6, 7, 8]),
            (&["--type", "session_registered"], &[1, 5]),
            (&["--type", "session_registered", "--type", "turn_detected", "--project", "blog"], &[5, 6, 8]),
            (&["--type", "turn_detected", "--agent", "1", "-n", "1"], &[4]),
            (&["--project", "shop", "--agent", "2"], &[]),
        ] {
            let output = headspace.run(&[&["events", "--json"], arguments].concat());
            assert_eq!(ids(&output), expected, "{arguments:?}");
        }
        let time = headspace.store.column(&format!(
            "SELECT {} FROM events WHERE id = 4", crate::support::talk::utc(kind, "timestamp")
        )).remove(0);
        let since = headspace.run(&["events", "--json", "--project", "shop", "--since", &time]);
        assert_eq!(ids(&since), [4], "that time or later");
        for wrong in [["--project", "none"], ["--agent", "zzz"], ["--type", "turn"], ["--since", "yesterday"]] {
            let output = headspace.run(&["events", wrong[0], wrong[1]]);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(!output.status.success() && said.contains(wrong[0]) && said.contains(wrong[1]), "{said}");
        }
    }

    fn following_prints_each_new_event_once(kind: Kind) {
        let headspace = Headspace::on(kind);
        let mut talk = Talk::new(&headspace, "follow");
        talk.say("before");
        headspace.watch_once();
        let _watcher = headspace.watch();
        let mut command = headspace.command(&["events", "--follow", "--json", "--type", "turn_detected"]);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let mut next = || -> Value {
            let line = lines.next().expect("a line").expect("text");
            serde_json::from_str(&line).expect("an object")
        };
        assert_eq!(next()["payload"]["text"], "before");
        for round in 0..20 {
            talk.say(&format!("round {round}"));
            assert_eq!(next()["payload"]["text"], format!("round {round}"));
        }
        assert_eq!(newest(&headspace.store), 23);
        kill_process(Pid::from_child(&child), Signal::INT).expect("it is there");
        let status = child.wait().expect("it ends");
        assert_eq!(status.code(), Some(0));
        assert!(lines.next().is_none(), "each once");
    }
}

#[test]
fn a_reader_that_has_had_enough_ends_it_quietly() {
    let headspace = Headspace::on(Kind::Sqlite);
    stored(&headspace, "head", 3000);
    for more in ["", "--json", "--follow"] {
        let mut shell = Command::new("sh");
        shell.args(["-c", "\"$@\" | head -n 2", "sh"]);
        let mut arguments = vec!["events", "-n", "100000"];
        arguments.extend((!more.is_empty()).then_some(more));
        let output = headspace
            .command_under(shell, &arguments)
            .output()
            .expect("a shell");
        assert_eq!(lines(&output).len(), 2);
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{more}");
    }
    // Its own exit code, too.
    let mut child = headspace
        .command(&["events", "-n", "100000"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut output = child.stdout.take().expect("its output");
    output.read_exact(&mut [0; 100]).expect("a beginning");
    drop(output);
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}

fn lines(output: &Output) -> Vec<String> {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let text = std::str::from_utf8(&output.stdout).expect("text");
    text.lines().map(str::to_owned).collect()
}

fn objects(output: &Output) -> Vec<Value> {
    lines(output)
        .iter()
        .map(|line| serde_json::from_str(line).expect("an object a line"))
        .collect()
}

fn ids(output: &Output) -> Vec<i64> {
    objects(output)
        .iter()
        .map(|event| event["id"].as_i64().expect("an id"))
        .collect()
}
