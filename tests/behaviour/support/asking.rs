//! A session that asks for leave to run a command, as it happens: its records and its
//! hook carry the time of now.

use std::{io::Write, path::PathBuf, process::Stdio};

use serde_json::{Value, json};

use super::{
    headspace::Headspace,
    transcripts::{Session, append},
};

pub struct Asking {
    pub session: Session,
    path: PathBuf,
    calls: u32,
}

impl Asking {
    pub fn new(headspace: &Headspace, name: &str) -> Asking {
        let session = Session::new(name, &format!("/home/dev/{name}"));
        let project = headspace.project(&format!("-home-dev-{name}"));
        let path = project.join(session.file_name());
        Asking {
            session,
            path,
            calls: 0,
        }
    }

    /// A person's prompt, which becomes the title.
    pub fn prompt(&mut self, text: &str) {
        let message = json!({"role": "user", "content": text});
        self.add("user", message);
    }

    /// The agent wants to run this, and its hook asks for leave.
    pub fn ask(&mut self, headspace: &Headspace, command: &str) {
        self.calls += 1;
        let (id, input) = (self.call(), json!({"command": command}));
        let call = json!({"type": "tool_use", "id": id, "name": "Bash", "input": input});
        let message = json!({"id": format!("msg_{id}"), "role": "assistant", "model": "m",
            "content": [call], "stop_reason": "tool_use"});
        self.add("assistant", message);
        let asked = json!({
            "session_id": self.session.uuid, "cwd": self.session.cwd,
            "hook_event_name": "PermissionRequest", "tool_name": "Bash", "tool_input": input,
        });
        let mut hook = headspace.command(&["hook"]);
        let mut hook = hook
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("it runs");
        let mut stdin = hook.stdin.take().expect("piped");
        stdin
            .write_all(asked.to_string().as_bytes())
            .expect("written");
        drop(stdin);
        assert!(hook.wait().expect("it ended").success());
    }

    /// The agent asks a question with options: its transcript alone says so.
    pub fn question(&mut self, text: &str) {
        self.calls += 1;
        let (id, options) = (self.call(), json!([{"label": "One"}, {"label": "Two"}]));
        let input = json!({"questions": [{"question": text, "header": "h", "options": options}]});
        let call = json!({"type": "tool_use", "id": id, "name": "AskUserQuestion", "input": input});
        let message = json!({"id": format!("msg_{id}"), "role": "assistant", "model": "m",
            "content": [call], "stop_reason": "tool_use"});
        self.add("assistant", message);
    }

    /// The person let it run, and it is done.
    pub fn answered(&mut self) {
        let result = json!({"type": "tool_result", "tool_use_id": self.call(), "content": "ok"});
        self.add("user", json!({"role": "user", "content": [result]}));
    }

    fn call(&self) -> String {
        format!("toolu_{}_{}", self.session.uuid, self.calls)
    }

    fn add(&mut self, kind: &str, message: Value) {
        let now = format!("{:.3}", jiff::Timestamp::now());
        let fields = json!({"message": message, "timestamp": now});
        append(&self.path, self.session.record(kind, fields));
    }
}
