mod said;

use serde_json::{Value, json};

use crate::event::Todo;

use super::{super::detail::Plain, *};

/// What a line shows; a reader that asks for no evidence finds none in it.
fn all_shown(line: &Value) -> Vec<Shows> {
    let line = line.to_string();
    assert!(Record::<Plain>::parse(line.as_bytes()).is_ok());
    let full = Record::<Full>::parse(line.as_bytes()).unwrap();
    let long = Record::<Full>::parse_long(|| Ok(line.as_bytes()))
        .unwrap()
        .unwrap();
    let said = full.said(false);
    assert_eq!(of(&full, &said), of(&long, &said));
    of(&full, &said)
}

/// The same without what is said and put in.
fn shown(line: &Value) -> Vec<Shows> {
    let mut all = all_shown(line);
    all.retain(|shows| {
        !matches!(
            shows,
            Shows::Prompted(_)
                | Shows::Text { .. }
                | Shows::Refusal { .. }
                | Shows::ErrorText { .. }
        )
    });
    all
}

fn assistant(content: Value) -> Value {
    json!({"type": "assistant", "uuid": "u", "sessionId": "s", "message": {
        "id": "msg_1", "model": "claude-opus-4-7", "role": "assistant", "content": content}})
}

#[test]
fn a_call_has_its_name_and_the_argument_that_says_most() {
    let long = "x".repeat(500);
    for (name, input, argument) in [
        (
            "Bash",
            json!({"command": "rm -rf build", "description": "clean"}),
            Some("rm -rf build"),
        ),
        (
            "Read",
            json!({"limit": 5, "file_path": "/a/b.rs"}),
            Some("/a/b.rs"),
        ),
        (
            "Grep",
            json!({"path": "src", "pattern": "fn main"}),
            Some("fn main"),
        ),
        (
            "AskUserQuestion",
            json!({"questions": [{"header": "h", "question": "Which?", "options": [{}]}]}),
            Some("Which?"),
        ),
        (
            "ExitPlanMode",
            json!({"plan": "1. do it"}),
            Some("1. do it"),
        ),
        (
            "Agent",
            json!({"description": "look", "prompt": "long"}),
            Some("look"),
        ),
        ("Bash", json!({"command": long}), Some(&long[..200])),
        ("Other", json!({"command": {"a": [1]}, "n": 1.5}), None),
        ("Other", json!("text"), None),
    ] {
        let block = json!({"type": "tool_use", "id": "toolu_1", "name": name, "input": input});
        let expected = Shows::ToolCall {
            tool_use_id: "toolu_1".into(),
            name: name.into(),
            argument: argument.map(str::to_owned),
        };
        assert_eq!(shown(&assistant(json!([block]))), [expected]);
    }
}

#[test]
fn a_result_closes_its_call_and_says_how() {
    let result = |content: Value, is_error: Value, more: Value| {
        let mut line = json!({"type": "user", "sessionId": "s", "message": {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "toolu_1", "content": content, "is_error": is_error}]}});
        for (key, value) in more.as_object().unwrap() {
            line[key] = value.clone();
        }
        shown(&line)
    };
    let closed = |outcome| {
        [Shows::ToolResult {
            tool_use_id: "toolu_1".into(),
            outcome,
        }]
    };
    let none = || json!({});
    assert_eq!(
        result(json!("done"), json!(null), none()),
        closed(ToolOutcome::Ok)
    );
    let blocks = json!([{"type": "image", "source": {}}, {"type": "text", "text": "no such file"}]);
    assert_eq!(
        result(blocks, json!(true), none()),
        closed(ToolOutcome::Error)
    );
    let refused =
        json!("The user doesn't want to proceed with this tool use. The tool use was rejected");
    assert_eq!(
        result(refused.clone(), json!(true), none()),
        closed(ToolOutcome::Denied)
    );
    assert_eq!(
        result(
            json!([{"type": "text", "text": refused}]),
            json!(true),
            none()
        ),
        closed(ToolOutcome::Denied)
    );
    let marked = json!({"toolDenialKind": "user-rejected"});
    assert_eq!(
        result(json!("no"), json!(true), marked),
        closed(ToolOutcome::Denied)
    );
}

