//! A recording as it can be played: what each witness wrote, and when.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};

use super::{super::timeline::Timeline, clock::Clock};

pub struct Recording {
    pub name: String,
    /// In the order in which they were first heard of: the first is `1` in the steps.
    pub sessions: Vec<String>,
    pub entries: Vec<Entry>,
    pub clock: Clock,
}

pub struct Entry {
    /// When it was there to be read, in milliseconds since the play began.
    pub at: i64,
    pub what: What,
}

pub enum What {
    Hook(Map<String, Value>),
    Record { file: String, record: Value },
    Registry { pid: u64, content: Value },
    Removed { pid: u64 },
    Exit { pid: u64 },
}

pub fn recordings() -> Vec<Recording> {
    let read = |(number, file): (usize, PathBuf)| Recording::read(number, &file);
    files().into_iter().enumerate().map(read).collect()
}

pub fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/timelines");
    let paths = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = paths
        .filter(|file| file.extension() == Some("jsonl".as_ref()))
        .collect();
    files.sort();
    files
}

impl Recording {
    /// The one of this number. Its messages and calls have ids of their own: each
    /// scene counted them from one.
    pub fn read(number: usize, file: &Path) -> Recording {
        let text = fs::read_to_string(file).unwrap();
        let text = text
            .replace("toolu_0", &format!("toolu_{number}_0"))
            .replace("msg_0", &format!("msg_{number}_0"));
        let lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let timeline = Timeline::read(file);
        let said: Vec<(i64, What)> = lines.iter().filter_map(said).collect();
        let times: Vec<i64> = said.iter().map(|(at, _)| *at).collect();
        let clock = Clock::new(super::super::timeline::begun(&lines), &times);
        let entries = said.into_iter().map(|(at, what)| Entry {
            at: clock.played(at),
            what,
        });
        Recording {
            name: timeline.name.clone(),
            sessions: timeline.sessions().into_iter().map(str::to_owned).collect(),
            entries: entries.collect(),
            clock,
        }
    }

    /// `1/ID` for the subagent ID of the first session; nothing for another's.
    pub fn number_of(&self, agent: &str) -> Option<String> {
        let (session, child) = match agent.split_once('/') {
            Some((session, child)) => (session, Some(child)),
            None => (agent, None),
        };
        let known = self.sessions.iter().position(|known| known == session)?;
        Some(match child {
            Some(child) => format!("{}/{child}", known + 1),
            None => (known + 1).to_string(),
        })
    }
}

fn said(line: &Value) -> Option<(i64, What)> {
    let file = || line["file"].as_str().unwrap().to_owned();
    let pid = || file().trim_end_matches(".json").parse().unwrap();
    let what = match line["src"].as_str()? {
        "hook" => What::Hook(line["body"].as_object()?.clone()),
        // What the CLI put in is left out of recordings: nothing can be known of it.
        "transcript" if line["record"]["isMeta"] == true && line["record"]["type"] == "user" => {
            return None;
        }
        "transcript" => What::Record {
            file: file(),
            record: line["record"].clone(),
        },
        "registry" if line["content"].is_string() => What::Removed { pid: pid() },
        "registry" => What::Registry {
            pid: pid(),
            content: line["content"].clone(),
        },
        "process" => What::Exit {
            pid: line["pid"].as_u64()?,
        },
        _ => return None,
    };
    Some((line["t"].as_i64()?, what))
}
