//! A recorded session: what its three witnesses said, and when that was there to see.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::Value;

use headspace::{
    derive::state::{Input, Whose, evidence, hook, observation, of_child, of_session},
    dialect::Place,
    event::{HookReceived, ObservedStatus, SessionObserved, Shows, Timestamp, What},
};

use super::replay;

/// What was said, by whom it is about: a session, or `session/subagent`.
pub struct Seen {
    /// Milliseconds since the recording began.
    pub at: i64,
    pub agent: String,
    pub input: Input,
}

pub struct Timeline {
    pub name: String,
    pub seen: Vec<Seen>,
}

impl Timeline {
    /// All that are recorded.
    pub fn all() -> Vec<Timeline> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/timelines");
        let files = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let mut files: Vec<_> = files
            .filter(|file| file.extension() == Some("jsonl".as_ref()))
            .collect();
        files.sort();
        files.iter().map(|file| Timeline::read(file)).collect()
    }

    pub fn read(file: &Path) -> Timeline {
        let text = fs::read_to_string(file).unwrap();
        let lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let begun = begun(&lines);
        let mut seen = Vec::new();
        let mut files: BTreeMap<&str, Vec<(i64, &Value)>> = BTreeMap::new();
        let mut processes: BTreeMap<String, SessionObserved> = BTreeMap::new();
        for line in &lines {
            let at = line["t"].as_i64().unwrap();
            let time = Timestamp::from_micros((begun + at) * 1000);
            match line["src"].as_str().unwrap() {
                "hook" => seen.extend(of_hook(at, time, &line["body"])),
                "registry" => seen.extend(of_registry(at, time, line, &mut processes)),
                "process" => {
                    let pid = line["pid"].to_string();
                    seen.extend(processes.remove(&pid).map(|last| gone(at, time, &last)));
                }
                "transcript" => {
                    let file = line["file"].as_str().unwrap();
                    files.entry(file).or_default().push((at, &line["record"]));
                }
                _ => {}
            }
        }
        for (file, records) in files {
            seen.extend(of_transcript(file, &records));
        }
        seen.sort_by_key(|seen| seen.at);
        let seen = with_children(seen);
        Timeline {
            name: file.file_stem().unwrap().to_string_lossy().into_owned(),
            seen,
        }
    }

    /// In the order in which they were first heard of.
    pub fn sessions(&self) -> Vec<&str> {
        let mut sessions: Vec<&str> = Vec::new();
        for seen in &self.seen {
            let session = seen.agent.split('/').next().unwrap_or_default();
            if !sessions.contains(&session) {
                sessions.push(session);
            }
        }
        sessions
    }

    pub fn agents(&self) -> Vec<&str> {
        let mut agents: Vec<&str> = self.seen.iter().map(|seen| seen.agent.as_str()).collect();
        agents.sort_unstable();
        agents.dedup();
        agents
    }
}

/// What is said of a session is said of the subagents it has by then.
fn with_children(seen: Vec<Seen>) -> Vec<Seen> {
    let mut children: Vec<String> = Vec::new();
    let mut all = Vec::new();
    for seen in seen {
        let of_children = of_session(&seen.input).filter(|_| !seen.agent.contains('/'));
        for child in &children {
            let mine = child.starts_with(&seen.agent);
            all.extend(of_children.clone().filter(|_| mine).map(|input| Seen {
                at: seen.at,
                agent: child.clone(),
                input,
            }));
        }
        if seen.agent.contains('/') && !children.contains(&seen.agent) {
            children.push(seen.agent.clone());
        }
        all.push(seen);
    }
    all
}

/// Times of witnesses are never later than when they were seen.
pub fn begun(lines: &[Value]) -> i64 {
    let times = lines.iter().filter_map(|line| {
        let said = match line["src"].as_str()? {
            "registry" => line["content"]["statusUpdatedAt"].as_i64()?,
            "transcript" => {
                let time = Timestamp::parse(line["record"]["timestamp"].as_str()?)?;
                time.micros() / 1000
            }
            _ => return None,
        };
        Some(said - line["t"].as_i64()?)
    });
    times.max().unwrap_or(0)
}

