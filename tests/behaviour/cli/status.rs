//! `status` is the whole in one look.

use serde_json::Value;

use crate::support::{
    headspace::{Headspace, Kind, on_both},
    talk::{Talk, count, wait_for_count},
};

on_both! {
    fn it_shows_the_watcher_the_projects_and_the_open_sessions(kind: Kind) {
        let headspace = Headspace::on(kind);
        let talks = ["shop", "blog"].map(|name| {
            let mut talk = Talk::new(&headspace, name);
            talk.say("hello");
            talk
        });
        let watcher = headspace.watch();
        wait_for_count(&headspace.store, 4);
        let output = headspace.run(&["status"]);
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).expect("text");
        let pid = format!("pid {}", watcher.pid().as_raw_nonzero());
        for expected in ["4 events", &pid, "running", "2 projects", "shop", &talks[0].session.uuid] {
            assert!(text.contains(expected), "{expected:?} is not in\n{text}");
        }
        let report = json(&headspace);
        assert_eq!(report["events"], count(&headspace.store));
        assert_eq!(report["watchers"][0]["state"], "running");
        assert_eq!(report["watcher"]["running"], true);
        assert_eq!(report["reasons"], serde_json::json!([]));
        assert_eq!(report["projects"].as_array().map(Vec::len), Some(2));
        assert_eq!(report["agents"].as_array().map(Vec::len), Some(2));
        watcher.kill();
        // Its row still says that it runs; the judge of `/health` knows better.
        let output = headspace.run(&["status"]);
        let text = String::from_utf8(output.stdout).expect("text");
        for expected in ["watcher   not running", "problem   no watcher is running"] {
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

fn json(headspace: &Headspace) -> Value {
    let output = headspace.run(&["status", "--json"]);
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).expect("one JSON object")
}
