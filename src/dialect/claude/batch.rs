//! From lines to the entries of a segment, as far as the limits allow.

use std::{collections::HashMap, io, ops::ControlFlow, path::Path};

use crate::{
    dialect::{Place, reject},
    event::{
        Entry, Event, Evidence, FactKey, Moment, Payload, Refusal, Rejection, SessionSeen, Shows,
        Timestamp, What,
    },
    tail::{Body, Consumer, Line, Measured},
};

use super::{
    context::Context,
    detail::{Detail, Full, Plain},
    record::{self, Malformed, Record},
    said::Said,
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
    /// Entries carry what lines show beside events.
    pub evidence: bool,
    pub now: Timestamp,
}

/// A segment holds about this much text at most.
const BATCH_BYTES: u64 = 1024 * 1024;
/// One look reads about this much at most, whatever it finds: others wait.
const READ_BYTES: u64 = 8 * 1024 * 1024;
/// What is pending up to this size, in one file alone, is live: each event
/// commits by itself.
const LIVE_BYTES: u64 = 16 * 1024;

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
    /// A session was named, and its folder is not known yet.
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

    /// What is asked for beside events never decides whether a line is a record.
    fn here(&mut self, offset: u64, line: &[u8]) {
        if self.limits.evidence
            && let Ok(record) = Record::<Full>::parse(line)
        {
            return self.record(offset, &record, line);
        }
        match Record::<Plain>::parse(line) {
            Ok(record) => self.record(offset, &record, line),
            Err(reason) => self.reject(offset, reject::line(line, reason.to_string())),
        }
    }

    fn in_file(&mut self, line: &Line<'_>, measured: &Measured) -> io::Result<()> {
        let (offset, name) = (line.offset, measured.sha256.as_bytes());
        let open = || Ok(line.reader());
        if !measured.is_utf8 {
            self.reject_long(line, measured, Malformed::NotUtf8.to_string());
            return Ok(());
        }
        if self.limits.evidence
            && let Ok(record) = Record::<Full>::parse_long(open)?
        {
            self.record(offset, &record, name);
            return Ok(());
        }
        match Record::<Plain>::parse_long(open)? {
            Ok(record) => self.record(offset, &record, name),
            Err(reason) => self.reject_long(line, measured, reason.to_string()),
        }
        Ok(())
    }

    fn record<D: Detail>(&mut self, offset: u64, record: &Record<D>, line: &[u8]) {
        self.memory.count_unknown(record);
        let in_subagent = matches!(self.place, Place::Subagent(_));
        let said = record.said(in_subagent);
        let moment = Moment::of_record(record.time(), self.limits.now);
        let named = record.session_id.as_deref().filter(|id| !id.is_empty());
        let session = match named {
            Some(session) => session.to_owned(),
            None if said == Said::Nothing || in_subagent => return,
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
            self.event(offset, event, line);
        }
        for shows in D::evidence(record) {
            self.evidence(offset, &session, record, moment, shows);
        }
    }

    fn event(&mut self, offset: u64, event: Result<Event, Refusal>, line: &[u8]) {
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

    fn evidence<D: Detail>(
        &mut self,
        offset: u64,
        session: &str,
        record: &Record<D>,
        moment: Moment,
        shows: Shows,
    ) {
        let evidence = Evidence {
            session_uuid: self.child_of(session, record).unwrap_or(session.to_owned()),
            moment,
            in_sidechain: self.place == Place::Session && record.is_sidechain == Some(true),
            shows,
        };
        self.entries.push(Entry {
            offset,
            what: What::Evidence(Box::new(evidence)),
        });
    }

    /// The subagent that a record in its own file belongs to.
    fn child_of<D: Detail>(&self, session: &str, record: &Record<D>) -> Option<String> {
        let Place::Subagent(file_id) = &self.place else {
            return None;
        };
        let id = record.agent_id.as_deref().unwrap_or(file_id);
        Some(format!("{session}/{id}"))
    }

    /// Notes that a session was active; its first seen in a batch stands
    /// before its first event.
    fn see<D: Detail>(
        &mut self,
        offset: u64,
        session: &str,
        record: &Record<D>,
        moment: Moment,
        must: bool,
    ) {
        if moment.observed && !must {
            return;
        }
        if !self.memory.projects.contains_key(session) {
            self.nameless = true;
            self.memory.begun(session, moment.at);
            return;
        }
        let own_file = self.stem == session;
        self.session(offset, session.to_owned(), None, session, own_file, moment);
        if let Some(child) = self.child_of(session, record) {
            self.session(offset, child, Some(session), session, true, moment);
        }
    }

    fn session(
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
            iterm_pane_id: None,
            registered: false,
            reopens: true,
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

    fn reject_long(&mut self, line: &Line<'_>, measured: &Measured, reason: String) {
        self.reject(line.offset, reject::long(measured, line.length, reason));
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
        self.read_bytes += length;
        match &line.body {
            Body::Here(bytes) if bytes.trim_ascii().is_empty() => {}
            Body::Here(bytes) if length > self.limits.max_line_bytes => {
                self.reject(offset, reject::line(bytes, self.too_long(length)));
            }
            Body::Here(bytes) => self.here(offset, bytes),
            Body::InFile(measured) => self.in_file(&line, measured)?,
            Body::TooLong(measured) => self.reject_long(&line, measured, self.too_long(length)),
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
        self.nameless && self.seen_sessions.is_empty() && self.events == 0
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, fs, mem::discriminant, path::PathBuf};

    use super::*;
    use crate::tail::lines;

    fn transcripts(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                transcripts(&path, found);
            } else if path.extension().is_some_and(|kind| kind == "jsonl") {
                found.push(path);
            }
        }
    }

    fn entries(path: &Path, evidence: bool) -> Vec<Entry> {
        let limits = Limits {
            max_events: usize::MAX,
            max_line_bytes: u64::MAX,
            alone: false,
            evidence,
            now: Timestamp::UNIX_EPOCH,
        };
        let mut memory = Context::default();
        let mut batch = Batch::new(path, Place::Session, &mut memory, limits);
        let file = fs::File::open(path).unwrap();
        let size = file.metadata().unwrap().len();
        let mut buffer = Vec::new();
        let take = |line: Line<'_>| batch.line(line);
        lines::read(&file, 0, size, u64::MAX, &mut buffer, take).unwrap();
        batch.finish()
    }

    /// Asking for evidence changes nothing else, on real transcripts of many
    /// versions; and these show every kind there is but the rarest.
    #[test]
    fn evidence_stands_beside_the_same_events() {
        let mut paths = Vec::new();
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/claude");
        transcripts(&data, &mut paths);
        assert!(!paths.is_empty());
        let mut kinds = BTreeMap::new();
        for path in paths {
            let plain = entries(&path, false);
            let (evidence, rest): (Vec<Entry>, Vec<Entry>) = entries(&path, true)
                .into_iter()
                .partition(|entry| matches!(entry.what, What::Evidence(_)));
            assert_eq!(format!("{rest:?}"), format!("{plain:?}"), "{path:?}");
            for entry in evidence {
                let What::Evidence(evidence) = entry.what else {
                    unreachable!()
                };
                let name = format!("{:?}", discriminant(&evidence.shows));
                *kinds.entry(name).or_insert(0) += 1;
            }
        }
        assert!(kinds.len() >= 9, "{kinds:?}");
    }
}
