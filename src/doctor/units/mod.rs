//! The service managers: whether our units are installed, are this program's,
//! come up by themselves and run.

mod installed;
#[cfg(test)]
mod tests;
mod verdict;

use std::path::{Path, PathBuf};

use futures_util::future::join_all;
use installed::Installed;
use tokio::process::Command;

use super::{ask::user_name, blocking, finding::Finding};
use crate::{
    install::units,
    supervise::unit::{self, Answer, Manager, Unit, command, managers},
};

const CHECK: &str = "units";
/// The watcher, the application and its door.
const SYSTEMD: [&str; 3] = [
    "headspace-watcher.service",
    "headspace.service",
    "headspace.socket",
];
const LAUNCHD: [&str; 2] = ["com.headspace.watcher", "com.headspace.web"];
/// Those that must come up by themselves; the door starts the application.
const ENABLED: [&str; 2] = ["headspace-watcher.service", "headspace.socket"];

/// What one manager has of ours.
#[derive(Debug)]
pub struct Managed {
    pub manager: Manager,
    pub answers: Vec<Answer>,
    pub installed: Option<Installed>,
    /// What the services start, and the version it says it has.
    pub programs: Vec<(PathBuf, Result<String, String>)>,
    /// The user whose manager it is, and whether that runs without a login.
    pub lingers: Option<(String, bool)>,
}

pub async fn look() -> Vec<Managed> {
    let user = user_name(rustix::process::geteuid().as_raw());
    join_all(managers().map(|manager| look_at(manager, &user))).await
}

async fn look_at(manager: Manager, user: &str) -> Managed {
    let names = names(manager);
    let answers = join_all(names.iter().map(|name| unit::ask(manager, name))).await;
    let is_there = answers
        .iter()
        .any(|answer| matches!(answer, Answer::Known(_)));
    let shipped = shipped(manager).filter(|_| is_there);
    let installed = match shipped {
        Some(shipped) => {
            let files = join_all(names.iter().map(|name| unit::files(manager, name))).await;
            let files: Vec<_> = files.into_iter().flatten().collect();
            blocking(move || installed::look(&shipped, &files))
                .await
                .flatten()
        }
        None => None,
    };
    let programs = installed.iter().flat_map(|installed| &installed.programs);
    let programs =
        join_all(programs.map(|path| async move { (path.clone(), version(path).await) })).await;
    Managed {
        manager,
        answers,
        installed,
        programs,
        lingers: if manager == Manager::User {
            lingers(user)
        } else {
            None
        },
    }
}

fn names(manager: Manager) -> &'static [&'static str] {
    match manager {
        Manager::System | Manager::User => &SYSTEMD,
        Manager::Agents | Manager::Daemons => &LAUNCHD,
    }
}

/// What launchd has differs where it must name a path, so it is not compared.
fn shipped(manager: Manager) -> Option<[units::Unit; 4]> {
    match manager {
        Manager::System => Some(units::SYSTEM),
        Manager::User => Some(units::USER),
        Manager::Agents | Manager::Daemons => None,
    }
}

/// As the program says it; or why it says nothing.
async fn version(path: &Path) -> Result<String, String> {
    let mut ask = Command::new(path);
    ask.arg("--version");
    let said = command::run(ask).await?;
    let version = said
        .out
        .trim()
        .strip_prefix("headspace ")
        .map(str::to_owned);
    version.ok_or_else(|| format!("{} is no headspace", path.display()))
}

/// logind's own note; nothing where there is no logind.
fn lingers(user: &str) -> Option<(String, bool)> {
    let folder = Path::new("/var/lib/systemd");
    let note = folder.join("linger").join(user);
    folder.is_dir().then(|| (user.to_owned(), note.exists()))
}

/// The unit of the watcher, where one is installed: how it is started.
pub fn how_to_start(managed: &[Managed]) -> Option<String> {
    let used = managed.iter().filter(|one| one.is_used());
    let start = used.flat_map(Managed::units).next()?.how_to_start();
    Some(start.replace('`', ""))
}

/// A manager listens for an application that does not run.
pub fn is_door_idle(managed: &[Managed]) -> bool {
    managed.iter().any(|one| {
        let is_active = |name| {
            one.units()
                .any(|unit| unit.name == name && unit.is("active"))
        };
        is_active("headspace.socket") && !is_active("headspace.service")
    })
}

/// What was looked at is not what the system's service has: with this command
/// it would be.
pub fn judge_elsewhere(managed: &[Managed], state: &Path) -> Option<Finding> {
    let mut used = managed.iter().filter(|one| one.is_used());
    let only = used.next().filter(|_| used.next().is_none())?;
    let theirs = Path::new("/var/lib/headspace");
    (only.manager == Manager::System && state != theirs).then(|| {
        let found = format!(
            "the system's service keeps its log in {}; this looked at {}",
            theirs.display(),
            state.display()
        );
        let user = only.user().unwrap_or("NAME");
        Finding::note(CHECK, found).with_fix(format!(
            "sudo -u {user} env CONFIGURATION_DIRECTORY=/etc/headspace \
             STATE_DIRECTORY=/var/lib/headspace RUNTIME_DIRECTORY=/run/headspace headspace doctor"
        ))
    })
}

pub fn judge(managed: &[Managed]) -> Vec<Finding> {
    let used: Vec<&Managed> = managed.iter().filter(|one| one.is_used()).collect();
    if used.is_empty() {
        return vec![unused(managed)];
    }
    let mut findings: Vec<Finding> = used.iter().flat_map(|one| one.judge()).collect();
    if used.len() > 1 {
        findings.push(Finding::failed(
            CHECK,
            "headspace is installed for the system and for this user: both want the same port",
            "headspace uninstall, or sudo headspace uninstall --system",
        ));
    }
    findings
}

fn unused(managed: &[Managed]) -> Finding {
    let is_there = managed.iter().any(|one| one.units().next().is_some());
    let answers = || managed.iter().flat_map(|one| &one.answers);
    let silence = answers().find_map(|answer| match answer {
        Answer::Unreadable(why) => Some(why),
        _ => None,
    });
    let all_silent = answers().all(|answer| matches!(answer, Answer::Unreadable(_)));
    match silence {
        Some(why) if all_silent => Finding::unchecked(CHECK, why),
        _ if is_there => Finding::note(CHECK, "the units are there, and none is enabled")
            .with_fix("headspace install"),
        _ => Finding::note(CHECK, "no service is installed").with_fix("headspace install"),
    }
}

impl Managed {
    fn units(&self) -> impl Iterator<Item = &Unit> {
        self.answers.iter().filter_map(|answer| match answer {
            Answer::Known(unit) => Some(unit),
            _ => None,
        })
    }

    /// A package brings the units for both managers; those that are neither
    /// enabled nor ever started are not in use.
    fn is_used(&self) -> bool {
        self.units()
            .any(|unit| unit.enabled || !unit.is("inactive"))
    }
}
