//! Plays a recording to a running watcher: its transcript, its hooks, its registry,
//! and processes that stand for the CLI.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::Write,
    process::{Child, Command, Stdio},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use headspace::{
    event::Timestamp,
    spool::{Body, Line, Spool},
};
use serde_json::{Map, Value, json};

use super::recording::{Recording, What};
use crate::support::headspace::Headspace;

/// What the recordings have in the places of a root and a folder.
const ROOTS: [&str; 2] = ["/home/dev/.claude", "/home/dev/other-root"];
const FOLDER: &str = "/home/dev/code/shop";

pub struct Stage<'a> {
    headspace: &'a Headspace,
    spool: Spool,
    /// Processes by the recording's number and the pid it has for them.
    clis: HashMap<(usize, u64), Cli>,
}

struct Cli {
    child: Child,
    started: String,
}

impl<'a> Stage<'a> {
    pub fn new(headspace: &'a Headspace) -> Stage<'a> {
        fs::create_dir_all(headspace.root().join("sessions")).unwrap();
        Stage {
            headspace,
            spool: Spool::of(&headspace.state()),
            clis: HashMap::new(),
        }
    }

    /// What a witness wrote, as of a play that began then.
    pub fn play(&mut self, number: usize, recording: &Recording, what: &What, began: SystemTime) {
        let began = began.duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
        let moved = |millis: i64| began + recording.clock.played_of(millis);
        match what {
            What::Hook(body) => self.hook(body.clone()),
            What::Record { file, record } => self.record(file, record.clone(), moved),
            What::Registry { pid, content } => {
                self.registry((number, *pid), content.clone(), moved);
            }
            What::Removed { pid } => {
                let cli = &self.clis[&(number, *pid)];
                fs::remove_file(self.entry_of(cli)).unwrap();
            }
            What::Exit { pid } => drop(self.clis.remove(&(number, *pid))),
        }
    }

    /// As `headspace hook` appends it: it takes the time at which it came.
    fn hook(&self, mut body: Map<String, Value>) {
        if let Some(Value::String(path)) = body.get_mut("transcript_path") {
            let root = self.headspace.root().display().to_string();
            *path = ROOTS
                .iter()
                .fold(path.clone(), |path, old| path.replace(old, &root));
        }
        let hook = Body::Hook {
            hook: body,
            sender: None,
            cut_from_bytes: None,
        };
        let line = Line::new(Timestamp::now().to_string(), "here".into(), hook);
        let deadline = Instant::now() + Duration::from_secs(20);
        self.spool
            .append(line.to_json().as_bytes(), deadline)
            .unwrap();
    }

    fn record(&self, file: &str, mut record: Value, moved: impl Fn(i64) -> i64) {
        let time = record["timestamp"].as_str().and_then(Timestamp::parse);
        if let Some(time) = time {
            let time = Timestamp::from_micros(moved(time.micros() / 1000) * 1000);
            record["timestamp"] = json!(time.to_string());
        }
        if record["uuid"].is_string() {
            record["cwd"] = json!(FOLDER);
        }
        let path = self.headspace.root().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut file = File::options()
            .append(true)
            .create(true)
            .open(path)
            .unwrap();
        file.write_all(format!("{record}\n").as_bytes()).unwrap();
    }

    /// In place, as the CLI does it.
    fn registry(&mut self, key: (usize, u64), mut content: Value, moved: impl Fn(i64) -> i64) {
        self.clis.entry(key).or_insert_with(Cli::start);
        let cli = &self.clis[&key];
        content["pid"] = json!(cli.child.id());
        if content["procStart"].is_string() {
            content["procStart"] = json!(cli.started);
        }
        for name in ["statusUpdatedAt", "updatedAt", "startedAt"] {
            if let Some(millis) = content[name].as_i64() {
                content[name] = json!(moved(millis));
            }
        }
        // The host it was recorded on.
        content.as_object_mut().unwrap().remove("pidDomain");
        fs::write(self.entry_of(cli), content.to_string()).unwrap();
    }

    fn entry_of(&self, cli: &Cli) -> std::path::PathBuf {
        let name = format!("sessions/{}.json", cli.child.id());
        self.headspace.root().join(name)
    }
}

impl Cli {
    fn start() -> Cli {
        let child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
        let fields = stat.rsplit_once(')').unwrap().1.split_whitespace();
        let started = fields.into_iter().nth(19).unwrap().to_owned();
        Cli { child, started }
    }
}

impl Drop for Cli {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
