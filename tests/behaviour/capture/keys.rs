//! What makes two lines the same fact, and when it happened.

use serde_json::json;

use crate::support::{
    headspace::{Headspace, Kind, on_both},
    oracle,
    transcripts::{Session, append},
};

on_both! {
    fn a_fact_is_known_by_its_content_and_its_name(kind: Kind) {
        let headspace = Headspace::on(kind);
        let mut session = Session::new("keys", "/home/dev/keys");
        let path = headspace.project("-keys").join(session.file_name());
        let line = session.prompt("the same uuid");
        append(&path, &line);
        append(&path, &line);
        append(&path, line.replace("the same uuid", "the same uuid, other words"));
        let nameless = session.record("user", json!({"uuid": null, "message": {"content": "no uuid"}}));
        append(&path, &nameless);
        append(&path, &nameless);
        let bare = json!({"uuid": null, "timestamp": null, "message": {"content": "no uuid, no time"}});
        let bare = session.record("user", bare);
        append(&path, &bare);
        append(&path, &bare);
        // The same words at another time are said again.
        append(&path, session.prompt("again"));
        append(&path, session.prompt("again"));
        // Two blocks of one message; the first is repeated.
        let block = session.block("msg_1", "first block");
        append(&path, &block);
        append(&path, session.block("msg_1", "second block"));
        append(&path, &block);
        let caught = headspace.watch_once();
        assert_eq!(headspace.store.turns(), [
            "the same uuid", "the same uuid, other words", "no uuid", "no uuid, no time",
            "again", "again", "first block", "second block",
        ]);
        assert_eq!(caught.known, 4);
        let parts = headspace.store.column(
            "SELECT payload ->> 'part' FROM events WHERE payload ->> 'message_id' = 'msg_1' ORDER BY id",
        );
        assert_eq!(parts, ["", "2"]);
        oracle::assert_clean(&headspace);
    }

    fn a_turn_without_a_usable_time_is_stored_with_the_time_it_was_seen(kind: Kind) {
        let headspace = Headspace::on(kind);
        let mut session = Session::new("times", "/home/dev/times");
        let path = headspace.project("-times").join(session.file_name());
        append(&path, session.prompt("usable"));
        let unusable = [
            json!(null), json!("yesterday"), json!("0001-01-01T00:00:00.000Z"),
            json!("+275760-09-13T00:00:00.000Z"), json!(1763687000), json!("2026-02-30T00:00:00Z"),
        ];
        for (number, time) in unusable.iter().enumerate() {
            let text = format!("unusable {number}");
            append(&path, session.record("user", json!({"timestamp": time, "message": {"content": text}})));
        }
        for time in ["2099-12-31T23:59:59.999Z", "2025-01-01T00:00:00Z"] {
            append(&path, session.record("user", json!({"timestamp": time, "message": {"content": time}})));
        }
        headspace.watch_once();
        let observed = headspace.store.column(
            "SELECT CASE WHEN observed THEN payload ->> 'text' ELSE '' END FROM events
             WHERE event_type = 'turn_detected' ORDER BY id",
        );
        let mut expected = vec![String::new()];
        expected.extend((0..unusable.len()).map(|number| format!("unusable {number}")));
        expected.extend([String::new(), String::new()]);
        // The order is that of the file, never of the clocks.
        assert_eq!(observed, expected);
        oracle::assert_clean(&headspace);
    }
}
