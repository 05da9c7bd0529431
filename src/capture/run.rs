//! The loop: look, store, note, wait. What to do is decided in the pure
//! modules beside this one; here it is done, one bounded step at a time.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hasher, RandomState},
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime},
};

use tokio_util::sync::CancellationToken;

use crate::{
    event::{EndReason, Timestamp},
    store::{Appended, Beat, Duplicates, Ending, Entry, Failure, Segment, What, Writer},
};

use super::{
    activity::Activity,
    batch::Limits,
    discover::Place,
    hints::Hints,
    lines,
    queue::Queue,
    retry::{Retry, Schedule},
    roots::Roots,
    tail::{Look, Tail},
};

/// Events that share a transaction while catching up.
const MAX_EVENTS: usize = 512;
/// Files that share one.
const MAX_FILES: usize = 64;
/// The watcher's row tells this often that it lives.
pub const BEAT: Duration = Duration::from_secs(4);
/// How often everything is looked at when the kernel gives no hints.
const BLIND_RECONCILE: Duration = Duration::from_secs(1);

pub struct Options {
    pub roots: Vec<PathBuf>,
    pub max_line_bytes: u64,
    pub inactivity_timeout: Duration,
    pub reconcile_interval: Duration,
    pub schedule: Schedule,
    /// Take what is there, also a last line without newline, then stop.
    pub once: bool,
    /// Names the watcher's row, with the host.
    pub state_dir: String,
    /// Told after every commit that there is something to read.
    pub wake: Box<dyn Fn() + Send>,
}

/// What the watcher says of itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Status {
    pub sessions: u64,
    pub events_written: u64,
    pub duplicates: u64,
    pub rejected: u64,
    pub failed_writes: u64,
    pub retries: u64,
    pub bytes_behind: u64,
    pub last_write_at: Option<Timestamp>,
    /// Why it is degraded; nothing if it is not.
    pub reason: Option<String>,
}

pub struct Capture {
    options: Options,
    writer: Writer,
    tail: Tail,
    hints: Hints,
    roots: Roots,
    queue: Queue,
    activity: Activity,
    retry: Retry,
    /// Files of which the database refused something, and up to where their
    /// events are stored one by one.
    doubted: HashMap<PathBuf, Doubt>,
    /// Facts met again since a file was last at its end.
    duplicates: HashMap<String, Duplicates>,
    status: Status,
    /// How many events the log has been told of.
    told_events: u64,
    started_at: Timestamp,
    /// The connection over which the checkpoints were loaded.
    loaded: Option<u64>,
    /// All that was there at the start has been read.
    caught_up: bool,
    next_beat: Instant,
    next_reconcile: Instant,
}

struct Doubt {
    until: u64,
    tries: u32,
}

impl Capture {
    pub fn new(options: Options, writer: Writer) -> Capture {
        let now = Instant::now();
        Capture {
            roots: Roots::new(&options.roots),
            activity: Activity::new(options.inactivity_timeout),
            options,
            writer,
            tail: Tail::default(),
            hints: Hints::new(),
            queue: Queue::default(),
            retry: Retry::default(),
            doubted: HashMap::new(),
            duplicates: HashMap::new(),
            status: Status::default(),
            told_events: 0,
            started_at: Timestamp::now(),
            loaded: None,
            caught_up: false,
            next_beat: now,
            next_reconcile: now,
        }
    }

    /// Works until `stop`. `told` hears the status after every beat; the loop
    /// that works is the one that calls it.
    pub async fn run(&mut self, stop: &CancellationToken, mut told: impl FnMut(&Status)) {
        while !stop.is_cancelled() {
            if Instant::now() >= self.next_beat {
                let before = self.told_events;
                self.beat("running").await;
                self.told_events = self.status.events_written;
                if self.told_events > before {
                    let count = self.told_events - before;
                    tracing::info!(
                        count,
                        bytes_behind = self.status.bytes_behind,
                        "events stored"
                    );
                }
                told(&self.status);
            }
            if self.step().await {
                tokio::task::yield_now().await;
                continue;
            }
            if self.loaded.is_some() && !self.caught_up {
                self.caught_up = true;
                self.next_beat = Instant::now();
                continue;
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.hints.hinted() => {}
                () = tokio::time::sleep_until(self.next_wake().into()) => {}
            }
        }
    }

