//! `export` says what it cannot give back, and gives the rest.

use std::fs;

use super::{assert_same, errors, exported, with_archive};
use crate::support::{
    headspace::{Headspace, Kind, on_both},
    talk::{Talk, tamper},
    transcripts::append,
};

on_both! {
    fn nothing_is_kept_while_the_archive_is_off_and_late_is_not_never(kind: Kind) {
        let mut headspace = Headspace::on(kind);
        headspace.set("HEADSPACE_ARCHIVE__MODE", "off");
        let mut talk = Talk::new(&headspace, "late");
        talk.say("early");
        headspace.watch_once();
        assert_eq!(headspace.store.number("SELECT count(*) FROM archive"), 0);
        let uuid = talk.session.uuid.clone();
        let refused = headspace.run(&["export", "--raw", &uuid]);
        assert_eq!(refused.status.code(), Some(1));
        assert!(errors(&refused).contains("archive.mode is off"), "{}", errors(&refused));

        headspace.set("HEADSPACE_ARCHIVE__MODE", "full");
        let refused = headspace.run(&["export", "--raw", &uuid]);
        assert!(errors(&refused).contains("before archive.mode was full"), "{}", errors(&refused));
        let early = fs::read(&talk.path).expect("the file").len();
        talk.say("late");
        headspace.watch_once();
        let given = headspace.run(&["export", "--raw", &uuid]);
        assert_eq!(given.status.code(), Some(1));
        let gap = format!("{early} bytes are missing in ");
        assert!(errors(&given).contains(&gap), "{}", errors(&given));
        assert!(errors(&given).contains(&format!("from byte 0 to byte {early}:")), "{}", errors(&given));
        assert_same("the rest", &given.stdout, &fs::read(&talk.path).expect("the file")[early..]);
    }

    fn a_line_that_is_too_long_is_a_gap_that_is_named(kind: Kind) {
        let mut headspace = with_archive(kind);
        headspace.set("HEADSPACE_WATCH__MAX_LINE_BYTES", 400_000);
        let mut talk = Talk::new(&headspace, "gap");
        let mut expected = Vec::new();
        let mut place = 0..0;
        for (text, is_kept) in [("a".to_owned(), true), ("x".repeat(500_000), false), ("y".repeat(390_000), true)] {
            let line = talk.session.prompt(&text);
            append(&talk.path, &line);
            if is_kept {
                expected.extend(line.bytes());
            } else {
                place = expected.len()..expected.len() + line.len();
            }
        }
        assert_eq!(headspace.watch_once().rejected, 1);
        let given = headspace.run(&["export", "--raw", &talk.session.uuid]);
        assert_eq!(given.status.code(), Some(1));
        let gap = format!("from byte {} to byte {}:", place.start, place.end);
        assert!(errors(&given).contains(&gap), "{gap} {}", errors(&given));
        assert_same("the rest", &given.stdout, &expected);
    }

    fn the_beginning_of_an_id_is_enough_if_it_is_the_only_one(kind: Kind) {
        let headspace = with_archive(kind);
        let mut one = Talk::new(&headspace, "one");
        let mut other = Talk::new(&headspace, "other");
        one.say("one");
        other.say("other");
        headspace.watch_once();
        let (a, b) = (&one.session.uuid, &other.session.uuid);
        let common = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
        let bytes = fs::read(&one.path).expect("the file");
        assert_same("a prefix", &exported(&headspace, &a[..common + 1]), &bytes);
        let refused = headspace.run(&["export", "--raw", ""]);
        assert_eq!(refused.status.code(), Some(1));
        assert!(errors(&refused).contains("2 sessions begin so"), "{}", errors(&refused));
        let refused = headspace.run(&["export", "--raw", "%"]);
        assert_eq!(refused.status.code(), Some(1));
        assert!(errors(&refused).contains("%: no session has this id"), "{}", errors(&refused));
    }

    fn a_subagents_file_is_the_sessions_too(kind: Kind) {
        let headspace = with_archive(kind);
        let mut talk = Talk::new(&headspace, "parent");
        talk.say("do it");
        let folder = talk.path.with_extension("").join("subagents");
        fs::create_dir_all(&folder).expect("a folder");
        let mut agent = talk.session.subagent("a7");
        let path = folder.join(agent.file_name());
        append(&path, agent.prompt("done"));
        headspace.watch_once();
        let expected = fs::read(&path).expect("the file");
        fs::remove_dir_all(headspace.root().join("projects")).expect("they are deleted");
        let to = headspace.dir().join("given");
        let arguments = ["export", "--raw", &talk.session.uuid, "--to", to.to_str().expect("UTF-8")];
        assert!(headspace.run(&arguments).status.success());
        let given = to.join(&talk.session.uuid).join("subagents").join(agent.file_name());
        assert_same("the subagent's", &fs::read(&given).expect("the file"), &expected);
        // What is there is not written over.
        fs::write(&given, "mine").expect("it is written");
        let refused = headspace.run(&arguments);
        assert_eq!(refused.status.code(), Some(1));
        assert!(errors(&refused).contains("cannot write"), "{}", errors(&refused));
        assert_eq!(fs::read(&given).expect("the file"), b"mine");
    }

    fn a_damaged_piece_is_an_error_and_no_text(kind: Kind) {
        let headspace = with_archive(kind);
        let mut talk = Talk::new(&headspace, "damaged");
        talk.say("secret words");
        headspace.watch_once();
        let damage = match kind {
            Kind::Sqlite => "UPDATE archive SET content = x'00'",
            Kind::Postgres => r"UPDATE archive SET content = '\x00'",
        };
        tamper(&headspace.store, damage);
        let refused = headspace.run(&["export", "--raw", &talk.session.uuid]);
        assert_eq!(refused.status.code(), Some(1));
        assert!(errors(&refused).contains("the piece at byte 0 is damaged"), "{}", errors(&refused));
        assert_eq!(refused.stdout, b"");
    }

    fn status_says_how_much_is_kept(kind: Kind) {
        let mut headspace = Headspace::on(kind);
        headspace.set("HEADSPACE_ARCHIVE__MODE", "off");
        let mut talk = Talk::new(&headspace, "half");
        talk.say_all((0..50).map(|n| format!("line {n}")));
        headspace.watch_once();
        assert!(status(&headspace).contains("archive   0.0 MB, holds 0.0 % of"), "{}", status(&headspace));
        headspace.set("HEADSPACE_ARCHIVE__MODE", "full");
        Talk::new(&headspace, "other").say_all((0..50).map(|n| format!("line {n}")));
        headspace.watch_once();
        let report = headspace.run(&["status", "--json"]);
        let report: serde_json::Value = serde_json::from_slice(&report.stdout).expect("JSON");
        let number = |name: &str| report["archive"][name].as_i64().expect("a number");
        assert_eq!(number("transcript_bytes"), headspace.store.number(r#"SELECT sum("offset") FROM checkpoints"#));
        assert_eq!(number("held_bytes"), headspace.store.number("SELECT sum(length) FROM archive"));
        assert_eq!(number("bytes"), headspace.store.number("SELECT sum(length(content)) FROM archive"));
        assert!(number("bytes") > 0 && number("held_bytes") * 3 > number("transcript_bytes"), "{report}");
    }

    fn a_database_that_may_be_shared_keeps_nothing_unless_it_is_set(kind: Kind) {
        let headspace = Headspace::on(kind);
        Talk::new(&headspace, "default").say("a line");
        headspace.watch_once();
        let pieces = headspace.store.number("SELECT count(*) FROM archive");
        assert_eq!(pieces > 0, kind == Kind::Sqlite);
    }
}

fn status(headspace: &Headspace) -> String {
    let output = headspace.run(&["status", "--verbose"]);
    assert!(output.status.success(), "{}", errors(&output));
    String::from_utf8(output.stdout).expect("UTF-8")
}
