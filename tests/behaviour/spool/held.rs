//! Lines that show something of a session before any names its folder wait for that one,
//! unless a hook made the session known: the CLI leaves files that have no more.

use std::fs;

use serde_json::json;

use super::{assert_silent, hook, stop};
use crate::support::{
    headspace::{Headspace, Kind, eventually, on_both},
    oracle,
    transcripts::{Session, append},
};

/// What the CLI writes of a session that ends before its first prompt.
fn notes(session: &Session) -> String {
    let id = &session.uuid;
    let mode = json!({"type": "mode", "mode": "normal", "sessionId": id});
    let permission = json!({"type": "permission-mode", "permissionMode": "plan", "sessionId": id});
    format!("{mode}\n{permission}\n")
}

fn started(session: &Session) -> serde_json::Value {
    let mut hook = stop(&session.uuid);
    hook["hook_event_name"] = json!("SessionStart");
    hook["source"] = json!("startup");
    hook
}

on_both! {
    fn notes_alone_are_taken_in_of_a_session_that_a_hook_made_known(kind: Kind) {
        for restarts in [false, true] {
            let headspace = Headspace::on(kind);
            let mut session = Session::new("held", "/home/dev/shop");
            let path = headspace.project("-home-dev-shop").join(session.file_name());
            let sent = started(&session);
            let mut watcher = headspace.watch();
            assert_silent(&hook(&headspace, sent.to_string()));
            eventually("the hook made an agent", || {
                headspace.store.number("SELECT count(*) FROM agents") == 1
            });
            if restarts {
                watcher.stop();
                watcher = headspace.watch();
            }
            append(&path, notes(&session));
            let shown = || headspace.store.column("SELECT permission_mode FROM agents");
            eventually("what the file shows is there", || shown() == ["plan"]);
            let size = fs::metadata(&path).expect("a file").len().to_string();
            let ends = || headspace.store.column(&format!(
                "SELECT CAST(\"offset\" AS text) FROM checkpoints WHERE path LIKE '%{}'",
                session.file_name()
            ));
            assert_eq!(ends(), [size]);
            append(&path, session.prompt("go on"));
            headspace.store.wait_for_turns(&["go on"]);
            watcher.stop();
            oracle::assert_clean_with_sent(&headspace, &[json!({"hook": sent})]);
        }
    }

    fn notes_alone_of_a_session_that_nothing_made_known_wait(kind: Kind) {
        let headspace = Headspace::on(kind);
        let mut session = Session::new("held", "/home/dev/shop");
        let path = headspace.project("-home-dev-shop").join(session.file_name());
        append(&path, notes(&session));
        headspace.watch_once();
        assert_eq!(headspace.store.number("SELECT count(*) FROM checkpoints WHERE path LIKE '%.jsonl' AND path NOT LIKE '%spool%'"), 0);
        append(&path, session.prompt("go on"));
        headspace.watch_once();
        assert_eq!(headspace.store.column("SELECT permission_mode FROM agents"), ["plan"]);
        oracle::assert_clean(&headspace);
    }
}
