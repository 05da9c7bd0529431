//! One manager's units, judged: their states, their files, what they start.

use std::path::Path;

use super::{CHECK, ENABLED, Managed, installed::Installed, names};
use crate::{
    doctor::finding::{Finding, quoted},
    supervise::unit::{Answer, Manager, Unit},
};

impl Managed {
    /// What is to be said of a manager that has our services.
    pub fn judge(&self) -> Vec<Finding> {
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

    pub fn user(&self) -> Option<&str> {
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
