//! Commands, turns and states follow from the log alone.

use serde_json::Value;

use crate::support::{
    headspace::{Headspace, Kind, json_list, on_both},
    talk::tamper,
    transcripts,
};

on_both! {
    fn the_rows_of_real_transcripts_are_those_of_the_log_and_what_is_damaged_is_put_right(kind: Kind) {
        let mut headspace = Headspace::on(kind);
        headspace.set("HEADSPACE_CLAUDE__ROOTS", json_list(&[transcripts::real()]));
        headspace.watch_once();
        let (code, report) = check(&headspace);
        assert_eq!((code, &report["differences"]), (0, &Value::Array(Vec::new())));
        assert!(report["events"].as_u64() > Some(400), "{report}");
        tamper(&headspace.store, "UPDATE commands SET state = 'idle' WHERE id = 5;
            UPDATE turns SET text = 'forged' WHERE id = 9;
            UPDATE agents SET needs = 'plan' WHERE id = 3");
        let (code, report) = check(&headspace);
        let found = report["differences"].as_array().expect("a list").iter();
        let mut found: Vec<String> = found.map(|one| format!("{} {}", one["table"], one["id"])).collect();
        found.sort();
        assert_eq!(found, ["\"agents\" 3", "\"commands\" 5", "\"turns\" 9"], "{report}");
        assert_eq!(code, 1);
        let watcher = headspace.watch();
        let refused = headspace.run(&["rebuild"]);
        assert!(!refused.status.success(), "a watcher runs");
        drop(watcher);
        assert!(headspace.run(&["rebuild"]).status.success());
        assert_eq!(check(&headspace).0, 0);
    }
}

fn check(headspace: &Headspace) -> (i32, Value) {
    let output = headspace.run(&["rebuild", "--check", "--json"]);
    let report = serde_json::from_slice(&output.stdout).expect("one object");
    (output.status.code().expect("a code"), report)
}
