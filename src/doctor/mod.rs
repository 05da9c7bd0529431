//! Everything that can be wrong, and what puts it right.
//!
//! In: the settings, or why there are none; this machine as it is.
//! Out: [`Finding`]s, the most basic first.
//!
//! ```text
//! settings ─▶ look (files, database, doors, units; bounded) ─▶ facts ─▶ judge ─▶ findings
//! ```
//!
//! Promises
//! - nothing is changed, made or left behind, and nothing needs to be running
//! - all of it is over in less than 10 s, whoever does not answer
//! - whatever is a warning or failed says how it is put right
//! - what cannot be looked at is said to be unchecked, and is no failure
//! - no word of a transcript and no password is repeated
//!
//! Not here: putting it right, printing it (`cli`).

mod ask;
mod cleanup;
mod clock;
mod database;
mod doors;
mod finding;
mod inotify;
mod journal;
mod places;
mod roots;
mod stored;
mod watcher;

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime},
};

use jiff::Timestamp;
use tokio::{join, task::spawn_blocking, time::timeout};

pub use finding::{Finding, State};

use crate::{
    config::{self, DatabaseUrl, Listen, Settings},
    supervise::Holder,
};
use roots::Root;
use stored::Stored;

/// How long files may take to be looked at; a dead network drive takes for ever.
const FILES: Duration = Duration::from_secs(4);
/// A little less, so that what was seen by then is told.
const WALK: Duration = Duration::from_secs(3);

/// Looks at everything, at the same time, and judges it.
pub async fn examine(settings: &Result<Settings, config::Error>, host: &str) -> Vec<Finding> {
    match settings {
        Ok(settings) => {
            let (mut findings, machine) = join!(installation(settings, host), machine());
            findings.insert(0, valid(settings));
            findings.extend(machine);
            findings
        }
        Err(error) => {
            let mut findings = invalid(error);
            findings.extend(machine().await);
            findings
        }
    }
}

fn valid(settings: &Settings) -> Finding {
    let found = match &settings.places.config_file {
        Some(file) => format!("{} is valid", file.display()),
        None => "there is no settings file; defaults and environment are valid".into(),
    };
    Finding::ok("settings", found)
}

/// As `config check` says it, a finding for each.
fn invalid(error: &config::Error) -> Vec<Finding> {
    let fix = "correct it there, then: headspace config check";
    let problems = error.problems.iter();
    let mut findings: Vec<Finding> = problems
        .map(|problem| Finding::failed("settings", problem.to_string(), fix))
        .collect();
    let why = "without settings it is not known where to look";
    findings.extend(
        ["roots", "permissions", "database", "watcher", "socket"]
            .map(|check| Finding::unchecked(check, why)),
    );
    findings
}

/// What this state folder and these settings make of it.
async fn installation(settings: &Settings, host: &str) -> Vec<Finding> {
    let (roots, places, stored, doors) = join!(
        look_at_roots(&settings.claude.roots),
        look_at_places(settings),
        stored::look(settings, host),
        look_at_doors(settings),
    );
    let mut findings = judge_roots(roots.as_deref(), &stored);
    findings.extend(places.unwrap_or_else(|| vec![silent("permissions", &settings.places.state)]));
    let folders = roots.iter().flatten().map(|root| root.inputs.folders).sum();
    findings.extend(judge_inotify(settings, folders).await);
    findings.extend(database::judge(settings, &stored.condition));
    findings.extend(clock::judge_server(stored.condition.as_ref().ok()));
    findings.extend(judge_watcher(settings, &stored).await);
    findings.extend(doors);
    findings
}

/// What this machine is like, whatever the settings say.
async fn machine() -> Vec<Finding> {
    let (synchronised, journal) = join!(clock::synchronised(), blocking(journal::look));
    let mut findings = vec![clock::judge(&synchronised)];
    findings.extend(journal.iter().flat_map(journal::judge));
    findings
}

/// Files are looked at on a thread that may be left behind.
async fn blocking<T: Send + 'static>(look: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    timeout(FILES, spawn_blocking(look)).await.ok()?.ok()
}

fn silent(check: &'static str, path: &Path) -> Finding {
    let found = format!("the file system of {} does not answer", path.display());
    Finding::failed(
        check,
        found,
        "see `mount` for where it comes from, and `dmesg` for why it hangs",
    )
}

async fn look_at_roots(paths: &[PathBuf]) -> Option<Vec<Root>> {
    let paths = paths.to_owned();
    let end = Instant::now() + WALK;
    blocking(move || paths.iter().map(|path| roots::look(path, end)).collect()).await
}

fn judge_roots(roots: Option<&[Root]>, stored: &Stored) -> Vec<Finding> {
    let Some(roots) = roots else {
        let found = "the file system of a root does not answer";
        let fix =
            "see `headspace config show` for claude.roots and `mount` for where they come from";
        return vec![Finding::failed("roots", found, fix)];
    };
    let mut findings = roots::judge(roots);
    let with_periods: Vec<_> = roots
        .iter()
        .map(|root| (root, cleanup::period(&root.path)))
        .collect();
    findings.extend(cleanup::judge(
        &with_periods,
        &stored.upto,
        SystemTime::now(),
    ));
    findings
}

async fn look_at_places(settings: &Settings) -> Option<Vec<Finding>> {
    let places = settings.places.clone();
    let database = match &settings.database.url {
        DatabaseUrl::Sqlite(path) => Some(path.clone()),
        DatabaseUrl::Postgres(_) => None,
    };
    blocking(move || {
        let mut findings = places::judge(&places::look(&places));
        findings.push(places::judge_room(places::room(&places.state).as_ref()));
        if let Some(path) = database {
            let kind = places::foreign_file_system(&path);
            findings.extend(places::judge_file_system(&path, kind));
        }
        findings
    })
    .await
}

async fn judge_inotify(settings: &Settings, folders: usize) -> Vec<Finding> {
    let state = settings.places.state.clone();
    let us = rustix::process::geteuid().as_raw();
    let end = Instant::now() + WALK;
    let seen = blocking(move || {
        let watcher = Holder::of(&state).pid();
        (inotify::limits(), inotify::used(us, watcher, end))
    });
    let (limits, used) = seen.await.unwrap_or_default();
    inotify::judge(limits, used, folders)
}

async fn judge_watcher(settings: &Settings, stored: &Stored) -> Vec<Finding> {
    let state = settings.places.state.clone();
    let now = Timestamp::now();
    let since = now.as_second().unsigned_abs();
    let seen = blocking(move || (Holder::of(&state), watcher::restarts(&state, since))).await;
    let (holder, restarts) = seen.unwrap_or((Holder::Unknown, 0));
    watcher::judge(&watcher::Facts {
        holder,
        row: stored
            .own
            .as_ref()
            .map(Option::as_ref)
            .map_err(|error| *error),
        now,
        start: "headspace up, or headspace watch",
        restarts,
        most_restarts: settings.event_system.max_restarts_per_minute,
    })
}

async fn look_at_doors(settings: &Settings) -> Vec<Finding> {
    let path = settings.places.run.join("web.sock");
    let addresses = settings
        .web
        .listen
        .iter()
        .filter_map(|listen| match listen {
            Listen::Tcp(address) => Some(*address),
            Listen::Unix(_) => None,
        });
    let tcp = futures_util::future::join_all(
        addresses
            .map(|address| async move { (Listen::Tcp(address), doors::knock_tcp(address).await) }),
    );
    let (socket, tcp) = join!(doors::knock_unix(&path), tcp);
    doors::judge(doors::socket_file(&path).as_ref(), &socket, &path, &tcp)
}
