//! `verify` reads every input again and reports what is missing, doubled, altered or extra.

use serde_json::Value;

use crate::support::{
    headspace::{Headspace, Kind, eventually, json_list, on_both},
    talk::{Talk, tamper},
    transcripts::{self, append},
};

/// Copies a turn with another text, as if its line said it too.
const COPY: &str = "INSERT INTO events (timestamp, recorded_at, project_id, agent_id, event_type, \
                    payload, event_key, observed, checkpoint_id, source_offset) \
                    SELECT timestamp, recorded_at, project_id, agent_id, event_type, payload, 'a copy', \
                    observed, checkpoint_id, source_offset";

on_both! {
    fn real_transcripts_are_clean(kind: Kind) {
        let mut headspace = Headspace::on(kind);
        headspace.set("HEADSPACE_CLAUDE__ROOTS", json_list(&[transcripts::real()]));
        headspace.watch_once();
        let (code, report) = verify(&headspace);
        assert_eq!((code, findings(&report)), (0, vec![]));
        assert!(report["files"].as_u64() > Some(50) && report["turns"].as_u64() > Some(300), "{report}");
        assert_eq!(report["not_read_yet"], 0);
        let output = headspace.run(&["verify"]);
        assert_eq!(output.status.code(), Some(0));
        assert!(String::from_utf8_lossy(&output.stdout).contains(" 0 findings"));
    }

    fn every_kind_of_damage_is_found_and_named(kind: Kind) {
        let text = |new: &str| match kind {
            Kind::Sqlite => format!("json_set(payload, '$.text', '{new}')"),
            Kind::Postgres => format!("jsonb_set(payload, '{{text}}', '\"{new}\"')"),
        };
        let cases = [
            ("missing", "DELETE FROM events WHERE id = 4".to_owned()),
            ("missing", "DELETE FROM facts WHERE event_id = 4; DELETE FROM events WHERE id = 4".into()),
            ("missing", "DELETE FROM events WHERE event_type = 'session_registered'".into()),
            ("missing", "DELETE FROM facts WHERE event_id = 1; DELETE FROM events WHERE id = 1".into()),
            ("doubled", format!("{COPY} FROM events WHERE id = 4")),
            ("altered", format!("UPDATE events SET payload = {} WHERE id = 4", text("forged"))),
            ("altered", "UPDATE events SET timestamp = '2001-01-01T00:00:00.000000Z' WHERE id = 4".into()),
            ("extra", format!("{COPY} FROM events WHERE id = 4; \
                UPDATE events SET source_offset = 1, payload = {} WHERE event_key = 'a copy'", text("invented"))),
            ("extra", format!("{COPY} FROM events WHERE id = 4; \
                UPDATE events SET checkpoint_id = NULL, payload = {} WHERE event_key = 'a copy'", text("invented"))),
        ];
        for (expected, sql) in cases {
            let headspace = Headspace::on(kind);
            Talk::new(&headspace, "damaged").say_all((1..=4).map(|n| format!("turn {n}")));
            headspace.watch_once();
            assert_eq!(verify(&headspace).0, 0, "sound before");
            tamper(&headspace.store, &sql);
            let (code, report) = verify(&headspace);
            assert_eq!(code, 1, "{sql}: {report}");
            assert!(findings(&report).contains(&expected.to_owned()), "{sql}: {report}");
            let output = headspace.run(&["verify"]);
            assert_eq!(output.status.code(), Some(1));
            assert!(String::from_utf8_lossy(&output.stdout).starts_with(expected));
        }
    }

    fn a_lost_rejection_is_missing_too(kind: Kind) {
        let headspace = Headspace::on(kind);
        let mut talk = Talk::new(&headspace, "malformed");
        talk.say("good");
        append(&talk.path, "{\"type\":\"user\", broken\n");
        talk.say("good again");
        assert_eq!(headspace.watch_once().rejected, 1);
        assert_eq!(verify(&headspace).0, 0);
        tamper(&headspace.store, "DELETE FROM rejections");
        let (code, report) = verify(&headspace);
        assert_eq!((code, findings(&report)), (1, vec!["missing".to_owned()]));
    }

    fn a_lost_end_of_a_session_is_missing_too(kind: Kind) {
        let end = "FROM events WHERE event_type = 'session_ended'";
        let fact = "DELETE FROM facts WHERE event_id = (SELECT id FROM events WHERE event_type = 'session_ended');";
        for sql in [format!("DELETE {end}"), format!("{fact} DELETE {end}")] {
            let mut headspace = Headspace::on(kind);
            Talk::new(&headspace, "over").say("the last words");
            headspace.watch_once();
            headspace.set("HEADSPACE_WATCH__INACTIVITY_TIMEOUT_SECONDS", 1);
            let watcher = headspace.watch();
            eventually("the session ends", || headspace.store.number(&format!("SELECT count(*) {end}")) == 1);
            drop(watcher);
            let (code, report) = verify(&headspace);
            assert_eq!((code, findings(&report)), (0, vec![]), "{report}");
            tamper(&headspace.store, &sql);
            let (code, report) = verify(&headspace);
            assert_eq!((code, findings(&report)), (1, vec!["missing".to_owned()]), "{sql}: {report}");
            assert!(report["findings"][0]["what"].as_str().expect("words").starts_with("session_ended"));
        }
    }

    fn what_was_not_read_yet_is_no_damage(kind: Kind) {
        let headspace = Headspace::on(kind);
        let mut talk = Talk::new(&headspace, "growing");
        talk.say("read");
        headspace.watch_once();
        talk.say("not read yet");
        let (code, report) = verify(&headspace);
        assert_eq!((code, findings(&report)), (0, vec![]), "{report}");
        headspace.watch_once();
        assert_eq!(verify(&headspace).0, 0);
    }
}

fn verify(headspace: &Headspace) -> (i32, Value) {
    let output = headspace.run(&["verify", "--json"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    let report = serde_json::from_slice(&output.stdout);
    let report = report.unwrap_or_else(|error| panic!("{error}: {errors}"));
    (output.status.code().expect("a code"), report)
}

fn findings(report: &Value) -> Vec<String> {
    let findings = report["findings"].as_array().expect("findings");
    findings
        .iter()
        .map(|one| one["kind"].as_str().expect("a kind").to_owned())
        .collect()
}
