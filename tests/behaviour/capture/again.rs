//! What an earlier version read is read once more for the rows that it did not write.

use std::fs;

use crate::support::{
    headspace::{Headspace, Kind, eventually, on_both},
    oracle,
    talk::tamper,
    transcripts::{Session, append, files, real},
};

/// As a program left it that read events only.
const EARLIER: &str = "
    DELETE FROM tool_uses; DELETE FROM usage;
    UPDATE checkpoints SET reading = 0, known_until = 0;
    UPDATE agents SET title = NULL, title_kind = NULL, model = NULL, context_tokens = NULL,
        todos = NULL, queue_length = 0, permission_mode = NULL, newest = '{}'";
const DUE: &str = r#"SELECT count(*) FROM checkpoints
    WHERE "offset" > 0 AND reading = 0 OR "offset" < known_until"#;

fn copy_real(headspace: &Headspace) {
    for name in files(&real()) {
        let path = headspace.root().join(&name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::copy(real().join(&name), path).expect("a copy");
    }
}

fn rows(headspace: &Headspace) -> Vec<String> {
    let tables = [
        "SELECT tool_use_id || name || coalesce(outcome, '') FROM tool_uses ORDER BY tool_use_id",
        "SELECT message_id || model || input || ' ' || output FROM usage ORDER BY message_id",
        "SELECT session_uuid || coalesce(title, '') || coalesce(model, '') || queue_length
         FROM agents ORDER BY session_uuid",
    ];
    tables
        .iter()
        .flat_map(|sql| headspace.store.column(sql))
        .collect()
}

on_both! {
    fn an_earlier_log_gets_its_rows_and_no_second_event(kind: Kind) {
        let headspace = Headspace::on(kind);
        copy_real(&headspace);
        headspace.watch_once();
        let (expected, events) = (rows(&headspace), headspace.store.number("SELECT count(*) FROM events"));
        tamper(&headspace.store, EARLIER);
        assert_ne!(rows(&headspace), expected);
        let caught = headspace.watch_once();
        assert_eq!((caught.stored, caught.known, caught.rejected), (0, 0, 0), "{caught:?}");
        assert_eq!(rows(&headspace), expected);
        assert_eq!(headspace.store.number("SELECT count(*) FROM events"), events);
        assert_eq!(headspace.store.number(DUE), 0);
        oracle::assert_clean(&headspace);
    }

    fn a_kill_in_the_middle_and_live_events_leave_no_gap(kind: Kind) {
        let headspace = Headspace::on(kind);
        copy_real(&headspace);
        headspace.watch_once();
        let expected = rows(&headspace);
        tamper(&headspace.store, EARLIER);
        let mut live = Session::new("live", "/home/dev/live");
        let path = headspace.project("-live").join(live.file_name());
        for round in 0..3 {
            let watcher = headspace.watch();
            eventually("files are read once more", || {
                headspace.store.number("SELECT count(*) FROM checkpoints WHERE reading > 0") > round * 16
            });
            append(&path, live.prompt(&format!("live {round}")));
            let last = || headspace.store.turns().pop();
            eventually("a live event is stored", || last() == Some(format!("live {round}")));
            watcher.kill();
        }
        headspace.watch_once();
        assert_eq!(headspace.store.number(DUE), 0);
        let mut found = rows(&headspace);
        found.retain(|row| !row.contains(&live.uuid));
        assert_eq!(found, expected);
        oracle::assert_clean(&headspace);
    }

    fn a_file_that_is_gone_keeps_its_checkpoint(kind: Kind) {
        let headspace = Headspace::on(kind);
        let mut session = Session::new("gone", "/home/dev/gone");
        let path = headspace.project("-gone").join(session.file_name());
        append(&path, session.prompt("said"));
        headspace.watch_once();
        tamper(&headspace.store, EARLIER);
        fs::remove_file(&path).expect("it is deleted");
        headspace.watch_once();
        let place = r#"SELECT reading || ' ' || known_until || ' ' || ("offset" > 0) FROM checkpoints"#;
        let expected = if kind == Kind::Sqlite { "0 0 1" } else { "0 0 true" };
        assert_eq!(headspace.store.column(place), [expected]);
        assert_eq!(headspace.store.turns(), ["said"]);
    }
}
