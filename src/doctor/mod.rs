//! What can be wrong with headspace, and the fix.
//!
//! In: the settings, or why there are none; this machine as it is.
//! Out: [`Finding`]s, the most basic first.
//!
//! ```text
//! settings ─▶ look (files, database, doors, units; at once, bounded) ─▶ judge ─▶ findings
//! ```
//!
//! Promises
//! - nothing is changed, made or left behind, and nothing needs to be running; but where
//!   hooks are installed and a watcher runs, the log has one test of them more
//! - it ends within 10 s, whatever does not answer
//! - every warning and failure comes with its fix
//! - what cannot be checked is a note, and no failure
//! - no text of a transcript and no password is shown
//!
//! Not here: the fixes themselves, printing (`cli`); the syntax of units
//! (`systemd-analyze verify`), which program has a port (`ss -ltnp`), the room on
//! a disk (`df`), the machine's clock, journal and kernel limits.

mod accounts;
mod alerts;
mod cleanup;
mod database;
mod doors;
mod finding;
mod hooks;
mod places;
mod roots;
mod stored;
mod units;
mod watcher;

use std::{
    path::Path,
    time::{Duration, Instant, SystemTime},
};

use tokio::{join, task::spawn_blocking, time::timeout};

pub use finding::{Finding, Severity};
pub use hooks::{HookFacts, examine as examine_hooks};

use crate::config::{self, Settings};

/// How long files may take to be looked at; a dead network drive takes for ever.
const FILES: Duration = Duration::from_secs(4);
/// A walk through folders ends before that, so that what was seen is reported.
const WALK: Duration = Duration::from_secs(3);

/// Looks at everything, at the same time, and judges it.
pub async fn examine(settings: &Result<Settings, config::Error>, host: &str) -> Vec<Finding> {
    match settings {
        Ok(settings) => examine_with(settings, host).await,
        Err(error) => {
            let mut findings = invalid(error);
            findings.extend(units::judge(&units::collect().await));
            findings
        }
    }
}

async fn examine_with(settings: &Settings, host: &str) -> Vec<Finding> {
    let state = &settings.places.state;
    let (roots, places, life, stored, (managed, doors), hooks) = join!(
        look_at_roots(settings),
        look_at_places(settings),
        look_for_life(settings, host),
        stored::collect(settings, host),
        outside(settings),
        hooks::examine(settings, host),
    );
    let mut findings = vec![valid(settings)];
    findings.extend(units::judge_elsewhere(&managed, state));
    match roots {
        Some(mut roots) => {
            for (root, _) in &mut roots {
                root.leave_out_unwatched(&stored.watched);
            }
            findings.extend(roots::judge(roots.iter().map(|(root, _)| root)));
            findings.extend(cleanup::judge(&roots, &stored.upto, SystemTime::now()));
        }
        None => findings.push(hangs(
            "roots",
            settings.claude.roots.first().unwrap_or(state),
        )),
    }
    findings.extend(places.unwrap_or_else(|| vec![hangs("permissions", state)]));
    findings.extend(database::judge(settings, &stored.condition));
    let start = units::how_to_start(&managed);
    let start = start
        .as_deref()
        .unwrap_or("headspace up, or headspace watch");
    findings.extend(match life {
        Some(life) => watcher::judge(&life, stored.watchers.as_deref(), start),
        None => vec![hangs("watcher", state)],
    });
    findings.extend(hooks.findings);
    findings.extend(doors);
    findings.extend(alerts::examine(settings));
    findings.extend(units::judge(&managed));
    findings
}

async fn look_at_roots(settings: &Settings) -> Option<Vec<(roots::Root, cleanup::Period)>> {
    let paths = settings.claude.roots.clone();
    let end = Instant::now() + WALK;
    let look = move |path: &std::path::PathBuf| (roots::collect(path, end), cleanup::period(path));
    blocking(move || paths.iter().map(look).collect()).await
}

async fn look_at_places(settings: &Settings) -> Option<Vec<Finding>> {
    let places = settings.places.clone();
    blocking(move || places::examine(&places)).await
}

async fn look_for_life(settings: &Settings, host: &str) -> Option<watcher::Life> {
    let (places, host) = (settings.places.clone(), host.to_owned());
    let most = settings.event_system.max_restarts_per_minute;
    blocking(move || watcher::look(&places, &host, most)).await
}

/// A request on a socket that a manager holds would start the application, and
/// with it the watcher; so the manager is asked first.
async fn outside(settings: &Settings) -> (Vec<units::Managed>, Vec<Finding>) {
    let managed = units::collect().await;
    let doors = doors::examine(settings, units::is_socket_idle(&managed)).await;
    (managed, doors)
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
    let unknown = [
        "roots",
        "permissions",
        "database",
        "watcher",
        "hooks",
        "socket",
    ];
    findings.extend(unknown.map(|check| Finding::unchecked(check, why)));
    findings
}

fn hangs(check: &'static str, path: &Path) -> Finding {
    let found = format!("the file system of {} does not answer", path.display());
    let fix = "`mount` shows where it comes from, `dmesg` why it hangs";
    Finding::failed(check, found, fix)
}

/// Files are looked at on a thread that may be left behind.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    timeout(FILES, spawn_blocking(work)).await.ok()?.ok()
}
