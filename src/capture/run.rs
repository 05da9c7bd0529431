//! The loop: look, store, note, wait. What to do is decided in the pure
//! modules beside this one; here it is done, one bounded step at a time.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

use crate::{
    dialect::claude::{Context, Place},
    event::{EndReason, Ending, EventType, Timestamp},
    store::{Duplicates, Writer},
    tail::Tail,
};

use super::{
    activity::Activity,
    hints::Hints,
    patience::Patience,
    queue::Queue,
    retry::{Retry, Schedule, Work},
    roots::Roots,
};

/// Files that share a transaction while catching up.
const MAX_FILES: usize = 64;
/// How often the loop shows that it runs, and looks after its database file.
pub const TICK: Duration = Duration::from_millis(4500);
/// A piece of work that takes longer than this is stuck: the database gives up
/// on each of its statements much sooner.
const STUCK: Duration = Duration::from_secs(60);
/// Sessions that are ended in one transaction.
const MAX_ENDINGS: usize = 16;
/// The watcher's row is written this often, also without news.
pub const BEAT: Duration = Duration::from_millis(13_500);
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
    /// How often the loop shows that it runs: [`TICK`], or sooner.
    pub tick: Duration,
}

/// What the loop says while it works.
pub enum Progress<'a> {
    /// It has come round.
    Round(&'a Status),
    /// It waits for the database, which is to be expected.
    Waiting,
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
    pub(super) options: Options,
    pub(super) writer: Writer,
    pub(super) tail: Tail,
    pub(super) memory: Context,
    pub(super) hints: Hints,
    pub(super) roots: Roots,
    pub(super) queue: Queue,
    pub(super) activity: Activity,
    pub(super) retry: Retry,
    /// Files of which the database refused something, and up to where their
    /// events are stored one by one.
    pub(super) quarantined: HashMap<PathBuf, Quarantine>,
    /// Duplicates since a file was last at its end.
    pub(super) duplicates: HashMap<String, Duplicates>,
    pub(super) status: Status,
    /// What the watcher's row says.
    pub(super) row: Status,
    /// How many events the summaries in the log account for.
    pub(super) summarised_events: u64,
    pub(super) started_at: Timestamp,
    /// The connection over which the checkpoints were loaded.
    pub(super) loaded: Option<u64>,
    /// All that was there at the start has been read.
    pub(super) caught_up: bool,
    pub(super) next_tick: Instant,
    pub(super) next_beat: Instant,
    pub(super) next_reconcile: Instant,
}