#[test]
fn a_reply_has_its_usage_and_why_it_stopped() {
    let mut line = assistant(json!([{"type": "text", "text": "done"}]));
    line["message"]["stop_reason"] = json!("end_turn");
    line["message"]["usage"] = json!({"input_tokens": 3, "output_tokens": 40, "cache_read_input_tokens": 500,
        "cache_creation_input_tokens": 6, "service_tier": null, "server_tool_use": {"web_search_requests": 0}});
    let usage = Usage {
        message_id: "msg_1".into(),
        model: Some("claude-opus-4-7".into()),
        input: 3,
        output: 40,
        cache_read: 500,
        cache_write: 6,
    };
    let stop = Shows::Stop {
        reason: "end_turn".into(),
    };
    assert_eq!(shown(&line), [Shows::Usage(usage), stop]);
    line["message"]["usage"] = json!(null);
    line["message"]["stop_reason"] = json!(null);
    assert_eq!(shown(&line), []);
}

#[test]
fn an_interruption_names_its_message_if_the_cli_does() {
    let line = |content: Value| {
        json!({"type": "user", "sessionId": "s", "message": {"content": content},
        "interruptedMessageId": "msg_9", "promptId": "p1"})
    };
    let prompt = Shows::Prompt {
        prompt_id: "p1".into(),
    };
    for content in [
        json!("[Request interrupted by user]"),
        json!([{"type": "text", "text": "[Request interrupted by user for tool use]"}]),
    ] {
        let interruption = Shows::Interruption {
            message_id: Some("msg_9".into()),
        };
        assert_eq!(shown(&line(content)), [interruption, prompt.clone()]);
    }
    let title = Shows::Title {
        kind: TitleKind::Prompt,
        text: "go on".into(),
    };
    assert_eq!(shown(&line(json!("go on"))), [prompt, title]);
}

#[test]
fn an_api_error_has_its_kind_and_a_retry_its_number() {
    let mut line = assistant(json!([{"type": "text", "text": "API Error"}]));
    line["isApiErrorMessage"] = json!(true);
    line["error"] = json!("rate_limit");
    let error = |kind: &str, retry| {
        [Shows::ApiError {
            kind: Some(kind.into()),
            retry,
        }]
    };
    assert_eq!(shown(&line), error("rate_limit", None));
    let retry = json!({"type": "system", "subtype": "api_error", "sessionId": "s", "level": "error",
        "error": {"status": 429, "headers": {}, "error": {"type": "error", "error": {"type": "x"}}, "type": "rate_limit_error"},
        "retryInMs": 535.22, "retryAttempt": 1, "maxRetries": 10});
    assert_eq!(shown(&retry), error("rate_limit_error", Some((1, 10))));
}

#[test]
fn the_end_of_a_turn_counts_what_goes_on_in_the_background() {
    let line = |more: Value| {
        let mut line = json!({"type": "system", "subtype": "turn_duration", "durationMs": 1794, "messageCount": 5, "sessionId": "s"});
        line["pendingBackgroundAgentCount"] = more;
        shown(&line)
    };
    assert_eq!(line(json!(null)), [Shows::TurnEnd { background: 0 }]);
    assert_eq!(line(json!(2)), [Shows::TurnEnd { background: 2 }]);
}

#[test]
fn titles_modes_queue_compaction_and_forks_are_shown() {
    let title = |kind, text: &str| Shows::Title {
        kind,
        text: text.into(),
    };
    let mode = || Shows::PermissionMode {
        mode: "plan".into(),
    };
    for (line, expected) in [
        (
            json!({"type": "custom-title", "customTitle": "mine"}),
            title(TitleKind::Custom, "mine"),
        ),
        (
            json!({"type": "ai-title", "aiTitle": "Echo"}),
            title(TitleKind::Ai, "Echo"),
        ),
        (
            json!({"type": "agent-name", "agentName": "trial"}),
            title(TitleKind::Agent, "trial"),
        ),
        (
            json!({"type": "permission-mode", "permissionMode": "plan"}),
            mode(),
        ),
        (
            json!({"type": "user", "permissionMode": "plan", "message": {"content": "<system-reminder>"}}),
            mode(),
        ),
        (
            json!({"type": "queue-operation", "operation": "enqueue", "content": "x"}),
            Shows::Queue {
                operation: "enqueue".into(),
            },
        ),
        (
            json!({"type": "system", "subtype": "compact_boundary", "compactMetadata": {"trigger": "auto", "preTokens": 9}}),
            Shows::Compaction {
                trigger: Some("auto".into()),
            },
        ),
        (
            json!({"type": "attachment", "forkedFrom": {"sessionId": "origin", "messageUuid": "m"}}),
            Shows::ForkedFrom {
                session_uuid: "origin".into(),
            },
        ),
    ] {
        assert_eq!(shown(&line), [expected], "{line}");
    }
}

