//! `headspace up`: both processes, for a first try and for machines without a
//! service manager. The watcher runs under the shell supervisor, the web
//! process is this one.

use std::{
    fs,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
    process::{ExitCode, Stdio},
    time::Duration,
};

use anyhow::Context;
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

use super::say::say;
use crate::{
    config::{self, Settings},
    store::read::{Reader, WatcherRow},
    supervise::{self, Holder, Lock, LockError},
};

pub const EXAMPLES: &str = "Examples:
  headspace up
  HEADSPACE_WEB__LISTEN='[\"127.0.0.1:8080\"]' headspace up
  headspace --database-url postgres://me@localhost/headspace up";

/// The supervisor, exactly as it is packaged.
const SUPERVISOR: &str = include_str!("../../packaging/run-watcher.sh");
/// How often the first catch-up is looked at.
const POLL: Duration = Duration::from_millis(100);
/// After this long the first catch-up says that it is not done yet.
const PATIENCE: Duration = Duration::from_secs(10);

pub fn main(flags: &config::Flags) -> anyhow::Result<ExitCode> {
    let settings = super::prepare(flags, "headspace")?;
    let idle_timeout = super::web::idle_timeout(&settings, false);
    let listeners = super::web::bind(&settings)?;
    let page = super::web::addresses(&listeners);
    let runtime = super::runtime()?;
    let done = runtime.block_on(async {
        let signals = super::signals(&settings)?;
        let watcher = start_watcher(flags, &settings)?;
        greet(&settings, &page);
        let stop = signals.stop.clone();
        let (served, (), ()) = tokio::join!(
            super::web::serve(&settings, listeners, idle_timeout, stop.clone()),
            supervise_watcher(watcher, &settings, &stop),
            report_first_catch_up(&settings, &stop),
        );
        served
    });
    runtime.shutdown_background();
    done.map(|()| ExitCode::SUCCESS)
}

/// Starts the watcher under its supervisor, unless one works here already.
fn start_watcher(flags: &config::Flags, settings: &Settings) -> anyhow::Result<Option<Child>> {
    match Lock::take(&settings.places.state) {
        // Free: the watcher that is started here takes it itself.
        Ok(free) => drop(free),
        Err(LockError::Held { pid, .. }) => {
            tracing::info!(%pid, "a watcher (pid {pid}) works on this state folder already; it is used");
            return Ok(None);
        }
        Err(error) => return Err(error.into()),
    }
    let script = write_supervisor(settings)?;
    let mut command = Command::new("/bin/sh");
    command
        .arg(&script)
        .arg(std::env::current_exe().context("cannot find this program's own file")?)
        .args(arguments(flags))
        .arg("watch")
        .env(
            "HEADSPACE_MAX_RESTARTS_PER_MINUTE",
            settings.event_system.max_restarts_per_minute.to_string(),
        )
        .env(
            "HEADSPACE_SUPERVISOR_PID_FILE",
            settings.places.run.join("watcher.pid"),
        )
        .stdin(Stdio::null())
        // Ctrl-C reaches the terminal's whole group; this process passes it on, once.
        .process_group(0);
    supervise::die_with_parent(&mut command);
    let child = command
        .spawn()
        .with_context(|| format!("cannot start /bin/sh {}", script.display()))?;
    Ok(Some(child))
}

fn write_supervisor(settings: &Settings) -> anyhow::Result<PathBuf> {
    let path = settings.places.run.join("run-watcher.sh");
    let written = fs::File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&path)
        .and_then(|mut file| file.write_all(SUPERVISOR.as_bytes()));
    written.with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

/// The flags this process was given, for the watcher.
fn arguments(flags: &config::Flags) -> Vec<std::ffi::OsString> {
    let given = [
        (
            "--config",
            flags
                .config
                .as_ref()
                .map(|path| path.clone().into_os_string()),
        ),
        (
            "--state-dir",
            flags
                .state_dir
                .as_ref()
                .map(|path| path.clone().into_os_string()),
        ),
        (
            "--database-url",
            flags.database_url.as_ref().map(Into::into),
        ),
        ("--log-level", flags.log_level.as_ref().map(Into::into)),
    ];
    given
        .into_iter()
        .filter_map(|(name, value)| Some([name.into(), value?]))
        .flatten()
        .collect()
}

/// Waits for the stop, passes it on and waits for the watcher's exit. When the
/// watcher exits for good the page stays, and says so.
async fn supervise_watcher(watcher: Option<Child>, settings: &Settings, stop: &CancellationToken) {
    let Some(mut watcher) = watcher else { return };
    tokio::select! {
        ended = watcher.wait() => {
            if !stop.is_cancelled() {
                let status = ended.map_or_else(|error| error.to_string(), |status| status.to_string());
                tracing::error!(%status, "the watcher has stopped ({status}); nothing new is recorded, the page stays");
            }
            return;
        }
        () = stop.cancelled() => {}
    }
    if let Some(pid) = watcher
        .id()
        .and_then(|id| i32::try_from(id).ok())
        .and_then(rustix::process::Pid::from_raw)
    {
        // It fails only if the watcher has exited already.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
    let budget = super::budget(settings);
    if tokio::time::timeout(budget, watcher.wait()).await.is_err() {
        tracing::warn!("the watcher did not stop in time; it will, nothing is lost");
    }
}

fn greet(settings: &Settings, page: &[String]) {
    say!("headspace {}", env!("CARGO_PKG_VERSION"));
    for address in page {
        say!("  page      {address}");
    }
    for root in &settings.claude.roots {
        let note = if root.join("projects").is_dir() {
            ""
        } else {
            "  (nothing there yet; it is watched for)"
        };
        say!("  watching  {}{note}", root.display());
    }
    say!("  database  {}", settings.database.url);
    if let Some(gain) = super::hooks::would_add(settings) {
        say!("  hooks     {gain}");
    }
    say!("Ctrl-C stops both processes.");
}

/// Says what the first catch-up found, once it is done.
async fn report_first_catch_up(settings: &Settings, stop: &CancellationToken) {
    let Ok(reader) = super::reader(settings) else {
        return;
    };
    let totals = stop.run_until_cancelled(async {
        let late = tokio::time::Instant::now() + PATIENCE;
        let mut said = false;
        while !has_caught_up(&reader, settings).await {
            if !said && tokio::time::Instant::now() > late {
                said = true;
                say!("Still reading your sessions; the page shows what is there so far.");
            }
            tokio::time::sleep(if said { POLL * 10 } else { POLL }).await;
        }
        reader.totals().await
    });
    if let Some(Ok(totals)) = totals.await {
        say!(
            "Found {} sessions with {} turns. New ones appear as they happen.",
            totals.sessions,
            totals.turns
        );
    }
}

async fn has_caught_up(reader: &Reader, settings: &Settings) -> bool {
    let is_ours = |row: &WatcherRow| {
        row.host == super::host() && *row.state_dir == *settings.places.state.to_string_lossy()
    };
    let holder = Holder::of(&settings.places.state).pid();
    let rows = reader.watchers().await.unwrap_or_default();
    rows.iter().any(|row| {
        is_ours(row)
            && holder == Some(row.pid)
            && ["running", "degraded"].contains(&row.state.as_str())
    })
}
