//! The service managers: whether our units are installed, start at boot or login,
//! and run. What the units hold is for `systemd-analyze verify` to judge.

use std::path::Path;

use futures_util::future::join_all;

use super::{accounts::user_name, finding::Finding};
use crate::supervise::unit::{self, Answer, Manager, Unit, managers};

const CHECK: &str = "units";
/// The watcher, the application and its socket.
const SYSTEMD: [&str; 3] = [
    "headspace-watcher.service",
    "headspace.service",
    "headspace.socket",
];
const LAUNCHD: [&str; 2] = ["com.headspace.watcher", "com.headspace.web"];
/// Those that must be enabled; the socket starts the application.
const ENABLED: [&str; 2] = ["headspace-watcher.service", "headspace.socket"];

/// Our units in one manager.
#[derive(Debug)]
pub struct Managed {
    manager: Manager,
    answers: Vec<Answer>,
    /// The user whose manager it is, and whether that runs without a login.
    lingers: Option<(String, bool)>,
}

pub async fn collect() -> Vec<Managed> {
    join_all(managers().map(inspect)).await
}

async fn inspect(manager: Manager) -> Managed {
    let names = names(manager).iter();
    let lingers = match manager {
        Manager::User => lingers(&user_name(rustix::process::geteuid().as_raw())),
        _ => None,
    };
    Managed {
        manager,
        answers: join_all(names.map(|name| unit::query(manager, name))).await,
        lingers,
    }
}

fn names(manager: Manager) -> &'static [&'static str] {
    match manager {
        Manager::System | Manager::User => &SYSTEMD,
        Manager::Agents | Manager::Daemons => &LAUNCHD,
    }
}

/// logind's own note; nothing where there is no logind.
fn lingers(user: &str) -> Option<(String, bool)> {
    let folder = Path::new("/var/lib/systemd");
    let note = folder.join("linger").join(user);
    folder.is_dir().then(|| (user.to_owned(), note.exists()))
}

/// The command that starts the watcher's unit, where one is installed.
pub fn how_to_start(managed: &[Managed]) -> Option<String> {
    let used = managed.iter().filter(|one| one.is_used());
    let start = used.flat_map(Managed::units).next()?.how_to_start();
    Some(start.replace('`', ""))
}

/// A manager listens for an application that does not run: a request would start it.
pub fn is_socket_idle(managed: &[Managed]) -> bool {
    managed.iter().any(|one| {
        let is_active = |name| {
            one.units()
                .any(|unit| unit.name == name && unit.is("active"))
        };
        is_active("headspace.socket") && !is_active("headspace.service")
    })
}