    /// Takes in everything there is. Fails when the database does for longer
    /// than all attempts. `told` hears the status after every step.
    pub async fn run_once(
        &mut self,
        stop: &CancellationToken,
        mut told: impl FnMut(&Status),
    ) -> Result<(), String> {
        while !stop.is_cancelled() {
            let worked = self.step().await;
            told(self.refreshed_status());
            if self.retry.is_degraded(&self.options.schedule) {
                return Err(self.retry.reason().unwrap_or("unknown").to_owned());
            }
            match self.retry.until(Instant::now()) {
                Some(until) => tokio::time::sleep_until(until.into()).await,
                None if !worked => break,
                None => {}
            }
        }
        self.beat("stopped").await;
        Ok(())
    }

    /// Takes over other limits and intervals; what is watched stays.
    pub fn retune(&mut self, options: Options) {
        self.activity.set_timeout(options.inactivity_timeout);
        self.options = options;
    }

    /// Lets go in order: the row says so, the connection is closed.
    pub async fn close(&mut self) {
        self.beat("stopped").await;
        self.writer.close().await;
    }

    pub fn status(&self) -> &Status {
        &self.status
    }

    /// One bounded piece of work; false if there is nothing to do now.
    async fn step(&mut self) -> bool {
        let now = Instant::now();
        if self.retry.until(now).is_some() {
            return false;
        }
        if self.loaded != Some(self.writer.connections()) {
            return self.load().await;
        }
        self.take_hints(now);
        let take_tail = self.options.once;
        if let Some(path) = self.queue.pop_live() {
            self.read(&[path], take_tail).await;
            return true;
        }
        let backlog: Vec<PathBuf> = std::iter::from_fn(|| self.queue.pop_backlog())
            .take(MAX_FILES)
            .collect();
        if !backlog.is_empty() {
            self.read(&backlog, take_tail).await;
            return true;
        }
        if let Some(path) = self.queue.pop_tail(now) {
            self.read(&[path], true).await;
            return true;
        }
        if self.activity.is_any_over(now) {
            self.end_sessions(now).await;
            return true;
        }
        false
    }

    /// Where the store says every file stands, and which sessions are open.
    async fn load(&mut self) -> bool {
        let rows = match self.writer.checkpoints().await {
            Ok(rows) => rows,
            Err(failure) => return self.failed(&failure, "load checkpoints"),
        };
        let open = match self.writer.open_sessions().await {
            Ok(open) => open,
            Err(failure) => return self.failed(&failure, "load sessions"),
        };
        self.succeeded();
        self.tail = Tail::load(rows);
        let now = Instant::now();
        for session in open {
            let written = session
                .transcript_path
                .and_then(|path| std::fs::metadata(path).ok());
            let idle = written
                .and_then(|file| file.modified().ok())
                .map_or(Duration::ZERO, |at| at.elapsed().unwrap_or_default());
            self.activity.seen(&session.session_uuid, idle, now);
        }
        self.loaded = Some(self.writer.connections());
        self.next_reconcile = now;
        true
    }

    fn take_hints(&mut self, now: Instant) {
        let changed = self.hints.take();
        if changed.everywhere || now >= self.next_reconcile {
            self.hints.forget_gone();
            self.tail.forget_repositories();
            self.roots
                .scan_all(&mut self.hints, &self.tail, &mut self.queue);
            let blind = self.hints.blind().is_some() || cfg!(target_os = "macos");
            let interval = if blind {
                BLIND_RECONCILE
            } else {
                self.options.reconcile_interval
            };
            self.next_reconcile = now + interval.min(self.options.reconcile_interval);
        }
        for path in changed.paths {
            self.roots
                .hinted(&path, &mut self.hints, &self.tail, &mut self.queue);
        }
    }

