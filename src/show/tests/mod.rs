mod waits;

use jiff::{Timestamp, Zoned, tz::TimeZone};
use serde_json::json;

use super::*;
use crate::store::Stored;

fn now() -> Zoned {
    let now: Timestamp = "2026-11-30T14:00:00Z".parse().unwrap();
    now.to_zoned(TimeZone::UTC)
}

fn row(id: i64, change: impl FnOnce(&mut AgentRow)) -> AgentRow {
    let at = "2026-11-30T12:00:00.000000Z";
    let mut row = AgentRow {
        id,
        session_uuid: format!("{id:08}-aaaa"),
        project_id: 1,
        project_name: "shop".into(),
        project_path: "/home/dev/shop".into(),
        branch: None,
        host: "devbox".into(),
        parent_agent_id: None,
        cli: "claude".into(),
        title: None,
        state: "idle".into(),
        needs: "none".into(),
        asks: None,
        since: None,
        background: 0,
        unseen: false,
        viewed_at: None,
        snoozed_until: None,
        open: true,
        last_words: None,
        command_id: None,
        model: None,
        context_tokens: None,
        todos: None,
        queue_length: 0,
        permission_mode: None,
        working_directory: "/home/dev/shop".into(),
        transcript_path: None,
        terminal: None,
        iterm_pane_id: None,
        started_at: at.into(),
        last_seen_at: at.into(),
        ended_at: None,
        end_reason: None,
        successor_id: None,
        forked_from_id: None,
        other_hosts: None,
        witnessed: false,
    };
    change(&mut row);
    row
}

fn ask(needs: &str, asks: Option<&str>) -> AgentRow {
    row(1, |row| {
        row.needs = needs.into();
        row.asks = asks.map(str::to_owned);
    })
}

#[test]
fn a_session_shows_as_the_first_that_fits() {
    type Change = fn(&mut AgentRow);
    let table: [(Change, Mark); 10] = [
        (|_| {}, Mark::Idle),
        (|row| row.background = 1, Mark::Background),
        (|row| row.state = "processing".into(), Mark::Working),
        (|row| row.state = "commanded".into(), Mark::Working),
        (|row| row.unseen = true, Mark::Finished),
        (
            |row| (row.unseen, row.background) = (true, 1),
            Mark::Finished,
        ),
        (
            |row| (row.unseen, row.state) = (true, "processing".into()),
            Mark::Working,
        ),
        // A menu that a person opened needs nothing.
        (|row| row.state = "awaiting_input".into(), Mark::Idle),
        (
            |row| (row.unseen, row.needs) = (true, "asked".into()),
            Mark::NeedsYou,
        ),
        (
            |row| (row.open, row.needs) = (false, "plan".into()),
            Mark::Ended,
        ),
    ];
    for (number, (change, mark)) in table.into_iter().enumerate() {
        let rows = [row(1, change)];
        assert_eq!(sessions(&rows)[0].mark, mark, "row {number}");
    }
}

#[test]
fn a_subagents_need_stands_on_its_root() {
    let below = |id, parent, needs: &str| {
        row(id, |row| {
            row.parent_agent_id = Some(parent);
            row.needs = needs.into();
            row.state = "processing".into();
        })
    };
    let rows = [
        row(1, |row| row.state = "processing".into()),
        below(2, 1, "none"),
        below(3, 2, "permission"),
        // Rows that name each other, and one whose parent is not here.
        below(4, 5, "plan"),
        below(5, 4, "plan"),
        below(6, 99, "plan"),
        row(7, |_| {}),
        below(8, 7, "none"),
    ];
    let shown = sessions(&rows);
    let shown: Vec<_> = shown
        .iter()
        .map(|s| (s.agent.id, s.mark, s.asker.map(|a| a.id), s.subagents))
        .collect();
    assert_eq!(
        shown,
        [
            (1, Mark::NeedsYou, Some(3), 2),
            (7, Mark::Background, None, 1)
        ]
    );
}

#[test]
fn the_blocked_come_before_the_asking_and_the_longest_wait_first() {
    let at = |id, needs: &str, hour: u32| {
        row(id, |row| {
            row.needs = needs.into();
            row.since = Some(
                format!("2026-11-30T{hour:02}:00:00.000000Z")
                    .as_str()
                    .into(),
            );
        })
    };
    let rows = [
        at(1, "asked", 1),
        at(2, "permission", 3),
        at(3, "plan", 2),
        at(4, "none", 1),
        at(5, "none", 5),
    ];
    let order: Vec<i64> = sessions(&rows).iter().map(|s| s.agent.id).collect();
    assert_eq!(order, [3, 2, 1, 5, 4]);
}

