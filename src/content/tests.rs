//! What is read out of lines, and what of a span is lines.

use serde_json::{Value, json};

use super::{
    kept::{Run, lines},
    marks::{Mark, Marks},
    record::{Call, Parts, take_call, take_marks},
};

fn line(record: Value) -> Vec<u8> {
    record.to_string().into_bytes()
}

fn call(records: &[Value]) -> Call {
    let mut call = Call::default();
    for record in records {
        take_call(&line(record.clone()), "u1", &mut call);
    }
    call
}

fn used(input: Value) -> Value {
    json!({"type": "assistant", "message": {"content": [
        {"type": "text", "text": "u1"}, {"type": "tool_use", "id": "u1", "name": "Bash", "input": input}]}})
}

fn answered(content: Value, result: Value) -> Value {
    json!({"type": "user", "toolUseResult": result,
        "message": {"content": [{"type": "tool_result", "tool_use_id": "u1", "content": content}]}})
}

#[test]
fn a_call_has_its_fields_and_its_result() {
    let found = call(&[
        used(json!({"command": "cargo test", "timeout": 5})),
        answered(
            json!([{"type": "text", "text": "412 passed"}]),
            json!({"stdout": "412 passed"}),
        ),
    ]);
    let input = found.input.unwrap();
    let fields: Vec<_> = input
        .given
        .iter()
        .map(|part| (part.name.as_deref().unwrap(), part.text.as_str()))
        .collect();
    assert_eq!(fields, [("command", "cargo test"), ("timeout", "5")]);
    assert_eq!(found.result.unwrap().given[0].text, "412 passed");
    assert!(found.change.is_empty());
}

#[test]
fn another_call_and_what_is_no_call_say_nothing() {
    for record in [
        json!({"message": {"content": "u1"}}),
        json!({"message": {"content": [{"type": "tool_use", "id": "u2", "input": {"a": "u1"}}]}}),
        json!({"message": {"content": [{"type": "tool_use", "id": ["u1"], "input": 5}]}}),
        json!({"message": {"content": [7, null, {"type": {}}]}}),
        json!({"message": "u1"}),
        json!(["u1"]),
    ] {
        assert_eq!(
            call(std::slice::from_ref(&record)),
            Call::default(),
            "{record}"
        );
    }
    let mut found = Call::default();
    take_call(b"{\"message\": u1", "u1", &mut found);
    assert_eq!(found, Call::default());
}

#[test]
fn what_is_left_out_is_counted() {
    let fields: serde_json::Map<_, _> = (0..45)
        .map(|number| (format!("f{number}"), json!(number)))
        .collect();
    let blocks: Vec<Value> = (0..41)
        .map(|number| json!({"type": "text", "text": number.to_string()}))
        .collect();
    let lines = vec!["+1234"; 5000];
    let patch = json!({"structuredPatch": [{"oldStart": 1, "newStart": 1, "lines": lines}]});
    let found = call(&[used(fields.into()), answered(blocks.into(), patch)]);
    let counts = |parts: Parts| (parts.given.len(), parts.left_out);
    assert_eq!(counts(found.input.unwrap()), (40, 5));
    assert_eq!(counts(found.result.unwrap()), (40, 1));
    assert_eq!(found.change.len() + found.change_left_out, 5001);
    assert!(found.change.len() < 3500, "{}", found.change.len());
    let few = call(&[answered(json!("one"), Value::Null)]);
    assert_eq!(counts(few.result.unwrap()), (1, 0));
}

#[test]
fn an_image_is_named_and_a_long_text_is_cut() {
    let image =
        json!({"type": "image", "source": {"media_type": "image/png", "data": "AAAA".repeat(100)}});
    let found = call(&[answered(
        json!([image, {"type": "text", "text": "ü".repeat(30_000)}]),
        Value::Null,
    )]);
    let result = found.result.unwrap().given;
    assert_eq!(result[0].text, "[image/png, 300 bytes]");
    assert_eq!(
        (result[1].text.chars().count(), result[1].left_out),
        (20_000, 10_000)
    );
}

