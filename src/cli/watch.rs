//! `headspace watch`: the only writer of the log on its machine.

use std::{
    io::IsTerminal,
    process::ExitCode,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{anyhow, bail};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{SetupError, say::say};
use crate::{
    alert::{self, News},
    capture::{Capture, Options, Report, Rhythm, Schedule, Status},
    config::{self, DatabaseUrl, Sessions, Settings},
    spool::Spool,
    store::{Writer, wake::Doorbell},
    supervise::{self, Ledger, Lock},
};

pub const EXAMPLES: &str = "Examples:
  headspace watch                 follow all sessions until a signal
  headspace watch --once          catch up with everything there is, then exit
  HEADSPACE_CLAUDE__ROOTS='[\"/home/me/.claude\"]' headspace watch";

/// What a start may still take after a sign that it goes on: longer than until
/// the next sign.
const START_MARGIN: Duration = Duration::from_secs(30);

#[derive(clap::Args)]
pub struct WatchArgs {
    /// Catch up with everything there is, then exit
    #[arg(long)]
    once: bool,
}

impl WatchArgs {
    /// Whether it works until a signal.
    pub fn is_service(&self) -> bool {
        !self.once
    }
}

pub fn main(flags: &config::Flags, args: &WatchArgs) -> anyhow::Result<ExitCode> {
    let settings = super::prepare(flags, "headspace-watcher")?;
    if settings.claude.roots.is_empty() {
        let what = "claude.roots: no folder to watch is known: set it, CLAUDE_CONFIG_DIR or HOME";
        return Err(SetupError(anyhow!(what)).into());
    }
    let _lock = Lock::take(&settings.places.state)?;
    let runtime = super::runtime()?;
    let outcome = runtime.block_on(async {
        if args.once {
            once(&settings).await
        } else {
            supervised(flags, &settings).await
        }
    });
    // Whatever still hangs in the database must not hold up the exit.
    runtime.shutdown_background();
    outcome
}

/// Follows the sessions, unless that has crashed too often lately.
async fn supervised(flags: &config::Flags, settings: &Settings) -> anyhow::Result<ExitCode> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let limit = settings.event_system.max_restarts_per_minute;
    let ledger = Ledger::open(&settings.places.state, now, limit)?;
    if ledger.restarts() > 0 {
        let restarts = ledger.restarts();
        tracing::warn!(
            restarts,
            limit,
            "started again after a crash; {restarts} of at most {limit} restarts in a minute"
        );
    }
    follow(flags, settings, ledger).await
}

/// Reads and writes until a signal; then finishes one write and exits.
async fn follow(
    flags: &config::Flags,
    settings: &Settings,
    ledger: Ledger,
) -> anyhow::Result<ExitCode> {
    let mut signals = super::signals(settings)?;
    let budget = super::budget(settings);
    let news = Arc::new(News::default());
    let mut capture = capture(settings, false, &news);
    // In the task of capture: each of the two waits for most of its life.
    let mut alerts = Box::pin(alerts(settings, &news)?);
    let (roots, database) = (&settings.claude.roots, &settings.database.url);
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"), ?roots, %database,
        "watching {roots:?} into {database}"
    );
    let mut is_ready = false;
    while !signals.stop.is_cancelled() {
        // A reload ends the run between two pieces of work, never in one.
        let pause = signals.stop.child_token();
        let report = |progress: Report| {
            tell(&news, &progress);
            report(&progress, &mut is_ready);
        };
        tokio::select! {
            biased;
            () = out_of_time(&signals.stop, budget) => break,
            () = capture.run(&pause, report) => {}
            () = &mut alerts => {}
            () = when_asked(&mut signals.reload, &pause) => {}
        }
        if !signals.stop.is_cancelled() {
            supervise::reloading();
            if let Some(settings) = retune(flags, &mut capture, &news) {
                alerts.set(self::alerts(&settings, &news)?);
            }
            supervise::ready(&describe(capture.status()));
        }
    }
    supervise::stopping();
    drop(alerts);
    // Before anything that can hang: a stop that runs into its deadline is no crash.
    ledger.close();
    // Late or not: what is not committed stays in its file for the next start.
    let _ = tokio::time::timeout(budget / 4, capture.close()).await;
    let status = capture.status();
    tracing::info!(
        events = status.counters.events_written,
        duplicates = status.counters.duplicates,
        rejected = status.counters.rejected,
        failed_writes = status.counters.failed_writes,
        "stopped; {} events written",
        status.counters.events_written
    );
    Ok(ExitCode::SUCCESS)
}

async fn once(settings: &Settings) -> anyhow::Result<ExitCode> {
    let signals = super::signals(settings)?;
    let mut capture = capture(settings, true, &Arc::default());
    let bar = progress_bar();
    let done = capture
        .run_once(&signals.stop, |status| show(&bar, status))
        .await;
    bar.finish_and_clear();
    capture.close().await;
    let status = capture.status();
    if let Err(reason) = done {
        bail!("the database cannot be used: {reason}; nothing is lost, run it again");
    }
    say!(
        "{} events stored, {} known already, {} lines rejected, {} sessions open",
        status.counters.events_written,
        status.counters.duplicates,
        status.counters.rejected,
        status.counters.sessions
    );
    Ok(ExitCode::SUCCESS)
}

