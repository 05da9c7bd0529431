//! What can be wrong with headspace, and the fix.
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
//! - it ends within 10 s, whatever does not answer
//! - every warning and failure comes with its fix
//! - what cannot be checked is a note, and no failure
//! - no text of a transcript and no password is shown
//!
//! Not here: the fixes themselves, printing (`cli`); the syntax of units
//! (`systemd-analyze verify`), which program has a port (`ss -ltnp`), the
//! machine's clock, journal and kernel limits.

mod accounts;
mod cleanup;
mod database;
mod doors;
mod finding;
mod local;
mod places;
mod roots;
mod stored;
mod units;
mod watcher;

use std::time::Duration;

use tokio::{join, task::spawn_blocking, time::timeout};

pub use finding::{Finding, Severity};

use crate::config::{self, Settings};
use units::Managed;

/// How long files may take to be looked at; a dead network drive takes for ever.
const FILES: Duration = Duration::from_secs(4);

/// Looks at everything, at the same time, and judges it.
pub async fn examine(settings: &Result<Settings, config::Error>, host: &str) -> Vec<Finding> {
    match settings {
        Ok(settings) => {
            let (local, (managed, doors)) =
                join!(local::collect(settings, host), outside(settings));
            let mut findings = vec![valid(settings)];
            findings.extend(units::judge_elsewhere(&managed, &settings.places.state));
            let start = units::how_to_start(&managed);
            findings.extend(local::judge(settings, &local, start.as_deref()));
            findings.extend(doors);
            findings.extend(units::judge(&managed));
            findings
        }
        Err(error) => {
            let mut findings = invalid(error);
            findings.extend(units::judge(&units::collect().await));
            findings
        }
    }
}

/// A request on a socket that a manager holds would start the application, and
/// with it the watcher; so the manager is asked first.
async fn outside(settings: &Settings) -> (Vec<Managed>, Vec<Finding>) {
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
    let unknown = ["roots", "permissions", "database", "watcher", "socket"];
    findings.extend(unknown.map(|check| Finding::unchecked(check, why)));
    findings
}

/// Files are looked at on a thread that may be left behind.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    timeout(FILES, spawn_blocking(work)).await.ok()?.ok()
}
