//! What headspace's own hooks leave in transcripts says nothing.

use serde_json::json;

use crate::support::{
    headspace::{Headspace, Kind, caught, on_both},
    oracle,
    transcripts::{Session, append},
};

on_both! {
    fn traces_of_hooks_are_no_turns_no_rejections_and_no_unknown_types(kind: Kind) {
        let headspace = Headspace::on(kind);
        let mut session = Session::new("traces", "/home/dev/shop");
        let path = headspace.project("-home-dev-shop").join(session.file_name());
        let mut lines = session.prompt("hello");
        for (trace, event, more) in [
            ("hook_success", "PreToolUse", json!({"exitCode": 0, "durationMs": 12})),
            ("hook_success", "Stop", json!({"exitCode": 200, "stdout": "{}", "command": "http://127.0.0.1:5055/hook"})),
            ("hook_non_blocking_error", "Stop", json!({"exitCode": 127,
                "stderr": "Failed with non-blocking status code: /bin/sh: 1: headspace: not found"})),
            ("hook_non_blocking_error", "Stop", json!({"exitCode": 0, "stderr": "connect ECONNREFUSED 127.0.0.1:5055"})),
            ("hook_success", "Stop", json!({"exitCode": 0, "durationMs": 9,
                "command": "/usr/bin/headspace hook 2>/dev/null || cat >/dev/null"})),
            ("async_hook_response", "SessionStart", json!({"processId": "h1", "exitCode": 127,
                "response": {}, "stdout": "", "stderr": "headspace: not found"})),
            ("hook_additional_context", "UserPromptSubmit", json!({"content": ["headspace hook"]})),
            ("hook_blocking_error", "Stop", json!({"blockingError": {"blockingError": "x", "command": "headspace hook"}})),
        ] {
            let mut attachment = json!({"type": trace, "hookEvent": event, "hookName": event,
                "toolUseID": "toolu_1", "command": "headspace hook", "stdout": "", "stderr": ""});
            for (name, value) in more.as_object().unwrap() {
                attachment[name] = value.clone();
            }
            lines += &session.record("attachment", json!({"attachment": attachment}));
        }
        lines += &session.record("system", json!({"subtype": "stop_hook_summary", "hookCount": 1,
            "hookInfos": [{"command": "headspace hook"}], "hookErrors": ["headspace: not found"],
            "preventedContinuation": false, "stopReason": "", "hasOutput": false, "level": "suggestion"}));
        lines += &session.record("progress", json!({"data": {"type": "hook_progress",
            "hookEvent": "Stop", "hookName": "Stop", "command": "headspace hook"}}));
        append(&path, lines + &session.reply("I am here."));
        let watched = headspace.run(&["watch", "--once"]);
        assert_eq!(caught(&watched).rejected, 0);
        let log = String::from_utf8_lossy(&watched.stderr);
        assert!(!log.contains("unknown types"), "{log}");
        assert_eq!(headspace.store.turns(), ["hello", "I am here."]);
        oracle::assert_clean(&headspace);
    }
}
