//! Files that Claude Code is about to delete, and that are not stored yet.

use std::{
    fs::{self, File},
    time::{Duration, SystemTime},
};

use super::report::doctor;
use crate::support::{
    headspace::{Headspace, Kind, on_both},
    talk::Talk,
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

on_both! {
    fn what_is_due_and_not_stored_is_a_warning_until_it_is(kind: Kind) {
        let headspace = Headspace::on(kind);
        let mut old = Talk::new(&headspace, "old");
        old.say("old words");
        age(&old, 28);
        let mut older = Talk::new(&headspace, "older");
        older.say("older words");
        age(&older, 40);
        Talk::new(&headspace, "new").say("new words");
        let report = doctor(&headspace);
        assert_eq!(report.code, 0, "a warning is no failure");
        let oldest = format!("the oldest, {}, was last written 40 days ago", older.path.display());
        report.says("transcripts", "warning", "2 transcripts not fully stored", "headspace watch --once");
        report.says("transcripts", "warning", &oldest, "cleanupPeriodDays");
        assert!(!format!("{report:?}").contains("words"), "{report:#?}");

        // Each of the two ways out is one.
        let settings = headspace.root().join("settings.json");
        fs::write(&settings, r#"{"cleanupPeriodDays": 365}"#).expect("written");
        doctor(&headspace).says("transcripts", "ok", "3 not fully stored yet, none of them due soon", "");
        fs::remove_file(&settings).expect("removed");
        headspace.watch_once();
        doctor(&headspace).says("transcripts", "ok", "3 transcripts in", "");
        doctor(&headspace).says("transcripts", "ok", "all stored", "");

        // What was added and is old again is not stored again.
        old.say("further words");
        age(&old, 28);
        doctor(&headspace).says("transcripts", "warning", "1 transcript not fully stored", "--once");
    }
}

#[test]
fn a_period_that_cannot_be_meant_is_a_warning() {
    let headspace = Headspace::on(Kind::Sqlite);
    let settings = headspace.root().join("settings.json");
    for (text, found) in [
        (r#"{"cleanupPeriodDays": 0}"#, "cleanupPeriodDays is 0"),
        (r#"{"cleanupPeriodDays": "long"}"#, "cannot be understood"),
    ] {
        fs::write(&settings, text).expect("written");
        doctor(&headspace).says("transcripts", "warning", found, "\"cleanupPeriodDays\": 30");
    }
}

fn age(talk: &Talk, days: u32) {
    let file = File::options()
        .append(true)
        .open(&talk.path)
        .expect("the transcript");
    file.set_modified(SystemTime::now() - DAY * days)
        .expect("set");
}