pub(super) struct Quarantine {
    pub until: u64,
    pub tries: u32,
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
            memory: Context::default(),
            hints: Hints::new(),
            queue: Queue::default(),
            retry: Retry::default(),
            quarantined: HashMap::new(),
            duplicates: HashMap::new(),
            status: Status::default(),
            row: Status::default(),
            summarised_events: 0,
            started_at: Timestamp::now(),
            loaded: None,
            caught_up: false,
            next_tick: now,
            next_beat: now,
            next_reconcile: now,
        }
    }

    /// Works until `stop`. The first sign of a round comes when the folders are
    /// watched and the database was tried. Signs come from this loop alone: one
    /// that hangs gives none.
    pub async fn run(&mut self, stop: &CancellationToken, mut report: impl FnMut(Progress)) {
        let patience = Patience {
            tick: self.options.tick,
            stuck: STUCK,
            migrating: self.writer.migrating(),
        };
        self.roots.watch_all(&mut self.hints);
        while !stop.is_cancelled() {
            if Instant::now() >= self.next_tick {
                patience.report_during(self.tick(), &mut report).await;
                report(Progress::Round(&self.status));
            }
            if patience.report_during(self.step(), &mut report).await {
                tokio::task::yield_now().await;
                continue;
            }
            if self.loaded.is_some() && !self.caught_up {
                self.caught_up = true;
                self.beat_at_once();
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
    /// than all attempts. `report` gets the status after every step.
    pub async fn run_once(
        &mut self,
        stop: &CancellationToken,
        mut report: impl FnMut(&Status),
    ) -> Result<(), String> {
        while !stop.is_cancelled() {
            let worked = self.step().await;
            report(self.refreshed_status());
            if self.retry.is_degraded(&self.options.schedule) {
                return Err(self.retry.reason().unwrap_or("unknown").to_owned());
            }
            match self.retry.until(Instant::now()) {
                Some(until) => tokio::time::sleep_until(until.into()).await,
                None if !worked && self.retry.failures() == 0 => match self.queue.next_held() {
                    Some(until) => tokio::time::sleep_until(until.into()).await,
                    None => break,
                },
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
        let unknown = self.memory.unknown();
        if !unknown.is_empty() {
            let (types, records) = (unknown.len(), unknown.values().sum::<u64>());
            tracing::info!(types, records, "records of unknown types were passed over");
            tracing::debug!(types = ?unknown, "unknown types");
        }
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
        if let Some(path) = self.queue.pop_held(now) {
            self.read(&[path], take_tail).await;
            return true;
        }
        // Files that changed while the last transaction ran wait together, and
        // go together: alone, each would wait for the flush of all before it.
        let mut paths = self.gather(Queue::pop_live);
        if paths.is_empty() {
            paths = self.gather(Queue::pop_backlog);
        }
        if !paths.is_empty() {
            self.read(&paths, take_tail).await;
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
        if self.retry.nothing_to_write() {
            self.beat_at_once();
        }
        false
    }

    /// The files to read next. One of which something was refused goes alone:
    /// it must not take others with it.
    fn gather(&mut self, pop: fn(&mut Queue) -> Option<PathBuf>) -> Vec<PathBuf> {
        let mut paths = Vec::new();
        while paths.len() < MAX_FILES
            && let Some(path) = pop(&mut self.queue)
        {
            if self.quarantined.contains_key(&path) {
                if paths.is_empty() {
                    return vec![path];
                }
                self.queue.push_front(path);
                break;
            }
            paths.push(path);
        }
        paths
    }

    /// Where the store says every file stands, and which sessions are open.
    async fn load(&mut self) -> bool {
        let rows = match self.writer.checkpoints().await {
            Ok(rows) => rows,
            Err(failure) => return self.failed(Work::Load, &failure, "load checkpoints"),
        };
        let open = match self.writer.open_sessions().await {
            Ok(open) => open,
            Err(failure) => return self.failed(Work::Load, &failure, "load sessions"),
        };
        self.succeeded(Work::Load);
        let positions = rows.into_iter().map(|row| (row.path.into(), row.position));
        self.tail.load(positions);
        let now = Instant::now();
        // Another watcher of this host may work on other roots.
        let ours = |path: &String| self.roots.place(Path::new(path)) != Place::Nothing;
        for session in open {
            if !session.transcript_path.as_ref().is_none_or(ours) {
                continue;
            }
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
            self.memory.forget_repositories();
            self.roots
                .scan_all(&mut self.hints, &self.tail, &mut self.queue);
            self.next_reconcile = now + self.options.reconcile_interval;
        }
        for path in changed.paths {
            self.roots
                .hinted(&path, &mut self.hints, &self.tail, &mut self.queue);
        }
        // Also when it is a hint that led to a folder which cannot be watched.
        if self.hints.blind().is_some() || cfg!(target_os = "macos") {
            self.next_reconcile = self.next_reconcile.min(now + BLIND_RECONCILE);
        }
    }

    async fn end_sessions(&mut self, now: Instant) {
        let over = self.activity.take_over(now, MAX_ENDINGS);
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
                self.succeeded(Work::Write);
                (self.options.wake)();
                self.status.events_written += appended.stored;
                for ending in &endings {
                    let session = &ending.session_uuid;
                    tracing::info!(
                        event_type = EventType::SessionEnded.as_str(),
                        session,
                        reason = ending.reason.as_str(),
                        "session {session} ended after inactivity"
                    );
                }
            }
            Err(failure) => {
                self.failed(Work::Write, &failure, "end sessions");
                for session in over {
                    self.activity
                        .seen(&session, self.options.inactivity_timeout, now);
                }
            }
        }
    }

    fn next_wake(&self) -> Instant {
        let now = Instant::now();
        let work = match self.retry.until(now) {
            Some(until) => until,
            None => [self.queue.next_tail(), self.queue.next_held()]
                .into_iter()
                .flatten()
                .fold(self.next_reconcile, Instant::min),
        };
        work.min(self.next_tick)
    }
}