#[test]
fn needs_have_words() {
    for (needs, asks, sentence) in [
        (
            "permission",
            Some("Bash: npm test"),
            "asks to run `npm test`",
        ),
        ("permission", Some("Bash: a: b\nc"), "asks to run `a: b`"),
        (
            "permission",
            Some("Edit: src/a.rs"),
            "asks to use Edit `src/a.rs`",
        ),
        (
            "permission",
            Some("mcp__db__drop"),
            "asks to use mcp__db__drop",
        ),
        ("permission", None, "asks for leave"),
        (
            "question",
            Some("One or two?\n1. One"),
            "asks you: “One or two?”",
        ),
        ("asked", Some("Shall I?"), "asks you: “Shall I?”"),
        ("plan", None, "wants the plan approved"),
        (
            "dialog",
            Some("trust this folder"),
            "shows a dialog: “trust this folder”",
        ),
        ("error", Some("API Error: 529"), "failed: “API Error: 529”"),
        ("error", Some(" "), "failed"),
        (
            "limit",
            Some("5-hour limit reached ∙ resets 3pm (UTC)"),
            "hit the limit until 3pm",
        ),
        (
            "limit",
            Some("limit reached|1796052000"),
            "hit the limit until 15:20",
        ),
        (
            "limit",
            Some("limit reached|1796116800"),
            "hit the limit until Dec 1 09:20",
        ),
        (
            "limit",
            Some("limit reached"),
            "hit the limit: “limit reached”",
        ),
    ] {
        let need = need(&ask(needs, asks), &now()).expect(needs);
        assert_eq!(need.sentence(), sentence, "{needs} {asks:?}");
    }
    assert_eq!(need(&ask("none", Some("left over")), &now()), None);
}

#[test]
fn times_are_short() {
    for (seconds, brief, words) in [
        (0, "0s", "0 s"),
        (59, "59s", "59 s"),
        (60, "1m", "1 min"),
        (3599, "59m", "59 min"),
        (9 * 3600, "9h", "9 h"),
        (86_400, "1d", "1 day"),
        (3 * 86_400, "3d", "3 days"),
    ] {
        let age = Age::of(seconds);
        assert_eq!((age.brief(), age.words()), (brief.into(), words.into()));
    }
    let now = now().timestamp();
    assert_eq!(age("2026-11-30T13:57:00.000000Z", now).brief(), "3m");
    for odd in ["2026-11-30T14:00:05Z", "yesterday"] {
        assert_eq!(age(odd, now), Age::of(0), "{odd}");
    }
}

#[test]
fn a_title_is_never_empty_and_todos_are_counted() {
    let mut row = row(7, |row| row.title = Some("  ".into()));
    assert_eq!(title(&row), "00000007");
    row.title = Some("Port the parser".into());
    assert_eq!(title(&row), "Port the parser");
    assert_eq!(todo_counts(&row), None);
    for (todos, counts) in [
        (
            r#"[{"status":"completed"},{"status":"in_progress"},{}]"#,
            Some((1, 3)),
        ),
        ("[]", None),
        (r#"{"no":"list"}"#, None),
    ] {
        row.todos = Some(serde_json::from_str(todos).unwrap());
        assert_eq!(todo_counts(&row), counts);
    }
}

#[test]
fn silence_is_said_of_work_that_no_process_and_no_hook_tells_of() {
    let now = now().timestamp();
    let silence = |change: fn(&mut AgentRow)| {
        let agent = row(1, |row| {
            row.state = "processing".into();
            change(row);
        });
        session(&agent, []).silence(now)
    };
    assert_eq!(silence(|_| ()), Some(7200));
    assert_eq!(silence(|row| row.witnessed = true), None);
    assert_eq!(silence(|row| row.state = "idle".into()), None);
    assert_eq!(
        silence(|row| row.last_seen_at = "2026-11-30T13:50:01Z".into()),
        None
    );
    assert_eq!(
        silence(|row| row.last_seen_at = "2026-11-30T13:50:00Z".into()),
        Some(600)
    );
}

#[test]
fn a_move_is_said_in_words() {
    for (from, to, needs, words) in [
        ("idle", "commanded", Some("none"), "idle → commanded"),
        ("commanded", "processing", None, "commanded → working"),
        (
            "processing",
            "awaiting_input",
            Some("none"),
            "working → waits for you",
        ),
        (
            "processing",
            "awaiting_input",
            Some("permission"),
            "working → asks for leave",
        ),
        (
            "awaiting_input",
            "processing",
            Some("none"),
            "waits for you → working",
        ),
        (
            "processing",
            "idle",
            Some("limit"),
            "working → hit the limit",
        ),
        // From a later version.
        (
            "processing",
            "fast_asleep",
            Some("rest"),
            "working → fast asleep",
        ),
    ] {
        assert_eq!(moved(from, to, needs), words);
    }
}

#[test]
fn an_event_is_one_line_and_may_say_what_its_session_shows_as() {
    let said = |kind: &str, payload: serde_json::Value| {
        let event = Stored {
            id: 1,
            event_type: kind.into(),
            timestamp: String::new(),
            recorded_at: String::new(),
            project_id: None,
            agent_id: Some(1),
            command_id: None,
            turn_id: None,
            payload: serde_json::value::RawValue::from_string(payload.to_string()).unwrap(),
        };
        let Summary { mark, text } = summary(&event);
        (mark, text)
    };
    let moved = json!({"from_state": "processing", "to_state": "idle", "needs": "error", "trigger": "turn"});
    for (kind, payload, mark, text) in [
        (
            "state_transition",
            moved,
            Some(Mark::NeedsYou),
            "working → failed, by turn",
        ),
        (
            "session_ended",
            json!({"reason": "exit"}),
            Some(Mark::Ended),
            "exit",
        ),
        (
            "turn_detected",
            json!({"actor": "agent", "text": "\nAll pass.\nBye."}),
            None,
            "agent: All pass.",
        ),
        ("hook_received", json!({"hook_type": "Stop"}), None, "Stop"),
        ("session_viewed", json!({}), None, "seen"),
        (
            "from_a_later_version",
            json!([1]),
            None,
            "from_a_later_version",
        ),
    ] {
        assert_eq!(said(kind, payload), (mark, text.to_owned()));
    }
}
