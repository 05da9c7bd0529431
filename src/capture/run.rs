//! The loop: pick, look, store, wait. What to do is decided in the pure modules
//! beside this one; here it is done, one bounded step at a time.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

use crate::{
    dialect::{Place, Watched},
    store::{Failure, OpenSession, Writer},
};

use super::{
    activity::Activity,
    ahead::Ahead,
    alarm::Alarm,
    backlog::Backlog,
    clock::{Now, Slept},
    discover::Discovery,
    gather::Batch,
    merging::Merging,
    options::Options,
    patience::Patience,
    positions::Positions,
    quiet::Quiet,
    registry::Registry,
    rest::{self, Rest},
    retry::{Retry, Work},
    row::Row,
    status::{Status, Tally},
    verdicts::{Verdicts, hold},
};

/// A piece of work that takes longer than this is stuck: the database gives up
/// on each of its statements much sooner.
const STUCK: Duration = Duration::from_secs(60);

/// What the loop says while it works.
pub enum Report<'a> {
    /// It has come round.
    Round(&'a Status),
    /// It waits for the database, which is to be expected.
    Waiting,
}

pub struct Capture {
    pub(super) options: Options,
    pub(super) writer: Writer,
    pub(super) discovery: Discovery,
    pub(super) backlog: Backlog,
    pub(super) positions: Positions,
    pub(super) ahead: Ahead,
    /// What was read while something was stored.
    pub(super) next: Option<Batch>,
    pub(super) activity: Activity,
    pub(super) quiet: Quiet,
    pub(super) verdicts: Verdicts,
    slept: Slept,
    pub(super) retry: Retry,
    pub(super) tally: Tally,
    pub(super) row: Row,
    pub(super) rest: Rest,
    pub(super) merging: Merging,
    /// All that was there at the start has been read.
    pub(super) caught_up: bool,
}

impl Capture {
    pub fn new(options: Options, writer: Writer) -> Capture {
        rest::keep_no_large_blocks();
        let now = Now::read();
        Capture {
            discovery: Discovery::new(&options.roots, options.spool.clone(), now.steady),
            activity: Activity::new(options.inactivity_timeout),
            quiet: Quiet::default(),
            verdicts: Verdicts::new(now.steady + hold(options.inactivity_timeout)),
            slept: Slept::new(),
            row: Row::new(now.timestamp(), now.steady),
            options,
            writer,
            backlog: Backlog::default(),
            positions: Positions::default(),
            ahead: Ahead::default(),
            next: None,
            retry: Retry::default(),
            tally: Tally::default(),
            rest: Rest::default(),
            merging: Merging::default(),
            caught_up: false,
        }
    }