    /// Looks at files and stores what they have, in one transaction.
    async fn read(&mut self, paths: &[PathBuf], take_tail: bool) {
        let mut segments = Vec::new();
        let mut looks = Vec::new();
        let mut events = 0;
        for path in paths {
            if events >= MAX_EVENTS {
                self.queue.push_more(path.clone());
                continue;
            }
            let Some(mut look) = self.look(path, take_tail, MAX_EVENTS - events) else {
                continue;
            };
            if let Some(segment) = look.segment.take() {
                events += segment.entries.len();
                segments.push(segment);
                looks.push((path.clone(), look));
            } else {
                self.looked(path, &look);
            }
        }
        if segments.is_empty() {
            return;
        }
        match self.writer.append(&segments).await {
            Ok(appended) => self.stored(&segments, &looks, appended),
            Err(failure) => self.not_stored(segments, failure).await,
        }
    }

    fn look(&mut self, path: &Path, take_tail: bool, max_events: usize) -> Option<Look> {
        let place = self.roots.place(path);
        if place == Place::Nothing {
            return None;
        }
        let limits = Limits {
            max_events: if self.doubted.contains_key(path) {
                1
            } else {
                max_events
            },
            max_line_bytes: self.options.max_line_bytes,
            take_tail,
            now: Timestamp::now(),
        };
        match self.tail.look(path, &place, limits, SystemTime::now()) {
            Ok(look) => {
                self.roots.can_read(path);
                Some(look)
            }
            Err(error) => {
                self.roots.cannot_read(path, &error);
                None
            }
        }
    }

    /// What follows from a look whose segment, if it had one, is stored.
    fn looked(&mut self, path: &Path, look: &Look) {
        if look.lost_bytes > 0 {
            tracing::warn!(
                transcript = %path.display(), bytes = look.lost_bytes,
                "a transcript vanished before its last bytes could be read"
            );
        }
        if look.more {
            self.queue.push_more(path.to_owned());
        } else if let Some(met) = self.duplicates.remove(&*path.to_string_lossy()) {
            tracing::warn!(
                transcript = %path.display(), count = met.count, key = %met.key,
                "facts that are stored already were met again; each is kept once"
            );
        }
        self.queue.note_tail(path, look.whole_tail, Instant::now());
    }

    fn stored(&mut self, segments: &[Segment], looks: &[(PathBuf, Look)], appended: Appended) {
        self.succeeded();
        (self.options.wake)();
        self.status.events_written += appended.stored;
        self.status.rejected += appended.rejected;
        if appended.stored > 0 {
            self.status.last_write_at = Some(Timestamp::now());
        }
        for met in appended.duplicates {
            self.status.duplicates += met.count;
            let known = self
                .duplicates
                .entry(met.path.clone())
                .or_insert(Duplicates {
                    count: 0,
                    ..met.clone()
                });
            known.count += met.count;
        }
        for session in &appended.registered {
            tracing::debug!(session = %session, "session registered");
        }
        for (segment, (path, look)) in segments.iter().zip(looks) {
            self.tail.committed(segment);
            self.settle_doubt(path, segment.after.offset);
            self.note_entries(
                segment,
                look.idle.unwrap_or_default(),
                appended.rejected > 0,
            );
            self.looked(path, look);
            // There may be more than the look saw: look until it is quiet.
            self.queue.push_more(path.clone());
        }
    }

    fn note_entries(&mut self, segment: &Segment, idle: Duration, new_rejections: bool) {
        let now = Instant::now();
        for entry in &segment.entries {
            match &entry.what {
                What::Seen(sighting) => self.activity.seen(&sighting.session_uuid, idle, now),
                What::Event(event) => tracing::debug!(
                    event_type = event.payload.event_type().as_str(),
                    key = %event.keys[0], transcript = %segment.path, offset = entry.offset,
                    "event stored"
                ),
                What::Rejected(rejection) if new_rejections => tracing::warn!(
                    transcript = %segment.path, offset = entry.offset,
                    length = rejection.length, reason = %rejection.reason, "line rejected"
                ),
                What::Rejected(_) => {}
            }
        }
    }

