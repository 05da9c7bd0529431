//! What a transcript holds beside its turns is shown where a person opens it, and given
//! back whole.

use std::fs;

use serde_json::{Value, json};

use crate::support::{
    agents::{ago, change},
    headspace::{Headspace, Kind, on_both},
    talk::{Talk, tamper},
    transcripts::append,
    web::Web,
};

const HOSTILE: &str = "<script>taken = true</script>\u{1b}[31m\u{202e}";

on_both! {
    fn a_session_shows_thoughts_changes_and_where_its_context_was_compacted(kind: Kind) {
        let headspace = with_archive(kind, "full");
        let talk = worked(&headspace);
        headspace.watch_once();
        let web = Web::start(&headspace);
        let page = web.get("/agents/1").body;
        let place = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text:?} is not in {page}"));
        let order = [
            "fix the basket", "I should look first.", "cargo test", "src/a.rs", "+2</span>", "−1</span>",
            "context compacted by itself at 155 k tokens", "error: API Error: 529 overloaded", "and now the shop",
        ];
        let places: Vec<usize> = order.iter().map(|text| place(text)).collect();
        assert!(places.is_sorted(), "{places:?}\n{page}");
        assert!(!page.contains("signature"), "a thought that is not told is none");
        // Of a file that is gone the archive still has all.
        fs::remove_file(&talk.path).expect("the file is deleted");
        assert!(web.get("/agents/1").body.contains("I should look first."));
    }

    fn what_stands_between_two_windows_is_in_the_first(kind: Kind) {
        let headspace = with_archive(kind, "full");
        let mut talk = Talk::new(&headspace, "long");
        talk.say_all((0..80).map(|number| format!("turn {number}")));
        for block in [
            json!({"type": "thinking", "thinking": "At the border."}),
            json!({"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"command": "cargo border"}}),
        ] {
            let message = json!({"id": "m1", "role": "assistant", "model": "m", "content": [block]});
            append(&talk.path, talk.session.record("assistant", json!({"message": message})));
        }
        talk.say("turn 80");
        headspace.watch_once();
        let web = Web::start(&headspace);
        let [first, later] = ["min", "max"].map(|which| {
            let id = headspace.store.number(&format!("SELECT {which}(id) FROM turns"));
            web.get(&format!("/agents/1?from={id}")).body
        });
        assert!(first.contains(">Later</a>") && later.contains(">Earlier</a>"), "{first}{later}");
        for text in ["At the border.", "cargo border"] {
            assert!(first.contains(text) && !later.contains(text), "{text}: {first}");
        }
    }

    fn a_subagents_page_has_its_task_and_its_words(kind: Kind) {
        let headspace = with_archive(kind, "full");
        let mut talk = Talk::new(&headspace, "parent");
        talk.say("look around");
        let mut child = talk.session.subagent("e1f2");
        let folder = talk.path.with_extension("").join("subagents");
        fs::create_dir_all(&folder).expect("a folder");
        let lines = [child.prompt("Look at <b>all</b> files"), child.reply("There are **two**.")];
        append(&folder.join(child.file_name()), lines.concat());
        headspace.watch_once();
        let id = headspace.store.number("SELECT id FROM agents WHERE parent_agent_id IS NOT NULL");
        let page = Web::start(&headspace).get(&format!("/agents/{id}")).body;
        for text in ["Look at &#60;b&#62;all&#60;/b&#62; files", "There are <strong>two</strong>.", "subagent of this session"] {
            assert!(page.contains(text), "{text}: {page}");
        }
        assert!(!page.contains("Nothing was said yet"), "{page}");
    }

    fn a_call_runs_waits_or_neither(kind: Kind) {
        let headspace = with_archive(kind, "full");
        worked(&headspace);
        headspace.watch_once();
        let id = headspace.store.number("SELECT id FROM tool_uses WHERE tool_use_id = 'toolu_open'");
        let web = Web::start(&headspace);
        let shown = |set: &str| {
            change(&headspace, 1, set);
            let page = web.get("/agents/1").body;
            let (_, call) = page.split_once(&format!("id=\"u{id}\"")).expect("the call");
            call.split("</summary>").next().expect("its line").to_owned()
        };
        let now = ago(0);
        let runs = shown(&format!("last_seen_at = {now}, ended_at = NULL, state = 'processing', needs = 'none', asks = NULL"));
        assert!(runs.contains("· runs"), "{runs}");
        let waits = shown("state = 'awaiting_input', needs = 'permission', asks = 'Bash: xxx'");
        assert!(waits.contains("· waits for you"), "{waits}");
        let other = shown("asks = 'Edit: /src/a.rs'");
        assert!(other.contains("· runs"), "{other}");
        let ended = shown(&format!("ended_at = {now}"));
        assert!(!ended.contains("· runs") && !ended.contains("· waits"), "{ended}");
    }

    fn a_call_opens_to_its_input_and_its_result(kind: Kind) {
        let headspace = with_archive(kind, "full");
        let talk = worked(&headspace);
        headspace.watch_once();
        fs::remove_file(&talk.path).expect("the file is deleted");
        let web = Web::start(&headspace);
        let call = |id: &str| {
            let sql = format!("SELECT id FROM tool_uses WHERE tool_use_id = '{id}'");
            format!("agents/1/calls/{}", headspace.store.number(&sql))
        };
        let bash = web.get(&format!("/fragments/{}", call("toolu_bash"))).body;
        for text in ["<pre>cargo test", "&#60;script&#62;taken = true&#60;/script&#62;␛[31m⟨U+202E⟩", "<pre>412 passed"] {
            assert!(bash.contains(text), "{text}: {bash}");
        }
        assert!(!bash.contains("<script>"), "{bash}");
        let edit = web.get(&format!("/fragments/{}", call("toolu_edit"))).body;
        for text in ["<span class=\"removed\">-old", "<span class=\"added\">+new", "<pre>/src/a.rs"] {
            assert!(edit.contains(text), "{text}: {edit}");
        }
        assert!(!edit.contains("new_string"), "the change says it: {edit}");
        let open = web.get(&format!("/fragments/{}", call("toolu_open"))).body;
        assert!(open.contains("No result yet.") && open.contains("10000 more characters"), "{open}");
        assert!(open.len() < 30_000, "{} bytes", open.len());
        let page = web.get(&format!("/{}", call("toolu_bash"))).body;
        assert!(page.contains("<title>Bash · ") && page.contains("412 passed"), "{page}");
        web.get("/fragments/agents/1/calls/99").problem(404);
        web.get("/fragments/agents/99/calls/1").problem(404);
        web.get("/fragments/agents/1/calls/x").problem(400);
    }

    fn without_an_archive_the_file_itself_is_read_and_its_loss_is_said(kind: Kind) {
        let headspace = with_archive(kind, "off");
        let talk = worked(&headspace);
        headspace.watch_once();
        let web = Web::start(&headspace);
        let first = headspace.store.number("SELECT min(id) FROM tool_uses");
        let inside = || web.get(&format!("/fragments/agents/1/calls/{first}")).body;
        assert!(inside().contains("412 passed"), "{}", inside());
        assert!(web.get("/agents/1").body.contains("I should look first."));
        let given = web.get("/api/agents/1/transcript");
        assert!(given.body == fs::read_to_string(&talk.path).expect("the file"), "{}", given.body.len());
        fs::remove_file(&talk.path).expect("the file is deleted");
        assert!(inside().contains("cannot be shown: it was not kept"), "{}", inside());
        let page = web.get("/agents/1");
        assert!(page.status == 200 && page.body.contains("fix the basket"), "{}", page.body);
        let detail = web.get("/api/agents/1/transcript").problem(404);
        assert!(detail.contains("archive.mode is off"), "{detail}");
    }

    fn a_call_with_many_fields_says_how_many_more_there_are(kind: Kind) {
        let headspace = with_archive(kind, "full");
        let mut talk = Talk::new(&headspace, "many");
        talk.say("fill it in");
        let fields: serde_json::Map<_, _> = (0..43).map(|number| (format!("f{number}"), json!("x"))).collect();
        let used = json!({"type": "tool_use", "id": "toolu_many", "name": "mcp__form", "input": fields});
        let message = json!({"id": "m1", "role": "assistant", "model": "m", "content": [used]});
        append(&talk.path, talk.session.record("assistant", json!({"message": message})));
        let texts: Vec<Value> = (0..41).map(|number| json!({"type": "text", "text": format!("t{number}")})).collect();
        let result = json!({"type": "tool_result", "tool_use_id": "toolu_many", "content": texts});
        append(&talk.path, talk.session.record("user", json!({"message": {"role": "user", "content": [result]}})));
        headspace.watch_once();
        let id = headspace.store.number("SELECT id FROM tool_uses");
        let inside = Web::start(&headspace).get(&format!("/fragments/agents/1/calls/{id}")).body;
        for text in ["… 3 more fields</p>", "… 1 more part</p>"] {
            assert!(inside.contains(text), "{text}: {inside}");
        }
    }

    fn a_damaged_archive_is_a_failure_with_its_cause(kind: Kind) {
        let headspace = with_archive(kind, "full");
        let talk = worked(&headspace);
        headspace.watch_once();
        fs::remove_file(&talk.path).expect("the file is deleted");
        let content = match kind { Kind::Sqlite => "x'00010203'", Kind::Postgres => "'\\x00010203'" };
        tamper(&headspace.store, &format!("UPDATE archive SET content = {content}"));
        let web = Web::start(&headspace);
        let detail = web.get("/api/agents/1/transcript").problem(500);
        assert!(detail.contains("what was kept of it is damaged: the piece at byte 0"), "{detail}");
        let log = web.process.log();
        let line = log.lines().find(|line| line.contains("a transcript cannot be given"));
        assert!(line.is_some_and(|line| line.contains("WARN") && line.contains("the piece at byte 0")), "{log}");
    }

    fn a_transcript_is_saved_byte_for_byte_and_only_from_our_own_page(kind: Kind) {
        let headspace = with_archive(kind, "full");
        let talk = worked(&headspace);
        headspace.watch_once();
        let bytes = fs::read_to_string(&talk.path).expect("the file");
        fs::remove_file(&talk.path).expect("the file is deleted");
        let web = Web::start(&headspace);
        let given = web.get_with("/api/agents/1/transcript", &["Sec-Fetch-Site: same-origin"]);
        assert_eq!((given.status, given.body == bytes), (200, true));
        let name = format!("attachment; filename=\"{}.jsonl\"", talk.session.uuid);
        assert_eq!(given.header("content-disposition"), Some(&*name));
        let other = web.get_with("/api/agents/1/transcript", &["Sec-Fetch-Site: cross-site"]);
        other.problem(403);
    }
}

fn with_archive(kind: Kind, mode: &str) -> Headspace {
    let mut headspace = Headspace::on(kind);
    headspace.set("HEADSPACE_ARCHIVE__MODE", mode);
    headspace
}

/// A session that thought, ran, changed a file, was compacted, and failed.
fn worked(headspace: &Headspace) -> Talk {
    let mut talk = Talk::new(headspace, "worked");
    talk.say("fix the basket");
    let mut lines = String::new();
    let mut record = |kind: &str, fields: Value| lines += &talk.session.record(kind, fields);
    let message = |id: &str, block: Value| {
        json!({"message": {"id": id, "type": "message", "role": "assistant", "model": "claude-opus-4-1",
            "content": [block], "stop_reason": "tool_use"}})
    };
    let thought =
        |text: &str| json!({"type": "thinking", "thinking": text, "signature": "signature"});
    let used = |id: &str, name: &str, input: Value| json!({"type": "tool_use", "id": id, "name": name, "input": input});
    let answered = |id: &str, text: &str, result: Value| {
        json!({"toolUseResult": result, "message": {"role": "user",
            "content": [{"type": "tool_result", "tool_use_id": id, "content": text}]}})
    };
    record("assistant", message("m1", thought("I should look first.")));
    record("assistant", message("m1", thought("")));
    let command = json!({"command": "cargo test", "description": HOSTILE});
    record(
        "assistant",
        message("m1", used("toolu_bash", "Bash", command)),
    );
    record(
        "user",
        answered("toolu_bash", "412 passed", json!({"stdout": "412 passed"})),
    );
    let edit = json!({"file_path": "/src/a.rs", "old_string": "old", "new_string": "new"});
    record("assistant", message("m2", used("toolu_edit", "Edit", edit)));
    let patch = json!({"originalFile": "old", "structuredPatch": [
        {"oldStart": 1, "newStart": 1, "lines": ["-old", "+new", "+newer"]}]});
    record("user", answered("toolu_edit", "done", patch));
    record(
        "system",
        json!({"subtype": "compact_boundary", "content": "Conversation compacted",
        "compactMetadata": {"trigger": "auto", "preTokens": 155_000}}),
    );
    record(
        "assistant",
        json!({"isApiErrorMessage": true, "message": {"id": "m3", "role": "assistant",
        "model": "<synthetic>", "content": [{"type": "text", "text": "API Error: 529 overloaded"}]}}),
    );
    lines += &talk.session.prompt("and now the shop");
    let long = json!({"command": "x".repeat(30_000)});
    lines += &talk
        .session
        .record("assistant", message("m4", used("toolu_open", "Bash", long)));
    append(&talk.path, lines);
    talk
}
