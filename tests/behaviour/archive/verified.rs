//! `verify` reads the archive where the file is gone.

use std::fs;

use serde_json::Value;

use super::with_archive;
use crate::support::{
    headspace::{Headspace, Kind, on_both},
    talk::{Talk, tamper},
};

on_both! {
    fn a_deleted_file_is_still_compared_with_its_events(kind: Kind) {
        let headspace = with_archive(kind);
        for name in ["gone", "there"] {
            Talk::new(&headspace, name).say_all((1..=4).map(|n| format!("{name} {n}")));
        }
        headspace.watch_once();
        fs::remove_file(Talk::new(&headspace, "gone").path).expect("it is deleted");
        let (code, report) = verify(&headspace);
        assert_eq!(code, 0, "{report}");
        assert_eq!(counted(&report), [("files", 2), ("archived", 1), ("gone", 0), ("turns", 8)]);
        let left: Vec<_> = fs::read_dir(headspace.state()).expect("a folder").flatten().collect();
        let copy = left.iter().find(|entry| entry.file_name().to_string_lossy().contains("restored"));
        assert!(copy.is_none(), "{copy:?}");

        tamper(&headspace.store, "DELETE FROM events WHERE payload ->> 'text' = 'gone 3'");
        let (code, report) = verify(&headspace);
        assert_eq!((code, &report["findings"][0]["kind"]), (1, &"missing".into()), "{report}");
    }

    fn an_archive_that_is_not_what_was_read_is_damaged(kind: Kind) {
        let (cut, broken) = match kind {
            Kind::Sqlite => ("x'00'", "(SELECT content FROM archive WHERE checkpoint_id = 2)"),
            Kind::Postgres => (r"'\x00'", "(SELECT content FROM archive WHERE checkpoint_id = 2)"),
        };
        for content in [cut, broken] {
            let headspace = with_archive(kind);
            for name in ["gone", "else"] {
                Talk::new(&headspace, name).say("a line that is as long as the other");
            }
            headspace.watch_once();
            for name in ["gone", "else"] {
                fs::remove_file(Talk::new(&headspace, name).path).expect("it is deleted");
            }
            assert_eq!(verify(&headspace).0, 0);
            tamper(&headspace.store, &format!("UPDATE archive SET content = {content} WHERE checkpoint_id = 1"));
            let (code, report) = verify(&headspace);
            assert_eq!((code, &report["findings"][0]["kind"]), (1, &"damaged".into()), "{report}");
            assert_eq!(report["gone"], 1, "{report}");
        }
    }

    fn without_an_archive_a_deleted_file_cannot_be_compared(kind: Kind) {
        let mut headspace = with_archive(kind);
        headspace.set("HEADSPACE_ARCHIVE__MODE", "off");
        let talk = { let mut talk = Talk::new(&headspace, "gone"); talk.say("a"); talk };
        headspace.watch_once();
        fs::remove_file(talk.path).expect("it is deleted");
        let (code, report) = verify(&headspace);
        assert_eq!(code, 0, "{report}");
        assert_eq!(counted(&report), [("files", 0), ("archived", 0), ("gone", 1), ("turns", 0)]);
    }
}

fn verify(headspace: &Headspace) -> (i32, Value) {
    let output = headspace.run(&["verify", "--json"]);
    let report = serde_json::from_slice(&output.stdout).expect("JSON");
    (output.status.code().expect("a code"), report)
}

fn counted(report: &Value) -> [(&'static str, u64); 4] {
    ["files", "archived", "gone", "turns"].map(|name| (name, report[name].as_u64().expect(name)))
}
