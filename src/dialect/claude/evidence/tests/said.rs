use serde_json::{Value, json};

use super::{super::*, all_shown, assistant, shown};
use crate::{
    event::{Origin, PromptKind},
    meaning,
};

/// What a user record with these words puts in.
fn put(words: &str, more: Value) -> Option<(PromptKind, Origin, String)> {
    let mut line = json!({"type": "user", "sessionId": "s", "message": {"content": words}});
    for (key, value) in more.as_object().unwrap() {
        line[key] = value.clone();
    }
    all_shown(&line).into_iter().find_map(|shows| match shows {
        Shows::Prompted(put) => Some((put.kind, put.by, put.text)),
        _ => None,
    })
}

#[test]
fn what_is_put_in_has_its_kind_and_its_origin() {
    use {Origin::*, PromptKind::*};
    let meta = json!({"isMeta": true});
    for (words, more, kind, by) in [
        ("do it", json!({}), Words, Human),
        ("do it", json!({"promptSource": "queued"}), Words, Queued),
        ("x", json!({"origin": {"kind": "peer"}}), Words, Peer),
        (
            "x",
            json!({"origin": {"kind": "scheduled-task"}}),
            Words,
            Cron,
        ),
        ("<task-notification>x", json!({}), Words, Task),
        ("<teammate-message id=1>x", json!({}), Words, Peer),
        ("<bash-input>ls</bash-input>", json!({}), Shell, Human),
        ("Stop hook feedback:\n[x]: no", meta.clone(), Injected, Hook),
        ("Do these steps", meta.clone(), Injected, Unknown),
    ] {
        assert_eq!(put(words, more), Some((kind, by, words.into())), "{words}");
    }
    let named = |kind, name: &str| Some((kind, Human, name.to_owned()));
    let skill = "<command-message>x is running</command-message>\n<command-name>/x</command-name>";
    assert_eq!(put(skill, json!({})), named(Skill, "/x"));
    let built_in = "<command-name>/model</command-name>\n<command-message>model</command-message>";
    assert_eq!(put(built_in, json!({})), named(BuiltIn, "/model"));
}

#[test]
fn what_sets_nothing_to_work_is_not_put_in() {
    let meta = json!({"isMeta": true});
    for (words, more) in [
        ("<local-command-caveat>Caveat", meta.clone()),
        ("Caveat: The messages below", meta.clone()),
        ("<system-reminder>x", meta.clone()),
        ("Continue from where you left off.", meta.clone()),
        ("[Request interrupted by user]", json!({})),
        ("<local-command-stdout>x", json!({})),
        ("text of a tool", json!({"sourceToolUseID": "t"})),
        ("a summary", json!({"isCompactSummary": true})),
        (" ", json!({})),
    ] {
        assert_eq!(put(words, more), None, "{words}");
    }
}

#[test]
fn what_was_queued_reaches_an_agent_at_work() {
    let line = |mode: &str| {
        json!({"type": "attachment", "sessionId": "s", "attachment":
        {"type": "queued_command", "prompt": "and this", "commandMode": mode}})
    };
    for (mode, by) in [
        ("prompt", Origin::Queued),
        ("task-notification", Origin::Task),
    ] {
        let [Shows::Prompted(put), ..] = &all_shown(&line(mode))[..] else {
            panic!("{mode}");
        };
        assert_eq!((put.kind, put.by), (PromptKind::MidTurn, by));
    }
}

#[test]
fn a_text_keeps_its_end_and_says_how_its_reply_stopped() {
    let said = |text: &str, stop: Value, model: &str| {
        let mut line = assistant(json!([{"type": "text", "text": text}]));
        line["message"]["stop_reason"] = stop;
        line["message"]["model"] = json!(model);
        let mut all = all_shown(&line);
        all.retain(|shows| !matches!(shows, Shows::Stop { .. }));
        all
    };
    let text = |last: &str, stop: Option<&str>| {
        vec![Shows::Text {
            message_id: Some("msg_1".into()),
            words: meaning::of(last),
            stop: stop.map(str::to_owned),
        }]
    };
    assert_eq!(said("hi", json!(null), "m"), text("hi", None));
    assert_eq!(
        said("hi", json!("end_turn"), "m"),
        text("hi", Some("end_turn"))
    );
    let long = format!("{}end", "é".repeat(5000));
    assert_eq!(
        said(&long, json!(null), "m"),
        text(&format!("{}end", "é".repeat(997)), None)
    );
    assert_eq!(said("\n\n", json!(null), "m"), [Shows::Thinking]);
    let by_cli = |words| said(words, json!("stop_sequence"), "<synthetic>");
    assert_eq!(by_cli("No response requested."), [Shows::Filler]);
    assert_eq!(by_cli("It was cut"), text("It was cut", None));
}

#[test]
fn a_refusal_says_whether_the_agent_may_go_on() {
    let refusal = |words: &str| {
        let line = json!({"type": "user", "message": {"content": [
            {"type": "tool_result", "tool_use_id": "t", "is_error": true, "content": format!("{REFUSED}. {words}")}]}});
        all_shown(&line).into_iter().find_map(|shows| match shows {
            Shows::Refusal { with_reason, .. } => Some(with_reason),
            _ => None,
        })
    };
    assert_eq!(refusal("STOP what you are doing"), Some(false));
    assert_eq!(
        refusal("The user provided the following reason for the rejection: no"),
        Some(true)
    );
}

#[test]
fn a_stop_hook_shows_that_the_agent_came_to_its_end() {
    for line in [
        json!({"type": "system", "subtype": "stop_hook_summary"}),
        json!({"type": "system", "content": "\u{1b}[1mStop\u{1b}[22m [x] completed"}),
        json!({"type": "progress", "data": {"type": "hook_progress", "hookEvent": "Stop"}}),
        json!({"type": "attachment", "attachment": {"type": "hook_success", "hookEvent": "Stop"}}),
    ] {
        assert_eq!(all_shown(&line), [Shows::StopHook], "{line}");
    }
    let other = json!({"type": "progress", "data": {"hookEvent": "PostToolUse"}});
    assert_eq!(all_shown(&other), []);
}

#[test]
fn a_question_is_shown_with_its_answers() {
    let input =
        json!({"questions": [{"question": "Which?", "options": [{"label": "A"}, {"label": "B"}]}]});
    let block = json!({"type": "tool_use", "id": "t", "name": "AskUserQuestion", "input": input});
    let [Shows::ToolCall { argument, .. }] = &shown(&assistant(json!([block])))[..] else {
        panic!("no call");
    };
    assert_eq!(argument.as_deref(), Some("Which? (A / B)"));
}
