//! Alerts: what is told, when, in which way, and when it is taken back.

mod command;
mod desktop;
mod settings;
mod told;
mod webhook;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::support::headspace::{Headspace, Kind, eventually};

/// headspace with a command that keeps what it was told.
struct Told {
    headspace: Headspace,
    file: PathBuf,
}

impl Told {
    fn on(kind: Kind) -> Told {
        let mut headspace = Headspace::on(kind);
        let file = headspace.dir().join("told");
        fs::write(&file, "").expect("written");
        let program = script(
            headspace.dir(),
            "tell-me",
            &format!("cat >> '{}'", file.display()),
        );
        headspace.set("HEADSPACE_NOTIFY__COMMAND", program.display());
        Told { headspace, file }
    }

    /// What was told so far.
    fn messages(&self) -> Vec<Value> {
        let text = fs::read_to_string(&self.file).expect("read");
        // A line may be on its way.
        let lines = text
            .split_inclusive('\n')
            .filter(|line| line.ends_with('\n'));
        lines
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect()
    }

    fn wait_for(&self, count: usize) -> Vec<Value> {
        eventually(&format!("{count} messages"), || {
            self.messages().len() >= count
        });
        self.messages()
    }
}

/// Each message as its type and what it tells of.
fn told(messages: &[Value]) -> Vec<(String, Vec<i64>)> {
    let of = |message: &Value| {
        let kind = message["type"].as_str().expect("a type").to_owned();
        let waits = message["waits"].as_array().expect("waits").iter();
        (
            kind,
            waits
                .map(|wait| wait["agent_id"].as_i64().expect("an id"))
                .collect(),
        )
    };
    messages.iter().map(of).collect()
}

fn alert(agents: &[i64]) -> (String, Vec<i64>) {
    ("alert".to_owned(), agents.to_vec())
}

fn withdrawn(agents: &[i64]) -> (String, Vec<i64>) {
    ("withdrawn".to_owned(), agents.to_vec())
}

/// A program of the shell.
fn script(folder: &Path, name: &str, body: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\n{body}\n")).expect("written");
    fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("executable");
    path
}
