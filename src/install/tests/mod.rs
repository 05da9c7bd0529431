//! Plans as tables: facts and files on one side, steps on the other.

mod launchd;
mod systemd;
mod uninstall;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use super::{
    InstallRefused,
    account::Account,
    facts::InstallFacts,
    files::{self, OnDisk},
    manifest::{Manifest, NAME},
    plan::plan,
    states::{ServiceState, ServiceStates},
    steps::InstallStep,
    systemd::{PACKAGED_PROGRAM, SERVICES},
    target::Target,
};
use crate::{
    config::{self, Flags, Listen},
    supervise::unit::Manager,
};

/// Files and folders as a plan leaves them behind.
#[derive(Default)]
struct Machine {
    folders: BTreeSet<PathBuf>,
    files: BTreeMap<PathBuf, (String, u32)>,
    manifest: Option<Manifest>,
}

impl Machine {
    fn inspect(&self, path: &Path) -> OnDisk {
        match self.files.get(path) {
            Some((text, mode)) => OnDisk::File {
                sha256: files::sha256(text.as_bytes()),
                mode: *mode,
            },
            None if self.folders.contains(path) => OnDisk::Folder,
            None => OnDisk::Nothing,
        }
    }

    fn plan(&self, facts: &InstallFacts) -> Result<Vec<InstallStep>, InstallRefused> {
        let facts = InstallFacts {
            earlier: self.manifest.clone(),
            ..facts.clone()
        };
        plan(&facts, &|path| self.inspect(path))
    }

    fn execute(&mut self, steps: &[InstallStep]) {
        for step in steps {
            match step {
                InstallStep::Write(file) => {
                    let folders = file.path.ancestors().skip(1).map(Path::to_owned);
                    self.folders.extend(folders);
                    let text = String::from_utf8(file.contents.clone()).unwrap();
                    if file.path.ends_with(NAME) {
                        self.manifest = Some(serde_json::from_str(&text).unwrap());
                    } else {
                        let written = (text, file.kind.mode());
                        self.files.insert(file.path.clone(), written);
                    }
                }
                InstallStep::Remove(path) if path.ends_with(NAME) => self.manifest = None,
                InstallStep::Remove(path) => {
                    self.files.remove(path);
                    self.folders.remove(path);
                }
                _ => {}
            }
        }
    }

    fn installed(facts: &InstallFacts) -> Machine {
        let mut machine = Machine::default();
        machine.execute(&machine.plan(facts).unwrap());
        machine
    }

    fn text(&self, path: &str) -> &str {
        let Some((text, _)) = self.files.get(Path::new(path)) else {
            panic!("{path} is not among {:?}", self.files.keys());
        };
        text
    }

    fn change(&mut self, path: &str, text: &str) {
        let file = self.files.get_mut(Path::new(path)).expect("it exists");
        text.clone_into(&mut file.0);
    }
}

pub fn target(manager: Manager) -> Target {
    let home = match manager {
        Manager::System | Manager::User => "/home/ada",
        Manager::Agents | Manager::Daemons => "/Users/ada",
    };
    let variables: &[(&str, &str)] = match manager {
        Manager::User => &[("XDG_RUNTIME_DIR", "/run/user/501")],
        Manager::System => &[
            ("STATE_DIRECTORY", "/var/lib/headspace"),
            ("RUNTIME_DIRECTORY", "/run/headspace"),
        ],
        Manager::Agents => &[],
        Manager::Daemons => &[("STATE_DIRECTORY", "/Library/Application Support/headspace")],
    };
    let variables = [&[("HOME", home)], variables].concat();
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    Target {
        manager,
        account: Account {
            name: "ada".into(),
            uid: 501,
            gid: 20,
            home: home.into(),
        },
        surroundings: variables.into_iter().map(owned).collect(),
    }
}

/// A package's program, default settings, nothing installed.
fn facts(manager: Manager) -> InstallFacts {
    let target = target(manager);
    let environment = target.surroundings.clone();
    let mut settings = config::load_as(&Flags::default(), environment).unwrap();
    if manager == Manager::User {
        settings.places.run = "/run/user/501/headspace".into();
    }
    InstallFacts {
        target,
        binary: PACKAGED_PROGRAM.into(),
        copy: None,
        packaged: Vec::new(),
        environment: BTreeMap::new(),
        secret: None,
        settings,
        earlier: None,
        states: ServiceStates::new(),
        lingers: true,
        wants_linger: false,
    }
}

fn listen_on(facts: &mut InstallFacts, address: &str) {
    facts.settings.web.listen = vec![Listen::Tcp(address.parse().unwrap())];
}

/// As after a start.
fn running() -> ServiceStates {
    let state = ServiceState {
        is_known: true,
        is_active: true,
        is_enabled: true,
        ..ServiceState::default()
    };
    let pair = |name| (name, state.clone());
    SERVICES.into_iter().map(pair).collect()
}

fn lines<'a>(steps: impl IntoIterator<Item = &'a InstallStep>) -> Vec<String> {
    let words = |line: String| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let steps = steps.into_iter();
    steps.map(|step| words(step.line())).collect()
}

fn says(steps: &[InstallStep], part: &str) {
    let printed = lines(steps).join("\n");
    assert!(printed.contains(part), "{part}: {printed}");
}

/// The lines about what is changed.
fn acts(steps: &[InstallStep]) -> Vec<String> {
    lines(steps.iter().filter(|step| step.acts()))
}
