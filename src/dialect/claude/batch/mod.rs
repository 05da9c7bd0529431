//! From lines to the entries of a segment, as far as the limits allow.

#[cfg(test)]
mod tests;

use std::{collections::HashMap, io, ops::ControlFlow, path::Path};

use crate::{
    dialect::{Place, reject},
    event::{
        Entry, Event, Evidence, FactKey, Moment, Payload, Refusal, Rejection, SessionSeen, Shows,
        Sign, Timestamp, What,
    },
    tail::{Body, Consumer, Line, Measured},
};

use super::{
    context::Context,
    detail::{Detail, Full, Plain},
    evidence,
    record::{self, Malformed, Record},
    said::Said,
    shorten::Shortened,
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
    /// Evidence that waits for its session to be seen.
    unseen: Vec<Entry>,
    /// The greatest time in the file so far: a record without a time is from then.
    reached: Option<Timestamp>,
    /// Nothing before it in the file is unknown.
    is_followed: bool,
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
            unseen: Vec::new(),
            reached: None,
            is_followed: false,
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

    pub fn finish(mut self) -> Vec<Entry> {
        if let Some(at) = self.reached.filter(|_| self.is_followed) {
            self.memory.reached.insert(self.stem, at);
        }
        self.entries.append(&mut self.unseen);
        self.entries
    }

    /// What is asked for beside events never decides whether a line is a record.
    fn here(&mut self, offset: u64, line: &[u8]) {
        if self.limits.evidence
            && let Ok(record) = Record::<Full>::parse(line)
        {
            return self.record(offset, &record, line, |said| evidence::of(&record, said));
        }
        match Record::<Plain>::parse(line) {
            Ok(record) => self.record(offset, &record, line, |_| Vec::new()),
            Err(reason) => self.reject(offset, reject::line(line, reason.to_string())),
        }
    }

    /// Evidence needs no long text, so none of a long line is kept for it.
    fn in_file(&mut self, line: &Line<'_>, measured: &Measured) -> io::Result<()> {
        let (offset, name) = (line.offset, measured.sha256.as_bytes());
        if !measured.is_utf8 {
            self.reject_long(line, measured, Malformed::NotUtf8.to_string());
            return Ok(());
        }
        let shows = match self.limits.evidence {
            true => {
                let open = || Ok(io::BufReader::new(Shortened::new(line.reader())));
                Record::<Full>::parse_long(open)?.ok()
            }
            false => None,
        };
        match Record::<Plain>::parse_long(|| Ok(line.reader()))? {
            Ok(record) => self.record(offset, &record, name, |said| {
                shows.map_or_else(Vec::new, |full| evidence::of(&full, said))
            }),
            Err(reason) => self.reject_long(line, measured, reason.to_string()),
        }
        Ok(())
    }

    fn record<D: Detail>(
        &mut self,
        offset: u64,
        record: &Record<D>,
        line: &[u8],
        shows: impl FnOnce(&Said) -> Vec<Shows>,
    ) {
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
        if !moment.observed {
            self.reached = self.reached.max(Some(moment.at));
        }
        self.memory.learn(&session, record.cwd.as_deref());
        let key = || FactKey::line(&session, line);
        let shown = shows(&said);
        let events = translate::events(record, said, &session, moment, &key);
        if !events.is_empty() {
            self.memory.assume(&session);
        }
        self.see(offset, &session, record, moment, !events.is_empty());
        for event in events {
            self.event(offset, event, line);
        }
        let is_origin = |shows: &Shows| matches!(shows, Shows::ForkedFrom { .. });
        let is_copied = shown.iter().any(is_origin);
        let child = self.child_of(&session, record);
        let of = child.unwrap_or(session);
        for shows in shown {
            let evidence = Evidence {
                session_uuid: of.clone(),
                moment: self.dated(moment),
                in_sidechain: !in_subagent && record.is_sidechain == Some(true),
                is_copied,
                shows,
            };
            self.evidence(offset, evidence);
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

    /// Evidence that a session's records show before it is seen waits for that.
    fn evidence(&mut self, offset: u64, evidence: Evidence) {
        let is_seen = self.seen_sessions.contains_key(&evidence.session_uuid);
        let entries = if is_seen {
            &mut self.entries
        } else {
            &mut self.unseen
        };
        entries.push(Entry {
            offset,
            what: What::Evidence(Box::new(evidence)),
        });
    }

    /// A record without a time is from when those before it in the file are.
    fn dated(&self, moment: Moment) -> Moment {
        if !moment.observed {
            return moment;
        }
        Moment {
            at: self.reached.unwrap_or(Timestamp::UNIX_EPOCH),
            observed: self.reached.is_none() || !self.is_followed,
        }
    }

    /// What a session's records showed before it was seen follows its seen.
    fn release(&mut self, session: &str) {
        for mut entry in std::mem::take(&mut self.unseen) {
            let What::Evidence(evidence) = &mut entry.what else {
                unreachable!("nothing else waits");
            };
            if evidence.session_uuid == session {
                evidence.moment = self.dated(evidence.moment);
                self.entries.push(entry);
            } else {
                self.unseen.push(entry);
            }
        }
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
            by: Sign::Words,
            project_path: project.path,
            working_directory: project.working_directory,
            transcript_path: own_file.then(|| self.path.clone()),
            cli: "claude",
            first: begun.min(moment.at),
            last: moment.at,
        };
        self.seen_sessions.insert(uuid.clone(), self.entries.len());
        self.entries.push(Entry {
            offset,
            what: What::Seen(seen),
        });
        self.release(&uuid);
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
        if self.read_bytes == 0 {
            let before = self.memory.reached.get(&self.stem).filter(|_| offset > 0);
            self.reached = before.copied();
            self.is_followed = offset == 0 || self.reached.is_some();
        }
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
    /// it say when the session began and what it is called. What is shown of a session
    /// that a hook registered has where to go.
    fn needs_more(&self) -> bool {
        let has_row = |entry: &Entry| match &entry.what {
            What::Evidence(evidence) => self.memory.has(&evidence.session_uuid),
            _ => false,
        };
        let waits = self.nameless || !self.unseen.iter().all(has_row);
        waits && self.seen_sessions.is_empty() && self.events == 0
    }
}
