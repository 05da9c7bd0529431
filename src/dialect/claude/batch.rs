//! From lines to the entries of a segment, as far as the limits allow.

use std::{
    collections::{BTreeMap, HashMap},
    io,
    ops::ControlFlow,
    path::Path,
};

use crate::{
    dialect::reject,
    event::{Entry, FactKey, Moment, Payload, Rejection, SessionSeen, Timestamp, What},
    tail::{Body, Consumer, Line},
};

use super::{
    git,
    place::Place,
    record::{self, Malformed, Record},
    translate,
};

/// How much one look may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// At most this many events; one line's events always stay together.
    pub max_events: usize,
    pub max_line_bytes: u64,
    /// No other file waits: what is live goes event by event.
    pub alone: bool,
    pub now: Timestamp,
}

/// A segment holds about this much text at most.
const BATCH_BYTES: u64 = 1024 * 1024;
/// One look reads about this much at most, whatever it finds: others wait.
const READ_BYTES: u64 = 8 * 1024 * 1024;
/// What is pending up to this size, in one file alone, is live: each event
/// commits by itself.
const LIVE_BYTES: u64 = 16 * 1024;

/// How many unknown record types are counted each for itself.
const MAX_UNKNOWN: usize = 100;

/// What the records said so far, whatever file they stood in.
#[derive(Default)]
pub struct Context {
    /// Unknown record types, with how often each was read.
    unknown: BTreeMap<String, u64>,
    /// The least time of sessions that had not named their folder yet.
    nameless: HashMap<String, Timestamp>,
    projects: HashMap<String, Project>,
    repositories: HashMap<String, git::Repository>,
}

#[derive(Clone)]
struct Project {
    path: String,
    working_directory: Option<String>,
}

pub struct Batch<'a> {
    /// The file's path, and what kind of transcript it is.
    path: String,
    stem: String,
    place: Place,
    memory: &'a mut Context,
    limits: Limits,
    entries: Vec<Entry>,
    /// Where in `entries` a session's seen stands.
    seen_sessions: HashMap<String, usize>,
    events: usize,
    text_bytes: u64,
    read_bytes: u64,
    /// A session was named whose folder is not known yet.
    nameless: bool,
}

impl<'a> Batch<'a> {
    pub fn new(path: &Path, place: Place, memory: &'a mut Context, limits: Limits) -> Batch<'a> {
        Batch {
            path: path.to_string_lossy().into_owned(),
            stem: path
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            place,
            memory,
            limits,
            entries: Vec::new(),
            seen_sessions: HashMap::new(),
            events: 0,
            text_bytes: 0,
            read_bytes: 0,
            nameless: false,
        }
    }

    fn too_long(&self, length: u64) -> String {
        let most = self.limits.max_line_bytes;
        format!("a line of {length} bytes is longer than watch.max_line_bytes ({most})")
    }

    pub fn finish(self) -> Vec<Entry> {
        self.entries
    }

    fn record(&mut self, offset: u64, record: &Record, line: &[u8]) {
        self.memory.count_unknown(record);
        let in_subagent = matches!(self.place, Place::Subagent(_));
        let said = record.said(in_subagent);
        let moment = Moment::of_record(record.time(), self.limits.now);
        let named = record.session_id.as_deref().filter(|id| !id.is_empty());
        let session = match named {
            Some(session) => session.to_owned(),
            None if said == record::Said::Nothing || in_subagent => return,
            None => self.stem.clone(),
        };
        self.memory.learn(&session, record.cwd.as_deref());
        let key = || FactKey::line(&session, line);
        let events = translate::events(record, said, &session, moment, &key);
        if !events.is_empty() {
            self.memory.assume(&session);
        }
        self.see(offset, &session, record, moment, !events.is_empty());
        for event in events {
            match event {
                Ok(event) => {
                    if let Payload::TurnDetected(turn) = &event.payload {
                        self.text_bytes += turn.text.len() as u64;
                    }
                    self.events += 1;
                    self.entries.push(Entry {
                        offset,
                        what: What::Event(Box::new(event)),
                    });
                }
                Err(refusal) => self.reject(offset, reject::line(line, refusal.to_string())),
            }
        }
    }

    /// Notes that a session was active; its first seen in a batch stands
    /// before its first event.
    fn see(&mut self, offset: u64, session: &str, record: &Record, moment: Moment, must: bool) {
        if moment.observed && !must {
            return;
        }
        if !self.memory.projects.contains_key(session) {
            self.nameless = true;
            self.memory.begun(session, moment.at);
            return;
        }
        let own_file = self.stem == session;
        self.sight(offset, session.to_owned(), None, session, own_file, moment);
        if let Place::Subagent(file_id) = &self.place {
            let id = record.agent_id.as_deref().unwrap_or(file_id);
            let child = format!("{session}/{id}");
            self.sight(offset, child, Some(session), session, true, moment);
        }
    }

    fn sight(
        &mut self,
        offset: u64,
        uuid: String,
        parent: Option<&str>,
        project_of: &str,
        own_file: bool,
        moment: Moment,
    ) {
        if let Some(&index) = self.seen_sessions.get(&uuid)
            && let What::Seen(seen) = &mut self.entries[index].what
        {
            seen.first = seen.first.min(moment.at);
            seen.last = seen.last.max(moment.at);
            seen.working_directory = self.memory.projects[project_of].working_directory.clone();
            return;
        }
        let project = self.memory.projects[project_of].clone();
        let begun = self
            .memory
            .nameless
            .get(&uuid)
            .copied()
            .unwrap_or(moment.at);
        let repository = self.memory.repository(&project.path);
        let seen = SessionSeen {
            session_uuid: uuid.clone(),
            parent: parent.map(str::to_owned),
            git_remote: repository.remote.clone(),
            git_branch: repository.branch.clone(),
            project_path: project.path,
            working_directory: project.working_directory,
            transcript_path: own_file.then(|| self.path.clone()),
            cli: "claude",
            first: begun.min(moment.at),
            last: moment.at,
        };
        self.seen_sessions.insert(uuid, self.entries.len());
        self.entries.push(Entry {
            offset,
            what: What::Seen(seen),
        });
    }

    fn reject(&mut self, offset: u64, rejection: Rejection) {
        self.events += 1;
        self.entries.push(Entry {
            offset,
            what: What::Rejected(rejection),
        });
    }
}

impl Consumer for Batch<'_> {
    fn start(&mut self, pending: u64) {
        if self.limits.alone && pending <= LIVE_BYTES {
            self.limits.max_events = 1;
        }
    }

