//! A bad line is a rejection with its bytes, an odd one is stored as far as
//! the database can hold it; neither stops the file.

use serde_json::json;

use crate::support::{
    headspace::{Headspace, Kind, on_both},
    oracle,
    transcripts::{Session, append},
};

on_both! {
    fn bytes_that_are_no_record_are_rejected_and_their_neighbours_stored(kind: Kind) {
        let headspace = Headspace::on(kind);
        let mut session = Session::new("bytes", "/home/dev/bytes");
        let path = headspace.project("-bytes").join(session.file_name());
        let mut bytes: Vec<u8> = session.prompt("first").into();
        bytes.extend(b"{\"type\":\"user\",\"message\":\"\xff\xfe\"}\n");
        bytes.extend([0; 40]);
        bytes.push(b'\n');
        bytes.extend(session.prompt("ended by CR LF").replace('\n', "\r\n").bytes());
        bytes.extend(b"\n  \t\n\r\n");
        bytes.extend("\u{feff}".bytes());
        bytes.extend(session.prompt("behind a byte order mark").bytes());
        bytes.extend(b"{\"lone\":\rCR\n[1, 2]\nnull\n");
        bytes.extend(session.prompt("last").bytes());
        append(&path, bytes);
        let caught = headspace.watch_once();
        assert_eq!(caught.rejected, 6, "{caught:?}");
        assert_eq!(headspace.store.turns(), ["first", "ended by CR LF", "last"]);
        oracle::assert_clean(&headspace);
    }

    fn json_that_databases_refuse_is_made_storable(kind: Kind) {
        let headspace = Headspace::on(kind);
        let mut session = Session::new("awkward", "/home/dev/awkward");
        let path = headspace.project("-awkward").join(session.file_name());
        let mut line = |text: &str, from: &str, to: &str| {
            let line = session.prompt(text);
            assert!(line.contains(from), "{line}");
            append(&path, line.replacen(from, to, 1));
        };
        line("a NUL here: X", "X", "\\u0000");
        line("half a pair: X", "X", "\\ud83d");
        line("the other half: X", "X", "\\udc4d");
        line("too large a number", "\"isSidechain\"", "\"number\":1e400,\"isSidechain\"");
        for depth in [200, 20_000] {
            let deep = format!("\"deep\":{}{},\"isSidechain\"", "[".repeat(depth), "]".repeat(depth));
            line(&format!("{depth} deep"), "\"isSidechain\"", &deep);
        }
        line("twice the same name", "\"isSidechain\"", "\"x\":1,\"x\":{},\"isSidechain\"");
        headspace.watch_once();
        assert_eq!(headspace.store.turns(), [
            "a NUL here: \u{fffd}", "half a pair: \u{fffd}", "the other half: \u{fffd}",
            "too large a number", "200 deep", "20000 deep", "twice the same name",
        ]);
        assert_eq!(headspace.store.number("SELECT count(*) FROM rejections"), 0);
        oracle::assert_clean(&headspace);
    }

    fn what_is_unknown_is_passed_by_and_what_is_wrong_is_rejected(kind: Kind) {
        let headspace = Headspace::on(kind);
        let mut session = Session::new("drift", "/home/dev/drift");
        let path = headspace.project("-drift").join(session.file_name());
        append(&path, session.record("a-type-of-tomorrow", json!({"payload": {"deep": [1]}})));
        append(&path, session.record("system", json!({"subtype": "new", "content": "words"})));
        append(&path, "{\"type\":\"custom-title\",\"title\":\"no session, no time\"}\n");
        append(&path, session.record("user", json!({"message": {"content": "kept", "new": 1}, "also": null, "news": 2})));
        append(&path, session.record("user", json!({"message": {"content": {"not": "a text"}}})));
        append(&path, session.record("user", json!({"message": "no object"})));
        append(&path, session.prompt("last"));
        let caught = headspace.watch_once();
        assert_eq!(headspace.store.turns(), ["kept", "last"]);
        assert_eq!(caught.rejected, 2);
        let reasons = headspace.store.column(r#"SELECT reason FROM rejections ORDER BY "offset""#);
        assert_eq!(reasons, ["field message.content has the wrong type", "field message has the wrong type"]);
        oracle::assert_clean(&headspace);
    }
}