fn capture(settings: &Settings, once: bool, news: &Arc<News>) -> Capture {
    let writer = Writer::new(super::database(settings), super::host());
    Capture::new(options(settings, once, news), writer)
}

/// Alerts in the ways that are set, on connections of their own: capture never waits.
fn alerts(
    settings: &Settings,
    news: &Arc<News>,
) -> anyhow::Result<impl Future<Output = ()> + use<>> {
    let options = super::alerts::options(settings);
    let writer = Writer::new(super::database(settings), super::host());
    let reader = super::reader(settings)?;
    Ok(alert::run(options, reader, writer, news.clone()))
}

/// What alerts must know of capture.
fn tell(news: &News, progress: &Report) {
    if let Report::Round(status) = progress {
        news.caught_up(status.caught_up && status.counters.bytes_behind == 0);
    }
}

pub fn options(settings: &Settings, once: bool, news: &Arc<News>) -> Options {
    Options {
        roots: settings.claude.roots.clone(),
        spool: Spool::of(&settings.places.state),
        max_line_bytes: settings.watch.max_line_bytes as u64,
        inactivity_timeout: Duration::from_secs(settings.watch.inactivity_timeout_seconds),
        reconcile_interval: Duration::from_secs(settings.watch.reconcile_interval_seconds),
        schedule: Schedule {
            attempts: settings.event_system.write_retry_attempts,
            delay: Duration::from_millis(settings.event_system.write_retry_delay_ms),
        },
        archive: settings.keeps_archive(),
        evidence: true,
        once,
        registered_only: settings.watch.sessions == Sessions::Registered,
        hooks: settings.hooks.enabled,
        state_dir: settings.places.state.to_string_lossy().into_owned(),
        wake: wake(settings, news.clone()),
        rhythm: Rhythm::within(supervise::watchdog_time()),
    }
}

/// PostgreSQL notifies its readers itself.
fn wake(settings: &Settings, news: Arc<News>) -> Box<dyn Fn() + Send> {
    match &settings.database.url {
        DatabaseUrl::Sqlite(_) => {
            let doorbell = Doorbell::new(&settings.places.run);
            Box::new(move || {
                doorbell.ring();
                news.committed();
            })
        }
        DatabaseUrl::Postgres(_) => Box::new(move || news.committed()),
    }
}

/// Takes what may change while running from the settings as they are now, and gives them.
fn retune(flags: &config::Flags, capture: &mut Capture, news: &Arc<News>) -> Option<Settings> {
    match config::load(flags) {
        Ok(settings) => {
            if let Err(error) = crate::telemetry::set_level(settings.logging.level.into()) {
                tracing::warn!(%error, "the log level stays as it was: {error}");
            }
            capture.retune(options(&settings, false, news));
            tracing::info!("settings read again; database and folders change with a restart");
            Some(settings)
        }
        Err(error) => {
            tracing::error!(%error, "the settings are wrong; the old ones stay: {error}");
            None
        }
    }
}

/// Pauses the run when a reload is asked for; never ends by itself.
async fn when_asked(reload: &mut mpsc::Receiver<()>, pause: &CancellationToken) {
    if reload.recv().await.is_some() {
        pause.cancel();
    }
    std::future::pending().await
}

/// Ends when a stop was requested and half of the budget is used up: what closes
/// the database needs a quarter, and the deadline ends the process at seven eighths.
async fn out_of_time(stop: &CancellationToken, budget: Duration) {
    stop.cancelled().await;
    tokio::time::sleep(budget / 2).await;
    tracing::warn!(
        "the database did not answer in time; exiting, what is not stored stays in its file"
    );
}

fn report(progress: &Report, is_ready: &mut bool) {
    match progress {
        Report::Round(status) if *is_ready => supervise::status(&describe(status)),
        Report::Round(status) => {
            *is_ready = true;
            tracing::info!(
                sessions = status.counters.sessions,
                "ready; {}",
                describe(status)
            );
            supervise::ready(&describe(status));
        }
        Report::Waiting if *is_ready => {}
        Report::Waiting => supervise::starting_for(START_MARGIN, "waiting for the database"),
    }
    supervise::watchdog_ping();
}

fn describe(status: &Status) -> String {
    let state = status
        .reason
        .as_ref()
        .map_or(String::new(), |reason| format!("; degraded: {reason}"));
    format!(
        "{} sessions, {} events written, {} bytes behind{state}",
        status.counters.sessions, status.counters.events_written, status.counters.bytes_behind
    )
}

fn progress_bar() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = "{bar:30} {bytes}/{total_bytes}  {bytes_per_sec}  {msg}";
    ProgressBar::new(0).with_style(ProgressStyle::with_template(style).expect("a valid template"))
}

fn show(bar: &ProgressBar, status: &Status) {
    let behind = status.counters.bytes_behind;
    if bar.length() < Some(behind) {
        bar.set_length(behind);
    }
    bar.set_position(bar.length().unwrap_or(0).saturating_sub(behind));
    bar.set_message(format!("{} events", status.counters.events_written));
}
