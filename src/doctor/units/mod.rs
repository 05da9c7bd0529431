//! The service managers: whether our units are installed, are this program's,
//! come up by themselves and run.

mod installed;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use futures_util::future::join_all;
use installed::Installed;
use tokio::process::Command;

use super::{
    ask::user_name,
    blocking,
    finding::{Finding, quoted},
};
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

    fn judge(&self) -> Vec<Finding> {
        let mut findings: Vec<Finding> = self.units().filter_map(|unit| self.state(unit)).collect();
        findings.extend(self.absent());
        findings.extend(
            self.installed
                .iter()
                .flat_map(|installed| self.files(installed)),
        );
        findings.extend(
            self.programs
                .iter()
                .filter_map(|(path, version)| self.program(path, version)),
        );
        if findings.is_empty() {
            findings.push(Finding::ok(
                CHECK,
                format!("{}: {}", self.whose(), self.states()),
            ));
        }
        findings.extend(self.linger());
        findings
    }

    fn whose(&self) -> &'static str {
        match self.manager {
            Manager::System => "the system's manager",
            Manager::User => "your manager",
            Manager::Agents => "your agents",
            Manager::Daemons => "the system's daemons",
        }
    }

    fn states(&self) -> String {
        let states = self
            .units()
            .map(|unit| format!("{} {}", unit.name, unit.active_state));
        states.collect::<Vec<_>>().join(", ")
    }

    fn command(&self) -> &'static str {
        match self.manager {
            Manager::User => "systemctl --user",
            _ => "systemctl",
        }
    }

    fn user(&self) -> Option<&str> {
        self.installed.as_ref()?.user.as_deref()
    }

    fn install(&self) -> String {
        match self.manager {
            Manager::System | Manager::Daemons => {
                let user = self.user().unwrap_or("NAME");
                format!("sudo headspace install --system --user {user}")
            }
            Manager::User | Manager::Agents => "headspace install".into(),
        }
    }

    fn state(&self, unit: &Unit) -> Option<Finding> {
        let name = &unit.name;
        let start = unit.how_to_start().replace('`', "");
        if unit.load_state != "loaded" {
            let found = format!("{name} is {}", unit.load_state);
            let fix = match unit.load_state.as_str() {
                "masked" => format!("{} unmask {name}", self.command()),
                _ => self.install(),
            };
            return Some(Finding::failed(CHECK, found, fix));
        }
        let ended = unit
            .how_it_ended()
            .map_or(String::new(), |how| format!(": {how}"));
        if unit.is("failed") {
            let fix = format!("{} shows the cause; then: {start}", self.log(name));
            return Some(Finding::failed(CHECK, format!("{name} failed{ended}"), fix));
        }
        if unit.is_restarting() {
            let found = format!("{name} is being started again{ended}");
            return Some(Finding::warning(
                CHECK,
                found,
                format!("{} shows the cause", self.log(name)),
            ));
        }
        if !ENABLED.contains(&name.as_str()) {
            return None;
        }
        if unit.is("inactive") {
            return Some(Finding::warning(
                CHECK,
                format!("{name} does not run"),
                start,
            ));
        }
        (!unit.enabled).then(|| {
            let found = format!("{name} runs, and does not come up by itself");
            Finding::warning(CHECK, found, format!("{} enable {name}", self.command()))
        })
    }

    fn log(&self, name: &str) -> String {
        match self.manager {
            Manager::System => format!("journalctl -u {name} -n 20"),
            Manager::User => format!("journalctl --user -u {name} -n 20"),
            Manager::Agents | Manager::Daemons => format!("launchctl print of {name}"),
        }
    }

    fn absent(&self) -> Option<Finding> {
        let missing = self
            .answers
            .iter()
            .zip(names(self.manager))
            .find(|(answer, _)| **answer == Answer::Absent);
        missing.map(|(_, name)| {
            Finding::failed(
                CHECK,
                format!("{name} is not installed, and others are"),
                self.install(),
            )
        })
    }

    fn files(&self, installed: &Installed) -> Vec<Finding> {
        let mut findings = Vec::new();
        if let Some(first) = installed.different.first() {
            let found = format!(
                "{} is not the one of this program ({})",
                first.display(),
                env!("CARGO_PKG_VERSION")
            );
            findings.push(Finding::warning(CHECK, found, self.renew(installed)));
        }
        if installed.needs_reload {
            let found = format!(
                "files below {} have changed since they were read",
                installed.folder.display()
            );
            findings.push(Finding::warning(
                CHECK,
                found,
                format!("{} daemon-reload", self.command()),
            ));
        }
        findings.extend(installed.dangling.iter().map(|(unit, path)| {
            let found = format!(
                "{} names {}, which is not there",
                unit.display(),
                path.display()
            );
            Finding::failed(
                CHECK,
                found,
                format!(
                    "make it, or take it out: {} edit, or {}",
                    self.command(),
                    self.install()
                ),
            )
        }));
        findings
    }

    /// What a package brought is the package's to renew.
    fn renew(&self, installed: &Installed) -> String {
        let is_packaged = ["/usr/lib", "/lib"]
            .iter()
            .any(|folder| installed.folder.starts_with(folder));
        match is_packaged {
            true => "install the package of this program's version again".into(),
            false => self.install(),
        }
    }

    fn program(&self, path: &Path, version: &Result<String, String>) -> Option<Finding> {
        let ours = env!("CARGO_PKG_VERSION");
        let shown = path.display();
        match version {
            Ok(version) if version == ours => None,
            Ok(version) => {
                let found = format!(
                    "the services start {shown}, version {version}; this program is {ours}"
                );
                Some(Finding::warning(CHECK, found, self.install()))
            }
            Err(_) if !path.exists() => Some(Finding::failed(
                CHECK,
                format!("the services start {shown}, which is not there"),
                self.install(),
            )),
            Err(why) => {
                let found = format!("the services start {shown}, which does not run: {why}");
                Some(Finding::failed(
                    CHECK,
                    found,
                    format!("chmod a+rx {}, or {}", quoted(path), self.install()),
                ))
            }
        }
    }

    fn linger(&self) -> Option<Finding> {
        let (user, lingers) = self.lingers.as_ref()?;
        Some(match lingers {
            true => Finding::ok(
                "linger",
                format!("the services of {user} run without a login"),
            ),
            false => Finding::warning(
                "linger",
                format!("the services of {user} end when {user} logs out"),
                format!("loginctl enable-linger {user}"),
            ),
        })
    }
}