    fn line(&mut self, line: Line<'_>) -> io::Result<ControlFlow<()>> {
        let (offset, length) = (line.offset, line.length);
        let whole = || Ok(line.reader());
        self.read_bytes += length;
        match &line.body {
            Body::Here(bytes) if bytes.trim_ascii().is_empty() => {}
            Body::Here(bytes) if length > self.limits.max_line_bytes => {
                self.reject(offset, reject::line(bytes, self.too_long(length)));
            }
            Body::Here(bytes) => match Record::parse(bytes) {
                Ok(record) => self.record(offset, &record, bytes),
                Err(reason) => self.reject(offset, reject::line(bytes, reason.to_string())),
            },
            Body::InFile(measured) => {
                let parsed = if measured.is_utf8 {
                    Record::parse_long(whole)?
                } else {
                    Err(Malformed::NotUtf8)
                };
                match parsed {
                    Ok(record) => self.record(offset, &record, measured.sha256.as_bytes()),
                    Err(reason) => {
                        self.reject(offset, reject::long(measured, length, reason.to_string()));
                    }
                }
            }
            Body::TooLong(measured) => {
                self.reject(
                    offset,
                    reject::long(measured, length, self.too_long(length)),
                );
            }
        }
        if self.is_full() {
            Ok(ControlFlow::Break(()))
        } else {
            Ok(ControlFlow::Continue(()))
        }
    }

    fn is_full(&self) -> bool {
        self.events >= self.limits.max_events
            || self.text_bytes >= BATCH_BYTES
            || self.read_bytes >= READ_BYTES
    }

    fn is_whole(&self, bytes: &[u8]) -> bool {
        record::is_whole(bytes)
    }

    /// A session can only be registered with its folder, and the lines before
    /// it say when the session began.
    fn needs_more(&self) -> bool {
        self.nameless && self.entries.is_empty()
    }
}

impl Context {
    /// Unknown types are counted, not errors: the format is free to grow.
    fn count_unknown(&mut self, record: &Record) {
        let Some(mut kind) = record.unknown_type() else {
            return;
        };
        kind.truncate(kind.floor_char_boundary(64));
        if self.unknown.len() < MAX_UNKNOWN || self.unknown.contains_key(&kind) {
            *self.unknown.entry(kind).or_default() += 1;
        }
    }

    pub fn unknown(&self) -> &BTreeMap<String, u64> {
        &self.unknown
    }

    /// Forgets what the repositories looked like, so that they are read anew.
    pub fn forget_repositories(&mut self) {
        self.repositories.clear();
    }

    /// The first folder a session names is its project, the latest where it works.
    fn learn(&mut self, session: &str, cwd: Option<&str>) {
        let Some(cwd) = cwd.filter(|cwd| !cwd.is_empty()) else {
            return;
        };
        match self.projects.get_mut(session) {
            Some(project) if project.working_directory.as_deref() == Some(cwd) => {}
            Some(project) => project.working_directory = Some(cwd.to_owned()),
            None => {
                let project = Project {
                    path: cwd.to_owned(),
                    working_directory: Some(cwd.to_owned()),
                };
                self.projects.insert(session.to_owned(), project);
            }
        }
    }

    fn begun(&mut self, session: &str, at: Timestamp) {
        let least = self.nameless.entry(session.to_owned()).or_insert(at);
        *least = at.min(*least);
    }

    /// A turn must have a session, even one that has not named its folder
    /// since we look. If it was registered before, that project stays.
    fn assume(&mut self, session: &str) {
        let unknown = || Project {
            path: "unknown".into(),
            working_directory: None,
        };
        self.projects
            .entry(session.to_owned())
            .or_insert_with(unknown);
    }

    fn repository(&mut self, path: &str) -> &git::Repository {
        self.repositories
            .entry(path.to_owned())
            .or_insert_with(|| git::describe(Path::new(path)))
    }
}