    /// Works until `stop`. The first sign of a round comes when the folders are
    /// watched and the database was tried. Signs come from this loop alone: one
    /// that hangs gives none.
    pub async fn run(&mut self, stop: &CancellationToken, mut report: impl FnMut(Report)) {
        let patience = Patience {
            tick: self.options.rhythm.busy,
            stuck: STUCK,
            migrating: self.writer.migrating(),
        };
        let alarm = Alarm::new();
        self.discovery.watch_all(Now::read());
        self.observe_registry();
        while !stop.is_cancelled() {
            self.notice_sleep();
            if Now::read().steady >= self.row.next_look() {
                patience.report_during(self.tick(), &mut report).await;
                report(Report::Round(&self.tally.status));
            }
            if patience.report_during(self.step(), &mut report).await {
                let now = Now::read().steady;
                self.row.has_news(now, self.options.rhythm.busy);
                self.rest.worked();
                tokio::task::yield_now().await;
                continue;
            }
            let now = Now::read().steady;
            let waits = self.retry.until(now).is_some();
            if self.positions.are_loaded() && !waits && !self.caught_up {
                self.caught_up = true;
                self.row.write_at_once(now);
                continue;
            }
            let wake = self.next_wake(now);
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.discovery.hinted() => {}
                () = alarm.wait(wake, now) => {}
            }
        }
    }

    fn notice_sleep(&mut self) {
        if let Some(slept) = self.slept.woke() {
            let seconds = slept.as_secs();
            let now = Now::read().steady;
            tracing::info!(
                seconds,
                "the machine slept for {seconds} s; looking at everything"
            );
            self.discovery.scan_at_once(now);
            self.hold_verdicts(now);
        }
    }

    fn observe_registry(&mut self) {
        if self.discovery.observes() {
            return;
        }
        let Options { roots, spool, .. } = &self.options;
        let registry = Registry::start(roots, spool.clone(), self.writer.host().to_owned());
        self.discovery.observe(registry);
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
            report(self.refresh_status());
            if self.retry.is_degraded(&self.options.schedule) {
                return Err(self.retry.reason().unwrap_or("unknown").to_owned());
            }
            let now = Now::read().steady;
            match self.retry.until(now) {
                Some(until) => tokio::time::sleep_until(until.into()).await,
                None if !worked && self.retry.failures() == 0 => {
                    match self.backlog.queue.next_held() {
                        Some(until) => tokio::time::sleep_until(until.into()).await,
                        None => break,
                    }
                }
                None => {}
            }
        }
        self.beat("stopped", Now::read().steady).await;
        Ok(())
    }

    /// Takes over other limits and intervals; what is watched stays.
    pub fn retune(&mut self, options: Options) {
        self.activity.set_timeout(options.inactivity_timeout);
        if options.registered_only != self.options.registered_only {
            self.positions.distrust();
        }
        self.options = options;
    }

    /// Lets go in order: the row says so, the connection is closed.
    pub async fn close(&mut self) {
        self.positions.log_unknown_types();
        self.beat("stopped", Now::read().steady).await;
        self.writer.close().await;
    }

    pub fn status(&self) -> &Status {
        &self.tally.status
    }

    /// One bounded piece of work; false if there is nothing to do now.
    async fn step(&mut self) -> bool {
        let now = Now::read();
        if self.retry.until(now.steady).is_some() {
            self.discovery.look_at_registry();
            return false;
        }
        self.notice_lost_file();
        if !self.positions.are_of(self.writer.connections()) {
            return self.load().await;
        }
        self.look_around(now);
        if let Some(batch) = self.next_batch(now) {
            self.deliver(batch, now).await;
            return true;
        }
        if (self.caught_up || self.options.once) && self.read_again().await {
            return true;
        }
        if !self.options.once && self.judge(now.steady).await {
            return true;
        }
        if self.merge(now.steady).await {
            return true;
        }
        if self.retry.nothing_to_write() {
            self.row.write_at_once(now.steady);
        }
        false
    }

    /// SQLite itself goes on with a file that stands under no path any more.
    pub(super) fn notice_lost_file(&mut self) {
        if self.writer.let_go_of_lost_file() {
            tracing::warn!(
                "the database file was removed or replaced; reading everything again into what is there now"
            );
            self.positions.distrust();
        }
    }

    /// Where the store says every file stands, and which sessions are open.
    async fn load(&mut self) -> bool {
        self.give_back();
        let rows = match self.writer.checkpoints().await {
            Ok(rows) => rows,
            Err(failure) => return self.failed(Work::Load, &failure, "load checkpoints"),
        };
        let open = match self.writer.open_sessions().await {
            Ok(open) => open,
            Err(failure) => return self.failed(Work::Load, &failure, "load sessions"),
        };
        let watched = match self.watched().await {
            Ok(watched) => watched,
            Err(failure) => return self.failed(Work::Load, &failure, "load sessions"),
        };
        self.succeeded(Work::Load);
        self.positions.load(rows, self.writer.connections());
        if let Some(file) = self.writer.file() {
            self.discovery.watch_file(file);
        }
        let now = Now::read();
        for session in open {
            self.positions.note_stored(&session.session_uuid);
            self.note_open(&session, now);
        }
        self.discovery.watch(watched, now.steady);
        true
    }

    async fn watched(&mut self) -> Result<Watched, Failure> {
        if !self.options.registered_only {
            return Ok(Watched::All);
        }
        let sessions = self.writer.registered_sessions().await?;
        Ok(Watched::Registered(sessions.into_iter().collect()))
    }

    /// A session that the store has as open was last active when its file was
    /// last written. Another watcher of this host may work on other roots.
    fn note_open(&mut self, session: &OpenSession, now: Now) {
        let path = session.transcript_path.as_deref();
        if path.is_some_and(|path| self.discovery.place(path.as_ref()) == Place::Nothing) {
            return;
        }
        let written = path
            .and_then(|path| std::fs::metadata(path).ok())
            .and_then(|file| file.modified().ok());
        let idle = written.and_then(|at| now.wall.duration_since(at).ok());
        let idle = idle.unwrap_or_default();
        self.activity.seen(&session.session_uuid, idle, now.steady);
        if session.is_quiet {
            self.quiet.noted(&session.session_uuid, None, now.steady);
        }
    }

    fn look_around(&mut self, now: Now) {
        let everywhere = self.discovery.look_around(
            now,
            self.options.reconcile_interval,
            self.positions.tail(),
            &mut self.backlog.queue,
        );
        if everywhere {
            self.positions.forget_repositories();
        }
    }

    /// Merges small pieces of a quiet file, as many as fit one.
    async fn merge(&mut self, now: Instant) -> bool {
        if self.options.archive && self.merging.looks_for_more() {
            // What cannot be looked for now waits for the next start.
            let found = self.writer.scattered().await;
            self.merging.found(found.unwrap_or_default(), now);
        }
        let Some(path) = self.merging.due(now, self.quiet()).map(Path::to_owned) else {
            return false;
        };
        match self.writer.merge(&path.to_string_lossy()).await {
            Ok(true) => {}
            Ok(false) => self.merging.done(&path),
            Err(failure) => {
                self.merging.give_up();
                let transcript = path.display();
                tracing::warn!(
                    %transcript, %failure,
                    "failed to merge the archive of {transcript}: {failure}; it stays in small pieces"
                );
            }
        }
        true
    }

    /// How long a file that does not grow is left alone before its pieces are merged.
    fn quiet(&self) -> Duration {
        match self.options.once {
            true => Duration::ZERO,
            false => self.options.reconcile_interval,
        }
    }

    /// When there is something to do again, if nothing happens before.
    fn next_wake(&self, now: Instant) -> Instant {
        let work = match self.retry.until(now) {
            Some(until) => until,
            None => [
                self.backlog.next_due(),
                self.next_verdict(),
                self.merging.next_due(self.quiet()),
            ]
            .into_iter()
            .flatten()
            .fold(self.discovery.next_scan(), Instant::min),
        };
        work.min(self.row.next_look())
    }
}