#[test]
fn an_edit_shows_its_change_and_counts_its_lines() {
    let patch = json!({"originalFile": "x", "structuredPatch": [
        {"oldStart": 3, "newStart": 3, "lines": [" a", "-b", "+c", "+d"]}]});
    let record = answered(json!("done"), patch);
    assert_eq!(
        call(std::slice::from_ref(&record)).change,
        ["@ 3 → 3", " a", "-b", "+c", "+d"]
    );
    let mut marks = Marks::default();
    let mut with_time = record;
    with_time["timestamp"] = json!("2026-11-30T10:00:00Z");
    take_marks(&line(with_time), 0, false, &mut marks);
    assert_eq!(marks.changes["u1"], (2, 1));
}

#[test]
fn a_change_has_an_end_also_of_lines_and_hunks_that_are_empty() {
    let empty = json!({"oldStart": 1, "newStart": 1, "lines": []});
    for hunks in [
        json!([{"oldStart": 1, "newStart": 1, "lines": vec![""; 50_000]}]),
        Value::from(vec![empty; 50_000]),
    ] {
        let record = answered(json!("done"), json!({"structuredPatch": hunks}));
        let lines = call(&[record]).change.len();
        assert!((1_000..=20_001).contains(&lines), "{lines}");
    }
}

#[test]
fn thoughts_compactions_and_errors_are_marks() {
    let mut marks = Marks::default();
    let at = "2026-11-30T10:00:00.000Z";
    for (offset, record) in [
        json!({"timestamp": at, "message": {"content": [{"type": "thinking", "thinking": " Hm. "}]}}),
        json!({"timestamp": at, "message": {"content": [{"type": "thinking", "thinking": "", "signature": "x"}]}}),
        json!({"timestamp": at, "type": "system", "subtype": "compact_boundary", "compactMetadata": {"trigger": "auto", "preTokens": 155_000}}),
        json!({"timestamp": at, "isApiErrorMessage": true, "message": {"content": [{"type": "text", "text": "API Error: 529"}]}}),
        json!({"message": {"content": [{"type": "thinking", "thinking": "no time"}]}}),
    ]
    .into_iter()
    .enumerate()
    {
        take_marks(&line(record), offset as u64, false, &mut marks);
    }
    let found: Vec<_> = marks
        .marks
        .iter()
        .map(|one| (one.offset, one.mark.clone()))
        .collect();
    let compaction = Mark::Compaction {
        trigger: Some("auto".into()),
        tokens: Some(155_000),
    };
    assert_eq!(
        found,
        [
            (0, Mark::Thought("Hm.".into())),
            (2, compaction),
            (3, Mark::Error("API Error: 529".into())),
        ]
    );
}

#[test]
fn a_subagents_task_and_words_are_marks_where_they_are_wanted() {
    let at = "2026-11-30T10:00:00.000Z";
    let records = [
        json!({"timestamp": at, "type": "user", "message": {"content": "look at the files"}}),
        json!({"timestamp": at, "type": "assistant", "message": {"content": [{"type": "text", "text": "I see two."}]}}),
        json!({"timestamp": at, "type": "assistant", "message": {"content": [{"type": "text", "text": " "}]}}),
    ];
    let found = |with_words| {
        let mut marks = Marks::default();
        for (offset, record) in records.iter().enumerate() {
            take_marks(&line(record.clone()), offset as u64, with_words, &mut marks);
        }
        marks
            .marks
            .into_iter()
            .map(|one| one.mark)
            .collect::<Vec<_>>()
    };
    let (task, said) = ("look at the files".to_owned(), "I see two.".to_owned());
    assert_eq!(found(true), [Mark::Task(task), Mark::Said(said)]);
    assert_eq!(found(false), []);
}

#[test]
fn only_whole_lines_are_lines() {
    let run = |offset, text: &str| Run {
        offset,
        bytes: text.as_bytes().to_vec(),
    };
    let runs = [run(10, "a\nbb\nc"), run(90, "d\n")];
    let found = |begins| {
        lines(&runs, begins)
            .map(|(offset, line)| (offset, String::from_utf8_lossy(line).into_owned()))
            .collect::<Vec<_>>()
    };
    let expect = |list: &[(u64, &str)]| -> Vec<(u64, String)> {
        list.iter()
            .map(|(offset, line)| (*offset, (*line).to_owned()))
            .collect()
    };
    assert_eq!(
        found(true),
        expect(&[(10, "a\n"), (12, "bb\n"), (90, "d\n")])
    );
    assert_eq!(found(false), expect(&[(12, "bb\n"), (90, "d\n")]));
}