    async fn not_stored(&mut self, segments: Vec<Segment>, failure: Failure) {
        for segment in &segments {
            self.queue.push_front(PathBuf::from(&segment.path));
        }
        match failure {
            Failure::Raced => {}
            Failure::Moved { path } => match self.writer.checkpoint(&path).await {
                Ok(position) => {
                    tracing::debug!(transcript = %path, offset = position.offset, "reading again from the checkpoint");
                    self.tail.moved(Path::new(&path), position);
                }
                Err(failure) => {
                    self.failed(&failure, "read a checkpoint");
                }
            },
            Failure::Refused(reason) => self.refused(segments, reason).await,
            failure @ (Failure::Away(_) | Failure::Schema(_)) => {
                self.describe(&segments, &failure);
                self.failed(&failure, "store events");
            }
        }
    }

    /// One event is refused for ever. Its neighbours are stored one by one
    /// until it stands alone; then it is tried again, and at last set aside.
    async fn refused(&mut self, mut segments: Vec<Segment>, reason: String) {
        self.status.failed_writes += 1;
        let alone = segments.len() == 1 && is_one_line(&segments[0]);
        for segment in &segments {
            let path = PathBuf::from(&segment.path);
            let doubt = self
                .doubted
                .entry(path)
                .or_insert(Doubt { until: 0, tries: 0 });
            doubt.until = doubt.until.max(segment.after.offset);
        }
        if !alone {
            return;
        }
        let segment = &mut segments[0];
        let path = PathBuf::from(&segment.path);
        let tries = self.doubted.get_mut(&path).map_or(0, |doubt| {
            doubt.tries += 1;
            doubt.tries
        });
        self.describe(&segments, &Failure::Refused(reason.clone()));
        if tries < self.options.schedule.attempts {
            self.status.retries += 1;
            tokio::time::sleep(self.options.schedule.pause(tries, jitter())).await;
            return;
        }
        let Some(aside) = set_aside(&segments[0], &reason) else {
            self.failed(&Failure::Refused(reason), "move a checkpoint");
            return;
        };
        match self.writer.append(std::slice::from_ref(&aside)).await {
            Ok(appended) => {
                let look = Look {
                    more: true,
                    ..Look::default()
                };
                self.stored(&[aside], &[(path, look)], appended);
            }
            Err(failure) => {
                self.failed(&failure, "set an event aside");
            }
        }
    }

    fn settle_doubt(&mut self, path: &Path, offset: u64) {
        if let Some(doubt) = self.doubted.get_mut(path) {
            doubt.tries = 0;
            if offset >= doubt.until {
                self.doubted.remove(path);
            }
        }
    }

    /// Tells which events could not be stored: never their text.
    fn describe(&self, segments: &[Segment], failure: &Failure) {
        if self.retry.is_degraded(&self.options.schedule) {
            return;
        }
        for segment in segments {
            let event = segment.entries.iter().find_map(|entry| match &entry.what {
                What::Event(event) => Some((entry.offset, event)),
                _ => None,
            });
            let Some((offset, event)) = event else {
                continue;
            };
            tracing::warn!(
                event_type = event.payload.event_type().as_str(), key = %event.keys[0],
                transcript = %segment.path, offset, entries = segment.entries.len(), %failure,
                "events could not be stored"
            );
        }
    }

    async fn end_sessions(&mut self, now: Instant) {
        let over = self.activity.take_over(now);
        let endings: Vec<Ending> = over
            .iter()
            .map(|session| Ending {
                session_uuid: session.clone(),
                reason: EndReason::Timeout,
                detail: None,
                idle_seconds: self.options.inactivity_timeout.as_secs(),
            })
            .collect();
        match self.writer.end(&endings).await {
            Ok(appended) => {
                self.succeeded();
                (self.options.wake)();
                self.status.events_written += appended.stored;
                tracing::info!(count = appended.stored, "sessions ended after inactivity");
            }
            Err(failure) => {
                self.failed(&failure, "end sessions");
                for session in over {
                    self.activity
                        .seen(&session, self.options.inactivity_timeout, now);
                }
            }
        }
    }