/// These settings are not those of the system's service: with this command they would be.
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
        Finding::note(CHECK, found).with_fix(
            "sudo -u NAME env CONFIGURATION_DIRECTORY=/etc/headspace \
             STATE_DIRECTORY=/var/lib/headspace RUNTIME_DIRECTORY=/run/headspace headspace doctor",
        )
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
    let mut unreadable = managed
        .iter()
        .flat_map(|one| &one.answers)
        .map(|answer| match answer {
            Answer::Unreadable(why) => Some(why),
            _ => None,
        });
    let first = unreadable.next().flatten();
    match first {
        Some(why) if unreadable.all(|why| why.is_some()) => Finding::unchecked(CHECK, why),
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
        if findings.is_empty() {
            let states = self.units();
            let states = states.map(|unit| format!("{} {}", unit.name, unit.active_state));
            let states = states.collect::<Vec<_>>().join(", ");
            findings.push(Finding::ok(CHECK, format!("{}: {states}", self.words()[0])));
        }
        findings.extend(self.linger());
        findings
    }

    /// How the manager is shown, asked, and how its log is.
    fn words(&self) -> [&'static str; 3] {
        match self.manager {
            Manager::System => ["the system's manager", "systemctl", "journalctl -n 20 -u"],
            Manager::User => [
                "your manager",
                "systemctl --user",
                "journalctl --user -n 20 -u",
            ],
            Manager::Agents => ["your agents", "launchctl", "launchctl print"],
            Manager::Daemons => ["the system's daemons", "launchctl", "launchctl print"],
        }
    }

    fn state(&self, unit: &Unit) -> Option<Finding> {
        let name = &unit.name;
        let [_, manage, log] = self.words();
        let start = unit.how_to_start().replace('`', "");
        let ended = unit.how_it_ended();
        let ended = ended.map_or(String::new(), |how| format!(": {how}"));
        let must_run = ENABLED.contains(&name.as_str());
        Some(match unit.active_state.as_str() {
            _ if unit.load_state == "masked" => {
                let fix = format!("{manage} unmask {name}");
                Finding::failed(CHECK, format!("{name} is masked"), fix)
            }
            _ if unit.load_state != "loaded" => {
                let found = format!("{name} is {}", unit.load_state);
                Finding::failed(CHECK, found, format!("systemd-analyze verify {name}"))
            }
            "failed" => {
                let fix = format!("{log} {name} shows the cause; then: {start}");
                Finding::failed(CHECK, format!("{name} failed{ended}"), fix)
            }
            _ if unit.is_restarting() => {
                let found = format!("{name} is being restarted{ended}");
                Finding::warning(CHECK, found, format!("{log} {name} shows the cause"))
            }
            "inactive" if must_run => {
                Finding::warning(CHECK, format!("{name} does not run"), start)
            }
            _ if must_run && !unit.enabled => {
                let found = format!("{name} runs, and is not enabled: it does not start at boot");
                Finding::warning(CHECK, found, format!("{manage} enable {name}"))
            }
            _ => return None,
        })
    }

    fn absent(&self) -> Option<Finding> {
        let mut named = self.answers.iter().zip(names(self.manager));
        let (_, name) = named.find(|(answer, _)| **answer == Answer::Absent)?;
        let found = format!("{name} is not installed, and others are");
        let install = match self.manager {
            Manager::System | Manager::Daemons => "sudo headspace install --system --user NAME",
            Manager::User | Manager::Agents => "headspace install",
        };
        Some(Finding::failed(CHECK, found, install))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Severity::{self, Failed, Note, Ok as Fine, Warning};

    /// A unit from its load state, its state, its own word for it, and `enabled`.
    fn unit(name: &str, words: &str) -> Answer {
        let words: Vec<&str> = words.split(' ').collect();
        let [load, active, sub, enabled] = words[..] else {
            return Answer::Absent;
        };
        Answer::Known(Unit {
            manager: Manager::System,
            name: name.into(),
            load_state: load.into(),
            active_state: active.into(),
            sub_state: sub.into(),
            result: None,
            restarts: None,
            main_pid: None,
            since: None,
            ended: None,
            status: None,
            enabled: enabled == "enabled",
        })
    }

    fn judged(answers: Vec<Answer>) -> (Severity, String) {
        let mut found = judge(&[Managed {
            manager: Manager::System,
            answers,
            lingers: None,
        }]);
        assert_eq!(found.len(), 1, "{found:?}");
        let one = found.remove(0);
        let all = format!("{}; {}", one.found, one.fix.unwrap_or_default());
        (one.state, all)
    }

    #[test]
    fn each_state_of_the_watchers_unit_has_its_verdict() {
        for (words, state, part) in [
            (
                "loaded active running enabled",
                Fine,
                "watcher.service active",
            ),
            ("masked inactive dead enabled", Failed, "systemctl unmask"),
            (
                "bad-setting inactive dead enabled",
                Failed,
                "systemd-analyze verify",
            ),
            (
                "loaded failed failed enabled",
                Failed,
                "journalctl -n 20 -u",
            ),
            (
                "loaded activating auto-restart enabled",
                Warning,
                "restarted",
            ),
            ("loaded inactive dead enabled", Warning, "systemctl start"),
            (
                "loaded active running disabled",
                Warning,
                "systemctl enable",
            ),
            ("absent", Failed, "headspace install --system"),
        ] {
            let found = judged(vec![
                unit(SYSTEMD[0], words),
                unit(SYSTEMD[1], "loaded inactive dead disabled"),
                unit(SYSTEMD[2], "loaded active listening enabled"),
            ]);
            assert!(
                found.0 == state && found.1.contains(part),
                "{part}: {found:?}"
            );
        }
    }

    #[test]
    fn nothing_installed_is_a_note_and_no_manager_is_unchecked() {
        let unreadable = Answer::Unreadable("there is no systemctl".into());
        for (answer, part) in [
            (unreadable, "not checked"),
            (Answer::Absent, "no service is installed"),
            (
                unit(SYSTEMD[0], "loaded inactive dead disabled"),
                "none is enabled",
            ),
        ] {
            let found = judged(vec![answer]);
            assert!(found.0 == Note && found.1.contains(part), "{found:?}");
        }
    }
}