#[test]
fn what_is_to_do_is_a_list_or_changes_one_by_one() {
    let call = |name: &str, todos: Value| {
        let input = json!({"todos": todos});
        let block = json!({"type": "tool_use", "id": "toolu_1", "name": name, "input": input});
        shown(&assistant(json!([block]))).split_off(1)
    };
    let list = json!([
        {"content": "one", "status": "completed", "activeForm": "Doing one"},
        {"content": "x".repeat(300), "status": "pending"},
        {"content": 3, "status": "pending"}, "four",
    ]);
    let todo = |content: &str, status: &str| Todo {
        id: None,
        content: content.into(),
        status: status.into(),
    };
    let expected = vec![todo("one", "completed"), todo(&"x".repeat(200), "pending")];
    assert_eq!(call("TodoWrite", list.clone()), [Shows::Todos(expected)]);
    assert_eq!(call("TodoWrite", json!([])), [Shows::Todos(vec![])]);
    assert_eq!(call("Another", list), []);
    let many = json!(vec![json!({"content": "c", "status": "pending"}); 300]);
    assert_eq!(
        call("TodoWrite", many),
        [Shows::Todos(vec![todo("c", "pending"); 200])]
    );

    let result = |result: Value| {
        shown(&json!({"type": "user", "toolUseResult": result,
            "message": {"content": [{"type": "tool_result", "content": "done"}]}}))
    };
    assert_eq!(
        result(json!({"task": {"id": "1", "subject": "read"}})),
        [Shows::TaskCreated {
            id: "1".into(),
            subject: "read".into()
        }]
    );
    let change = json!({"from": "pending", "to": "completed"});
    assert_eq!(
        result(json!({"success": true, "taskId": "1", "statusChange": change})),
        [Shows::TaskUpdated {
            id: "1".into(),
            status: "completed".into()
        }]
    );
    for none in [
        json!({"taskId": "1"}),
        json!("Error: no"),
        json!([{"task": {}}]),
    ] {
        assert_eq!(result(none), []);
    }
}

#[test]
fn what_the_cli_wrote_itself_costs_nothing() {
    let mut line = assistant(json!([]));
    line["message"]["usage"] = json!({"input_tokens": 0});
    assert_eq!(shown(&line).len(), 1);
    line["message"]["model"] = json!("<synthetic>");
    assert_eq!(shown(&line), []);
}

#[test]
fn evidence_of_the_wrong_type_is_none_and_no_error() {
    let odd = [
        json!(1),
        json!(-1),
        json!(1.5),
        json!(true),
        json!([1, {}]),
        json!({"a": []}),
        json!(""),
    ];
    for value in odd {
        for key in [
            "subtype",
            "error",
            "operation",
            "customTitle",
            "forkedFrom",
            "compactMetadata",
            "promptId",
        ] {
            for kind in ["system", "queue-operation", "custom-title", "user", "x"] {
                assert_eq!(
                    shown(&json!({"type": kind, key: value})),
                    [],
                    "{kind} {key} {value}"
                );
            }
        }
        let mut line =
            assistant(json!([{"type": "tool_use", "id": value, "name": value, "input": value}]));
        line["message"]["usage"] = value.clone();
        line["message"]["stop_reason"] = value.clone();
        let tokens = |shows: &Shows| matches!(shows, Shows::Usage(usage) if usage.input == 0);
        assert!(shown(&line).iter().all(tokens), "{value}");
    }
}
