//! What a writer of the log promises, a sentence a test, on both databases.

use headspace::{
    event::{FactKey, Rejection, Timestamp, What},
    store::{Counters, Failure, WatcherBeat},
    tail::Position,
};

use super::log::{
    Blocking, File, HOST, Log, at, block, execute, rejected, said, seen, session_seen,
};
use crate::support::{
    headspace::{Kind, on_both},
    talk::utc,
};

/// A column of bytes as this database shows it in hex.
pub fn in_hex(kind: Kind, column: &str) -> String {
    match kind {
        Kind::Sqlite => format!("lower(hex({column}))"),
        Kind::Postgres => format!("encode({column}, 'hex')"),
    }
}

fn stored(key: &FactKey) -> String {
    headspace::event::hex(&FactKey::stored(key.as_str()))
}

on_both! {
    fn a_segment_is_stored_whole_or_not_at_all(kind: Kind) {
        let key = FactKey::user_record("u9", "word 9");
        let fact = format!("{} = '{}'", in_hex(kind, "NEW.key"), stored(&key));
        for (action, table, condition) in [
            ("INSERT", "agents", "1 = 1"),
            ("INSERT", "events", "NEW.event_type = 'session_registered'"),
            ("INSERT", "events", "CAST(NEW.payload AS text) LIKE '%word 7%'"),
            ("INSERT", "facts", fact.as_str()),
            ("INSERT", "rejections", "1 = 1"),
            ("UPDATE", "checkpoints", "1 = 1"),
        ] {
            let mut log = Log::on(kind);
            let segment = File::new("/t/s.jsonl").next(
                [seen("s", 0, 9)]
                    .into_iter()
                    .chain((0..10).map(|n| said("s", &format!("u{n}"), n, &format!("word {n}"))))
                    .chain([rejected(b"{", "not JSON")])
                    .collect(),
            );
            log.refuse(action, table, condition);
            let refused = log.try_append(&segment);
            assert!(matches!(refused, Err(Failure::Refused(_))), "{table}: {refused:?}");
            assert_eq!(log.contents(), [""; 0], "{action} on {table} was refused");
            assert_eq!(log.writer.checkpoint("/t/s.jsonl"), Position::default());

            log.refuse_no_more(table);
            let appended = log.append(&segment);
            assert_eq!((appended.stored, appended.rejected), (11, 1));
            assert_eq!(log.writer.checkpoint("/t/s.jsonl"), segment.after);
        }
    }

    fn a_segment_appended_again_has_moved_and_changes_nothing(kind: Kind) {
        let mut log = Log::on(kind);
        let segment = File::new("/t/s.jsonl").next(vec![seen("s", 0, 1), said("s", "u", 1, "hello")]);
        log.append(&segment);
        let before = log.contents();
        for _ in 0..2 {
            let again = log.try_append(&segment);
            assert!(
                matches!(&again, Err(Failure::Moved { path }) if path == "/t/s.jsonl"),
                "{again:?}"
            );
            assert_eq!(log.contents(), before);
            log.restarted();
        }
    }

    fn of_several_segments_none_is_stored_if_one_has_moved(kind: Kind) {
        let mut log = Log::on(kind);
        let mut old = File::new("/t/old.jsonl");
        let stale = old.next(vec![seen("s", 0, 1), said("s", "u1", 1, "one")]);
        log.append(&stale);
        let before = log.contents();
        let fresh = File::new("/t/new.jsonl").next(vec![said("s", "u2", 2, "two")]);
        let both = log.writer.append(&[fresh, stale]);
        assert!(matches!(both, Err(Failure::Moved { .. })), "{both:?}");
        assert_eq!(log.contents(), before);
    }

    fn a_copy_stores_nothing_and_its_own_keys_are_known_from_then_on(kind: Kind) {
        let mut log = Log::on(kind);
        log.append(&File::new("/t/a.jsonl").next(vec![seen("a", 0, 1), said("a", "u1", 1, "hello")]));
        // A fork keeps the uuid under its own session.
        let fork = log.append(&File::new("/t/b.jsonl").next(vec![seen("b", 0, 1), said("b", "u1", 1, "hello")]));
        assert_eq!((fork.stored, fork.duplicates[0].count), (1, 1));
        // A resume of the fork has neither the uuid nor the session of the first.
        log.restarted();
        let resumed = log.append(&File::new("/t/c.jsonl").next(vec![said("b", "u2", 1, "hello")]));
        assert_eq!((resumed.stored, resumed.duplicates[0].count), (0, 1));
        // And a fork of that one is known by the resume's uuid alone.
        let third = log.append(&File::new("/t/d.jsonl").next(vec![said("d", "u2", 1, "hello")]));
        assert_eq!((third.stored, third.duplicates[0].count), (0, 1));
        assert_eq!(log.store().turns(), ["hello"]);
    }

    fn copies_within_one_segment_are_one_fact(kind: Kind) {
        let mut log = Log::on(kind);
        let appended = log.append(&File::new("/t/a.jsonl").next(vec![
            seen("a", 0, 1),
            said("a", "u1", 1, "hello"),
            said("b", "u1", 1, "hello"),
            said("b", "u2", 1, "hello"),
            said("b", "u2", 1, "hello, but other words"),
        ]));
        assert_eq!((appended.stored, appended.duplicates[0].count), (3, 2));
        assert_eq!(log.store().turns(), ["hello", "hello, but other words"]);
    }

    fn blocks_of_a_message_are_numbered_across_appends_and_restarts(kind: Kind) {
        let mut log = Log::on(kind);
        let mut file = File::new("/t/s.jsonl");
        log.append(&file.next(vec![seen("s", 0, 9), block("s", "m", 1, "one"), block("s", "m", 2, "two")]));
        log.append(&file.next(vec![block("s", "m", 3, "three"), block("s", "other", 3, "three")]));
        log.restarted();
        log.append(&file.next(vec![block("s", "m", 1, "one"), block("s", "m", 4, "four")]));
        let parts = log.store().column(
            "SELECT (payload ->> 'text') || ' ' || COALESCE(payload ->> 'part', '-')
             FROM events WHERE event_type = 'turn_detected' ORDER BY id",
        );
        assert_eq!(parts, ["one -", "two 2", "three 3", "three -", "four 4"]);
    }

    fn a_prompt_without_words_belongs_to_what_was_said_in_that_moment(kind: Kind) {
        let mut log = Log::on(kind);
        let mut file = File::new("/t/s.jsonl");
        log.append(&file.next(vec![seen("s", 0, 9), said("s", "u1", 1, "look at this")]));
        let split = log.append(&file.next(vec![said("s", "u2", 1, "")]));
        assert_eq!((split.stored, split.duplicates[0].count), (0, 1));
        let alone = log.append(&file.next(vec![said("s", "u3", 2, "")]));
        assert_eq!(alone.stored, 1);
        let both = log.append(&file.next(vec![said("s", "u4", 3, "and this"), said("s", "u5", 3, "")]));
        assert_eq!((both.stored, both.duplicates[0].count), (1, 1));
        assert_eq!(log.store().turns(), ["look at this", "", "and this"]);
    }

    fn a_session_is_registered_once_and_again_after_it_ended(kind: Kind) {
        let mut log = Log::on(kind);
        let mut file = File::new("/t/s.jsonl");
        assert_eq!(log.append(&file.next(vec![seen("s", 0, 5)])).registered, ["s"]);
        assert_eq!(log.append(&file.next(vec![seen("s", 6, 7)])).registered, [""; 0]);
        assert_eq!(log.end("s").stored, 1);
        assert_eq!(log.end("s").stored, 0, "it had ended");
        assert_eq!(log.end("nobody").stored, 0, "it never was");

        let copy = log.append(&file.next(vec![seen("s", 0, 7)]));
        assert_eq!(copy.registered, [""; 0], "an old record is no activity");
        assert_eq!(log.append(&file.next(vec![seen("s", 8, 9)])).registered, ["s"]);
        let open = "SELECT registrations FROM agents WHERE ended_at IS NULL AND end_reason IS NULL";
        assert_eq!(log.store().column(open), ["2"]);
        assert_eq!(log.end("s").stored, 1);

        let events = log.store().column(&format!("SELECT event_type || ' ' || {} FROM events ORDER BY id", in_hex(kind, "event_key")));
        assert_eq!(events, [
            format!("session_registered {}", stored(&FactKey::registered("s", 1))),
            format!("session_ended {}", stored(&FactKey::ended("s", 1))),
            format!("session_registered {}", stored(&FactKey::registered("s", 2))),
            format!("session_ended {}", stored(&FactKey::ended("s", 2))),
        ]);
        let duration = "SELECT payload ->> 'duration_seconds' FROM events WHERE event_type = 'session_ended' ORDER BY id LIMIT 1";
        assert_eq!(log.store().column(duration), ["7"]);
    }

    fn a_subagent_has_its_parent(kind: Kind) {
        let mut log = Log::on(kind);
        let child = |name: &str| {
            let mut seen = session_seen(&format!("s/{name}"), 1, 2);
            seen.parent = Some("s".into());
            What::Seen(seen)
        };
        let mut file = File::new("/t/s.jsonl");
        log.append(&file.next(vec![seen("s", 0, 5), child("a1")]));
        log.append(&File::new("/t/agent-a2.jsonl").next(vec![child("a2")]));
        let parents = log.store().column(
            "SELECT a.session_uuid || ' ' || COALESCE(p.session_uuid, '-')
             FROM agents a LEFT JOIN agents p ON p.id = a.parent_agent_id ORDER BY a.id",
        );
        assert_eq!(parents, ["s -", "s/a1 s", "s/a2 s"]);
    }

    fn the_time_a_session_was_seen_only_widens(kind: Kind) {
        let mut log = Log::on(kind);
        let mut file = File::new("/t/s.jsonl");
        for (first, last, expected) in [(5, 10, (5, 10)), (3, 7, (3, 10)), (6, 8, (3, 10)), (1, 12, (1, 12))] {
            log.append(&file.next(vec![seen("s", first, last)]));
            for (column, second) in [("started_at", expected.0), ("last_seen_at", expected.1)] {
                let stored = log.store().column(&format!("SELECT {} FROM agents", utc(kind, column)));
                assert_eq!(stored, [at(second).to_string()], "{column} after {first} to {last}");
            }
        }
    }

    fn a_rejection_keeps_the_bytes_and_is_stored_once(kind: Kind) {
        let mut log = Log::on(kind);
        let line: Vec<u8> = (0..100_000).map(|n| n as u8).collect();
        let mut file = File::new("/t/s.jsonl");
        let segment = file.next(vec![rejected(&line, "not UTF-8")]);
        assert_eq!(log.append(&segment).rejected, 1);
        // The file is read again from its start, because it was rewritten.
        let mut again = segment.clone();
        (again.before, again.rewritten) = (segment.after.clone(), true);
        assert_eq!(log.append(&again).rejected, 0);
        // The same bytes at another place are another rejection.
        assert_eq!(log.append(&file.next(vec![rejected(&line, "not UTF-8")])).rejected, 1);

        let bytes = match kind {
            Kind::Sqlite => "hex(excerpt)",
            Kind::Postgres => "upper(encode(excerpt, 'hex'))",
        };
        let excerpt: String = line[..Rejection::EXCERPT_BYTES].iter().map(|b| format!("{b:02X}")).collect();
        assert_eq!(log.store().column(&format!("SELECT {bytes} FROM rejections")), [&*excerpt, &*excerpt]);
        let facts = r#"SELECT source || ' ' || "offset" || ' ' || length || ' ' || reason FROM rejections ORDER BY id"#;
        assert_eq!(log.store().column(facts), ["/t/s.jsonl 0 100000 not UTF-8", "/t/s.jsonl 100 100000 not UTF-8"]);
    }

    fn any_text_survives_byte_for_byte(kind: Kind) {
        let mut log = Log::on(kind);
        let controls: String = (1..0x20u8).map(char::from).collect();
        let texts = [
            controls.as_str(),
            "\u{7f}\u{80}\u{85}\u{9f}\u{ad}",
            "'; DROP TABLE events; -- \" \\ \\\\ \\u0000 \\n $1 ? ?1 :a @b %s {}",
            "\u{2028}\u{2029}\u{202e}\u{200b}\u{feff}\u{fffd}\u{fffe}\u{ffff}\u{10ffff}",
            "👩‍👩‍👧‍👦 e\u{301} é 漢字 אבג \u{1f600}",
            "\r\n\r\n \t trailing \n",
            "",
        ];
        let long = "0123456789abcdé".repeat(70_000);
        let texts: Vec<&str> = texts.into_iter().chain([long.as_str()]).collect();
        let turns = texts.iter().enumerate().map(|(n, text)| said("s", &format!("u{n}"), n as i64, text));
        log.append(&File::new("/t/s.jsonl").next([seen("s", 0, 9)].into_iter().chain(turns).collect()));
        for (stored, text) in log.store().turns().iter().zip(&texts) {
            assert!(stored == text, "{:?} is not {:?}", short(stored), short(text));
        }
        assert_eq!(log.store().turns().len(), texts.len());
    }

    fn ids_increase_in_the_order_of_the_input(kind: Kind) {
        let mut log = Log::on(kind);
        let (mut a, mut b) = (File::new("/t/a.jsonl"), File::new("/t/b.jsonl"));
        let mut expected = Vec::new();
        let mut last = 0;
        for round in 0..5 {
            // Times go backwards: the order is that of the input, not of clocks.
            let mut words = |name: &str| -> Vec<What> {
                let turns = (0..20).map(|n| {
                    expected.push(format!("{name} {round} {n}"));
                    said(name, &format!("{name}{round}.{n}"), 1_000 - n, &expected[expected.len() - 1])
                });
                turns.collect()
            };
            let segments = [a.next(words("a")), b.next(words("b"))];
            let appended = log.writer.append(&segments).expect("stored");
            assert!(appended.last_id > Some(last), "{appended:?} after {last}");
            last = appended.last_id.unwrap_or_default();
        }
        assert_eq!(log.store().turns(), expected);
        assert_eq!(log.store().number("SELECT max(id) FROM events"), last);
    }

    fn a_deleted_project_takes_its_agents_and_leaves_the_events(kind: Kind) {
        let mut log = Log::on(kind);
        log.append(&File::new("/t/s.jsonl").next(vec![seen("s", 0, 1), said("s", "u", 1, "hello")]));
        let linked = "SELECT count(*) FROM events WHERE project_id IS NOT NULL AND agent_id IS NOT NULL";
        assert_eq!(log.store().number(linked), 2);
        execute(log.store(), "DELETE FROM projects");
        assert_eq!(log.count("agents"), 0);
        let unlinked = "SELECT count(*) FROM events WHERE project_id IS NULL AND agent_id IS NULL";
        assert_eq!(log.store().number(unlinked), 2);
        assert_eq!(log.store().turns(), ["hello"]);
    }

    fn times_are_utc_with_microseconds(kind: Kind) {
        let mut log = Log::on(kind);
        let before = Timestamp::now().to_string();
        log.append(&File::new("/t/s.jsonl").next(vec![seen("s", 3, 4), said("s", "u", 4, "hello")]));
        let after = Timestamp::now().to_string();
        let times = |column: &str, table: &str| {
            log.store().column(&format!("SELECT {} FROM {table} ORDER BY id", utc(kind, column)))
        };
        assert_eq!(times("timestamp", "events"), ["2026-02-02T02:40:03.000004Z", "2026-02-02T02:40:04.000004Z"]);
        assert_eq!(times("started_at", "agents"), ["2026-02-02T02:40:03.000004Z"]);
        for (column, table) in [("recorded_at", "events"), ("updated_at", "checkpoints"), ("created_at", "projects")] {
            for time in times(column, table) {
                assert_eq!(time.len(), 27, "{table}.{column}: {time}");
                assert!(before <= time && time <= after, "{table}.{column}: {time}");
            }
        }
        let read_by_the_database = match kind {
            Kind::Sqlite => "SELECT strftime('%s', timestamp) || ' ' || typeof(timestamp) FROM events LIMIT 1",
            Kind::Postgres => "SELECT extract(epoch FROM timestamp)::bigint || ' ' || pg_typeof(timestamp) FROM events LIMIT 1",
        };
        let expected = match kind {
            Kind::Sqlite => "1770000003 text",
            Kind::Postgres => "1770000003 timestamp with time zone",
        };
        assert_eq!(log.store().column(read_by_the_database), [expected]);
    }

    fn a_file_that_moved_keeps_its_checkpoint_and_the_one_it_replaced_keeps_its_own(kind: Kind) {
        let mut log = Log::on(kind);
        let mut file = File::new("/t/old/s.jsonl");
        log.append(&file.next(vec![seen("s", 0, 1), said("s", "u1", 1, "one")]));
        // Something else was read under the new path before.
        log.append(&File::new("/t/new/s.jsonl").next(vec![said("x", "u0", 1, "zero")]));
        let mut segment = file.next(vec![said("s", "u2", 2, "two")]);
        segment.moved_from = Some(std::mem::replace(&mut segment.path, "/t/new/s.jsonl".into()));
        log.append(&segment);
        assert_eq!(log.writer.checkpoint("/t/new/s.jsonl"), segment.after);
        let paths = log.store().column("SELECT path FROM checkpoints ORDER BY id");
        assert_eq!(paths, ["/t/new/s.jsonl", "replaced:2:/t/new/s.jsonl"]);
        let origins = "SELECT checkpoint_id FROM events WHERE event_type = 'turn_detected' ORDER BY id";
        assert_eq!(log.store().column(origins), ["1", "2", "1"]);
        let again = log.try_append(&segment);
        assert!(matches!(again, Err(Failure::Moved { .. })), "{again:?}");
        assert_eq!(log.store().turns(), ["one", "zero", "two"]);
    }

    fn every_host_has_its_own_checkpoints(kind: Kind) {
        let mut log = Log::on(kind);
        let segment = File::new("/t/s.jsonl").next(vec![seen("s", 0, 1), said("s", "u1", 1, "one")]);
        log.append(&segment);
        let mut other = Blocking::new(log.store(), "host-b");
        assert_eq!(other.checkpoint("/t/s.jsonl"), Position::default());
        let appended = other.append(std::slice::from_ref(&segment)).expect("stored");
        assert_eq!((appended.stored, appended.duplicates[0].count), (0, 1));
        assert_eq!(log.count("checkpoints"), 2);
    }

    fn a_watcher_has_one_row_and_keeps_its_last_write(kind: Kind) {
        let mut log = Log::on(kind);
        let mut beat = WatcherBeat {
            state_dir: "/state".into(),
            pid: 1,
            version: "0.0.0",
            started_at: at(0),
            last_write_at: Some(at(5)),
            counters: Counters { events_written: 7, failed_beats: 2, sessions: 1, ..Counters::default() },
            state: "running",
            reason: None,
        };
        log.writer.beat(&beat);
        beat = WatcherBeat { pid: 2, last_write_at: None, counters: Counters { rejected: 3, ..Counters::default() }, state: "degraded", reason: Some("why".into()), ..beat };
        log.writer.beat(&beat);
        let row = format!(
            "SELECT host || ' ' || pid || ' ' || {} || ' ' || events_written || ' ' || rejected || ' ' || state || ' ' || reason FROM watchers",
            utc(kind, "last_write_at")
        );
        let expected = format!("{HOST} 2 {} 0 3 degraded why", at(5));
        assert_eq!(log.store().column(&row), [expected]);
    }
}

fn short(text: &str) -> String {
    text.chars().take(80).collect()
}
