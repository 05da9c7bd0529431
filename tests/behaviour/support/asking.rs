//! A session that asks for leave to run a command, as it happens: its records and its
//! hook carry the time of now.

use std::{fs, io::Write, path::PathBuf, process::Stdio};

use serde_json::{Value, json};

use super::{
    headspace::{Headspace, eventually},
    transcripts::{Session, append},
};

pub struct Asking {
    pub session: Session,
    path: PathBuf,
    calls: u32,
    /// How long ago all of it was.
    seconds_ago: i64,
}

impl Asking {
    pub fn new(headspace: &Headspace, name: &str) -> Asking {
        Asking::at(headspace, name, 0)
    }

    /// The same with records of a while ago.
    pub fn at(headspace: &Headspace, name: &str, seconds_ago: i64) -> Asking {
        let session = Session::new(name, &format!("/home/dev/{name}"));
        let project = headspace.project(&format!("-home-dev-{name}"));
        let path = project.join(session.file_name());
        Asking {
            session,
            path,
            calls: 0,
            seconds_ago,
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
        let fields = json!({"tool_name": "Bash", "tool_input": input});
        self.hook(headspace, "PermissionRequest", fields);
    }

    /// A subagent of it begins, and wants to run this.
    pub fn subagent_asks(&mut self, headspace: &Headspace, id: &str, command: &str) {
        let mut subagent = self.session.subagent(id);
        let folder = self.path.with_extension("").join("subagents");
        fs::create_dir_all(&folder).expect("a folder");
        let message = json!({"role": "user", "content": "Look into it."});
        let record = subagent.record("user", self.now(message));
        append(&folder.join(subagent.file_name()), record);
        // A hook of one that is not known yet is its session's alone.
        let known = format!("SELECT count(*) FROM agents WHERE session_uuid LIKE '%/{id}'");
        eventually("the subagent is known", || {
            headspace.store.number(&known) == 1
        });
        let fields = json!({
            "agent_id": id, "agent_type": "general-purpose",
            "tool_name": "Bash", "tool_input": {"command": command},
        });
        self.hook(headspace, "PermissionRequest", fields);
    }

    fn hook(&self, headspace: &Headspace, name: &str, fields: Value) {
        let mut input = fields;
        input["session_id"] = json!(self.session.uuid);
        input["cwd"] = json!(self.session.cwd);
        input["hook_event_name"] = json!(name);
        let mut hook = headspace.command(&["hook"]);
        hook.stdin(Stdio::piped()).stdout(Stdio::null());
        let mut hook = hook.spawn().expect("it runs");
        let mut stdin = hook.stdin.take().expect("piped");
        let written = stdin.write_all(input.to_string().as_bytes());
        written.expect("it reads all");
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

    /// The agent's turn ends with these words.
    pub fn done(&mut self, text: &str) {
        self.calls += 1;
        let message = json!({"id": format!("msg_{}", self.call()), "role": "assistant", "model": "m",
            "content": [{"type": "text", "text": text}], "stop_reason": "end_turn"});
        self.add("assistant", message);
    }

    fn call(&self) -> String {
        format!("toolu_{}_{}", self.session.uuid, self.calls)
    }

    fn add(&mut self, kind: &str, message: Value) {
        let fields = self.now(message);
        append(&self.path, self.session.record(kind, fields));
    }

    /// The fields of a record of now.
    fn now(&self, message: Value) -> Value {
        let at = jiff::Timestamp::now() - jiff::SignedDuration::from_secs(self.seconds_ago);
        json!({"message": message, "timestamp": format!("{at:.3}")})
    }
}
