//! What an earlier version read is read once more for the rows that it did not write.

use std::fs;

use crate::support::{
    headspace::{Headspace, Kind, Store, eventually, on_both},
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

    fn what_is_gone_is_read_once_more_from_the_archive(kind: Kind) {
        let headspace = archived(kind);
        copy_real(&headspace);
        write_made(&headspace);
        headspace.watch_once();
        let all = || [rows(&headspace), states(&headspace)].concat();
        let events = || headspace.store.number(
            "SELECT count(*) FROM events WHERE event_type <> 'state_transition'");
        let place = || headspace.store.column(
            r#"SELECT path || ' ' || identity || ' ' || "offset" FROM checkpoints ORDER BY path"#);
        let (expected, stored, places) = (all(), events(), place());
        tamper(&headspace.store, EARLIER);
        forget_states(&headspace.store);
        fs::remove_dir_all(headspace.root().join("projects")).expect("all is deleted");
        assert!(states(&headspace).is_empty());
        for round in 1..=3 {
            let watcher = headspace.watch();
            eventually("some files are read once more", || {
                headspace.store.number("SELECT count(*) FROM checkpoints WHERE reading > 0") > round * 8
            });
            watcher.kill();
        }
        let caught = headspace.watch_once();
        assert_eq!((caught.known, caught.rejected), (0, 0), "{caught:?}");
        assert_eq!(headspace.store.number(DUE), 0);
        for (found, expected) in all().iter().zip(&expected) {
            assert_eq!(found, expected);
        }
        assert_eq!((all().len(), events()), (expected.len(), stored));
        assert_eq!(place(), places);
        // Once: nothing is left to read.
        assert_eq!(headspace.watch_once().stored, 0);
        assert!(headspace.run(&["verify"]).status.success());
    }

    fn what_returns_while_it_is_read_from_the_archive_is_read_on(kind: Kind) {
        let headspace = archived(kind);
        let mut session = Session::new("back", "/home/dev/back");
        let path = headspace.project("-back").join(session.file_name());
        append(&path, session.prompt("before") + &session.reply("Done."));
        headspace.watch_once();
        tamper(&headspace.store, EARLIER);
        let away = headspace.dir().join("away");
        fs::rename(&path, &away).expect("it is gone");
        let _watcher = headspace.watch();
        eventually("it is read once more", || headspace.store.number(DUE) == 0);
        append(&away, session.prompt("after"));
        fs::rename(&away, &path).expect("it is back");
        headspace.store.wait_for_turns(&["before", "Done.", "after"]);
        oracle::assert_clean(&headspace);
    }

    fn without_its_archive_a_file_that_is_gone_keeps_its_checkpoint(kind: Kind) {
        for damage in ["DELETE FROM archive WHERE \"offset\" = 0", BROKEN[kind as usize]] {
            let headspace = archived(kind);
            let mut session = Session::new("gone", "/home/dev/gone");
            let path = headspace.project("-gone").join(session.file_name());
            append(&path, session.prompt("said"));
            headspace.watch_once();
            tamper(&headspace.store, EARLIER);
            tamper(&headspace.store, damage);
            fs::remove_file(&path).expect("it is deleted");
            headspace.watch_once();
            let place = r#"SELECT reading || ' ' || known_until || ' ' || ("offset" > 0) FROM checkpoints"#;
            let expected = if kind == Kind::Sqlite { "0 0 1" } else { "0 0 true" };
            assert_eq!(headspace.store.column(place), [expected]);
            assert_eq!(headspace.store.turns(), ["said"]);
        }
    }
}

/// Sessions that are done, ask something, are at work, and one without a last newline.
fn write_made(headspace: &Headspace) {
    for number in 0..12 {
        let mut session = Session::new(&format!("made {number}"), "/home/dev/made");
        let lines = session.prompt("Add a test.")
            + &match number % 4 {
                0 => session.reply("The test is there and passes."),
                1 => session.reply("Done.") + &session.prompt("And another."),
                2 => session.reply("Done.") + &session.queued("And one more."),
                _ => session.reply("Shall I delete the old one?"),
            };
        let path = headspace.project("-made").join(session.file_name());
        match number {
            3 => append(&path, lines.trim_end()),
            _ => append(&path, lines),
        }
    }
}

const BROKEN: [&str; 2] = [
    "UPDATE archive SET content = x'00'",
    r"UPDATE archive SET content = '\x00'",
];

fn archived(kind: Kind) -> Headspace {
    let mut headspace = Headspace::on(kind);
    headspace.set("HEADSPACE_ARCHIVE__MODE", "full");
    headspace
}

/// As a program left it that knew no commands, turns and states.
fn forget_states(store: &Store) {
    let (no, without_intent) = match store {
        Store::Sqlite(_) => ("0", "json_remove(payload, '$.intent')"),
        Store::Postgres(_) => ("false", "payload - 'intent'"),
    };
    tamper(
        store,
        &format!(
            "DELETE FROM turns; DELETE FROM commands;
             DELETE FROM facts WHERE event_id IN (
                 SELECT id FROM events WHERE event_type = 'state_transition');
             DELETE FROM events WHERE event_type = 'state_transition';
             UPDATE events SET payload = {without_intent} WHERE event_type = 'turn_detected';
             UPDATE agents SET state = 'idle', needs = 'none', asks = NULL, since = NULL,
                 background = 0, unseen = {no}, last_words = NULL, open_facts = NULL"
        ),
    );
}

/// What each session that is made here shows, its commands and its turns.
fn states(headspace: &Headspace) -> Vec<String> {
    headspace.store.column(
        "SELECT concat(session_uuid, ' ', a.state, ' ', needs, ' ', asks, ' ', a.last_words, ' ',
                       c.origin, ' ', c.state, ' ', c.outcome, ' ', c.started_at, ' ', t.actor, ' ',
                       intent, ' ', text)
         FROM commands c JOIN agents a ON a.id = agent_id JOIN turns t ON t.command_id = c.id
         WHERE working_directory = '/home/dev/made'
         ORDER BY session_uuid, c.started_at, t.timestamp, t.event_id",
    )
}
