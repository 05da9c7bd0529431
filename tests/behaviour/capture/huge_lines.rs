//! A line may be as long as the limit, and memory stays bounded all the same.

use serde_json::json;

use crate::support::{
    headspace::{Headspace, Kind, eventually, on_both},
    oracle,
    transcripts::{Session, append},
};

const LIMIT: usize = 64 * 1024 * 1024;
/// The budget of the whole process.
const MOST_KB: u64 = 50_000;

on_both! {
    fn a_line_of_the_greatest_length_is_read_and_one_byte_more_is_a_rejection(kind: Kind) {
        let headspace = Headspace::on(kind);
        let mut session = Session::new("huge", "/home/dev/huge");
        let path = headspace.project("-huge").join(session.file_name());
        let watcher = headspace.watch();
        append(&path, session.prompt("before"));
        for length in [LIMIT, LIMIT + 1] {
            append(&path, line_of(&mut session, length));
            append(&path, session.prompt(&format!("after {length}")));
        }
        let last = format!("after {}", LIMIT + 1);
        eventually("the last line is stored", || headspace.store.turns().last() == Some(&last));
        let memory = watcher.memory_kb("VmHWM");
        println!("{memory} kB at most");
        assert!(memory <= MOST_KB, "{memory} kB");
        assert_eq!(headspace.store.turns(), ["before".into(), format!("after {LIMIT}"), last]);
        assert_eq!(headspace.store.column("SELECT length FROM rejections"), [(LIMIT + 1).to_string()]);
        // The oracle compares the rejection's hash and its first bytes.
        oracle::assert_clean(&headspace);
    }
}

/// A tool's result in a line that has this length without its newline.
fn line_of(session: &mut Session, length: usize) -> String {
    let record = |session: &mut Session, padding: usize| {
        let result =
            json!({"type": "tool_result", "tool_use_id": "t", "content": "x".repeat(padding)});
        session.record(
            "user",
            json!({"message": {"role": "user", "content": [result]}}),
        )
    };
    let bare = record(session, 0).len() - 1;
    let line = record(session, length - bare);
    assert_eq!(line.len() - 1, length);
    line
}