    async fn beat(&mut self, state: &'static str) {
        let now = Instant::now();
        self.next_beat = now + BEAT;
        if self.retry.until(now).is_some() {
            self.refreshed_status();
            return;
        }
        let status = self.refreshed_status().clone();
        let beat = Beat {
            state_dir: self.options.state_dir.clone(),
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION"),
            started_at: self.started_at,
            last_write_at: status.last_write_at,
            events_written: status.events_written,
            duplicates: status.duplicates,
            failed_writes: status.failed_writes,
            retries: status.retries,
            rejected: status.rejected,
            bytes_behind: status.bytes_behind,
            sessions: status.sessions,
            state: match state {
                "running" if status.reason.is_some() => "degraded",
                "running" if !self.caught_up => "catching_up",
                state => state,
            },
            reason: status.reason,
        };
        match self.writer.beat(&beat).await {
            Ok(()) => self.succeeded(),
            Err(failure) => {
                self.failed(&failure, "write the watcher's row");
            }
        }
    }

    fn refreshed_status(&mut self) -> &Status {
        self.status.sessions = self.activity.open();
        self.status.bytes_behind = self.tail.bytes_behind() + self.queue.bytes();
        self.status.reason = if self.retry.is_degraded(&self.options.schedule) {
            self.retry.reason().map(str::to_owned)
        } else {
            self.hints.blind().map(|why| {
                format!("not all folders can be watched, so all are looked at every second: {why}")
            })
        };
        &self.status
    }

    fn succeeded(&mut self) {
        if let Some(failures) = self.retry.succeeded() {
            tracing::info!(failures, "the database is back");
        }
    }

    /// Notes that the database could not be used; false, as nothing was done.
    fn failed(&mut self, failure: &Failure, what: &str) -> bool {
        self.status.failed_writes += 1;
        if self.retry.failures() > 0 {
            self.status.retries += 1;
        }
        let last = self.retry.failed(
            &self.options.schedule,
            failure.to_string(),
            Instant::now(),
            jitter(),
        );
        if last {
            tracing::error!(%failure, "failed to {what}; degraded: positions are kept, the files are the queue, trying again");
        } else if self.retry.is_degraded(&self.options.schedule) {
            tracing::debug!(%failure, failures = self.retry.failures(), "failed to {what}");
        } else {
            tracing::warn!(%failure, "failed to {what}; trying again");
        }
        false
    }

    fn next_wake(&self) -> Instant {
        let now = Instant::now();
        if let Some(until) = self.retry.until(now) {
            return until.min(self.next_beat);
        }
        let tail = self.queue.next_tail().unwrap_or(self.next_beat);
        self.next_beat.min(self.next_reconcile).min(tail)
    }
}

/// Whether the segment has the events of one line at most: no smaller piece
/// of it can be stored.
fn is_one_line(segment: &Segment) -> bool {
    let mut events = segment
        .entries
        .iter()
        .filter(|e| matches!(e.what, What::Event(_)));
    let first = events.next().map(|entry| entry.offset);
    events.all(|entry| Some(entry.offset) == first)
}

/// The same stretch of the file, with a rejection for what was refused.
fn set_aside(segment: &Segment, reason: &str) -> Option<Segment> {
    let is_event = |entry: &&Entry| matches!(entry.what, What::Event(_));
    let refused = segment
        .entries
        .iter()
        .find(is_event)
        .or(segment.entries.first())?
        .offset;
    let reason = format!("refused by the database: {reason}");
    let rejection = lines::line_at(Path::new(&segment.path), refused, reason).ok()?;
    let mut aside = segment.clone();
    aside
        .entries
        .retain(|entry| matches!(entry.what, What::Rejected(_)));
    aside.entries.push(Entry {
        offset: refused,
        what: What::Rejected(rejection),
    });
    Some(aside)
}

/// From 0 to 1, different every time: many watchers must not return at once.
fn jitter() -> f64 {
    let random = RandomState::new().build_hasher().finish();
    f64::from(u32::try_from(random >> 32).unwrap_or(0)) / f64::from(u32::MAX)
}