fn of_hook(at: i64, time: Timestamp, body: &Value) -> Vec<Seen> {
    let mut fields = body.as_object().unwrap().clone();
    let mut take = |name: &str| fields.remove(name).unwrap().as_str().unwrap().to_owned();
    let session = take("session_id");
    let received = HookReceived {
        hook_type: take("hook_event_name"),
        claude_session_id: session.clone(),
        working_directory: take("cwd"),
        fields,
    };
    let said = hook(&received, time).into_iter();
    said.map(|(whose, input)| Seen {
        at,
        agent: match whose {
            Whose::Session => session.clone(),
            Whose::Child(id) => format!("{session}/{id}"),
        },
        input,
    })
    .collect()
}

/// As the observer of the registry tells it.
fn of_registry(
    at: i64,
    time: Timestamp,
    line: &Value,
    processes: &mut BTreeMap<String, SessionObserved>,
) -> Vec<Seen> {
    let content = &line["content"];
    if content.as_str() == Some("removed") {
        let file = line["file"].as_str().unwrap();
        let last = processes.remove(file.trim_end_matches(".json"));
        return last.map(|last| gone(at, time, &last)).into_iter().collect();
    }
    let text = |name: &str| content[name].as_str().map(str::to_owned);
    let Ok(status) = serde_json::from_value(content["status"].clone()) else {
        return Vec::new();
    };
    let observed = SessionObserved {
        claude_session_id: text("sessionId").unwrap(),
        status,
        pid: content["pid"].as_u64().unwrap() as u32,
        waiting_for: text("waitingFor"),
        process_started: text("procStart"),
        working_directory: text("cwd"),
    };
    let since = content["statusUpdatedAt"]
        .as_i64()
        .or(content["updatedAt"].as_i64());
    let time = since.map_or(time, |millis| Timestamp::from_micros(millis * 1000));
    let seen = Seen {
        at,
        agent: observed.claude_session_id.clone(),
        input: observation(&observed, time),
    };
    // A process that is in another session has left the one it was in.
    let session = observed.claude_session_id.clone();
    let before = processes.insert(observed.pid.to_string(), observed);
    let left = before.filter(|before| before.claude_session_id != session);
    let left = left.map(|left| gone(at, time, &left));
    [seen].into_iter().chain(left).collect()
}

fn gone(at: i64, time: Timestamp, last: &SessionObserved) -> Seen {
    let observed = SessionObserved {
        status: ObservedStatus::Gone,
        waiting_for: None,
        ..last.clone()
    };
    Seen {
        at,
        agent: observed.claude_session_id.clone(),
        input: observation(&observed, time),
    }
}

/// The records of one file, through the dialect.
fn of_transcript(file: &str, records: &[(i64, &Value)]) -> Vec<Seen> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(Path::new(file).file_name().unwrap());
    let lines: String = records
        .iter()
        .map(|(_, record)| format!("{record}\n"))
        .collect();
    fs::write(&path, lines).unwrap();
    let stem = path.file_stem().unwrap().to_string_lossy();
    let place = match stem.strip_prefix("agent-") {
        Some(id) => Place::Subagent(id.to_owned()),
        None => Place::Session,
    };
    let mut seen = Vec::new();
    for (line, entry) in replay::entries_by_line(&path, place) {
        let What::Evidence(shown) = entry.what else {
            continue;
        };
        let (at, record) = records[line];
        // The recording left out what the CLI put in: nothing can be known of it.
        if record["isMeta"] == true && matches!(shown.shows, Shows::Prompted(_)) {
            continue;
        }
        let Some(input) = evidence(&shown) else {
            continue;
        };
        if let Some((session, child)) = shown.session_uuid.split_once('/') {
            seen.extend(of_child(&input, child).map(|input| Seen {
                at,
                agent: session.to_owned(),
                input,
            }));
        }
        seen.push(Seen {
            at,
            agent: shown.session_uuid.clone(),
            input,
        });
    }
    seen
}
