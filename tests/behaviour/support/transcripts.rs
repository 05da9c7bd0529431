//! Transcripts as Claude Code writes them, and the real ones.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

/// Where the real transcripts lie: a Claude folder with `projects`.
pub fn real() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/claude")
}

/// A session that is being written: every call gives its next line, newline
/// and all, a second later than the last.
pub struct Session {
    pub uuid: String,
    pub cwd: String,
    /// Of a subagent's transcript: its id.
    agent: Option<String>,
    lines: u32,
    name: u64,
}

impl Session {
    /// The same name is always the same session, under the same uuid.
    pub fn new(name: &str, cwd: &str) -> Session {
        // FNV-1a: short, and the same on every run.
        let name = name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Session {
            uuid: uuid(name, 0),
            cwd: cwd.to_owned(),
            agent: None,
            lines: 0,
            name,
        }
    }

    /// A subagent of this session, whose records carry its parent's session.
    pub fn subagent(&self, id: &str) -> Session {
        let own = Session::new(id, &self.cwd);
        Session {
            uuid: self.uuid.clone(),
            agent: Some(id.to_owned()),
            ..own
        }
    }

    /// The name of its file: `<uuid>.jsonl`, a subagent's `agent-<id>.jsonl`.
    pub fn file_name(&self) -> String {
        match &self.agent {
            Some(id) => format!("agent-{id}.jsonl"),
            None => format!("{}.jsonl", self.uuid),
        }
    }

    /// What a human typed.
    pub fn prompt(&mut self, text: &str) -> String {
        self.record(
            "user",
            json!({"message": {"role": "user", "content": text}}),
        )
    }

    /// A message of the agent's with one text block.
    pub fn reply(&mut self, text: &str) -> String {
        let message = format!("msg_{:016x}{:08x}", self.name, self.lines + 1);
        self.block(&message, text)
    }

    /// A text block of a message: blocks of one message have records of their own.
    pub fn block(&mut self, message: &str, text: &str) -> String {
        let message = json!({
            "id": message, "type": "message", "role": "assistant", "model": "claude-opus-4-1",
            "content": [{"type": "text", "text": text}], "stop_reason": "end_turn",
        });
        self.record(
            "assistant",
            json!({"message": message, "requestId": "req_1"}),
        )
    }

    /// What a tool gave back: nobody's turn.
    pub fn tool_result(&mut self, text: &str) -> String {
        let result = json!({"type": "tool_result", "tool_use_id": "toolu_1", "content": text});
        self.record(
            "user",
            json!({"message": {"role": "user", "content": [result]}}),
        )
    }

    /// A prompt typed while the agent worked.
    pub fn queued(&mut self, text: &str) -> String {
        let attachment = json!({"type": "queued_command", "prompt": text, "commandMode": "prompt"});
        self.record("attachment", json!({"attachment": attachment}))
    }

    /// A record of any type with fields that are added or, if null, taken away.
    pub fn record(&mut self, kind: &str, fields: Value) -> String {
        self.lines += 1;
        let parent = (self.lines > 1).then(|| uuid(self.name, self.lines - 1));
        let mut record = json!({
            "parentUuid": parent, "isSidechain": self.agent.is_some(), "userType": "external",
            "cwd": self.cwd, "sessionId": self.uuid, "version": "2.1.143", "gitBranch": "main",
            "type": kind, "uuid": uuid(self.name, self.lines), "timestamp": time(self.lines),
        });
        let map = record.as_object_mut().expect("an object");
        if let Some(id) = &self.agent {
            map.insert("agentId".into(), id.clone().into());
        }
        for (name, value) in fields.as_object().expect("fields") {
            match value {
                Value::Null => map.remove(name),
                value => map.insert(name.clone(), value.clone()),
            };
        }
        format!("{record}\n")
    }
}

/// Adds to a file as Claude Code does; makes the file if it is not there.
pub fn append(path: &Path, bytes: impl AsRef<[u8]>) {
    let file = fs::File::options().append(true).create(true).open(path);
    let mut file = file.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    file.write_all(bytes.as_ref()).expect("it is written");
}

/// Every file below a folder, relative to it, in order.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(here) = open.pop() {
        for entry in fs::read_dir(&here).expect("a folder").flatten() {
            if entry.file_type().expect("a type").is_dir() {
                open.push(entry.path());
            } else {
                let path = entry.path();
                found.push(path.strip_prefix(folder).expect("below").to_owned());
            }
        }
    }
    found.sort();
    found
}

fn uuid(name: u64, line: u32) -> String {
    let (high, low) = (name >> 32, name & 0xffff_ffff);
    format!(
        "{high:08x}-{:04x}-4{:03x}-8000-{low:08x}{line:04x}",
        line >> 16,
        line & 0xfff
    )
}

/// A line a second, from some morning on.
fn time(line: u32) -> String {
    let (hours, minutes, seconds) = (8 + line / 3600 % 16, line / 60 % 60, line % 60);
    let day = 1 + line / 57_600 % 28;
    format!("2026-03-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.000Z")
}
