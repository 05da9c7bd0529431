//! Plans as tables: facts and what is there on one side, steps on the other.

mod database;
mod launchd;
mod removal;
mod systemd;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use super::{
    InstallRefused, Scope,
    account::Account,
    facts::InstallFacts,
    files::{self, FileContent, OnDisk},
    manifest::{Manifest, NAME},
    plan::{InstallStep, plan},
    state::{ServiceState, ServiceStates},
    systemd::{PACKAGED_PROGRAM, SERVICES},
    target::ServiceManager,
};
use crate::config::Listen;

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
                InstallStep::Folder(folder) => drop(self.folders.insert(folder.path.clone())),
                InstallStep::Record(_, manifest) => self.manifest = Some(manifest.clone()),
                InstallStep::Remove(path) if path.ends_with(NAME) => self.manifest = None,
                InstallStep::Remove(path) => drop(self.files.remove(path)),
                InstallStep::RemoveFolder(path) => drop(self.folders.remove(path)),
                InstallStep::Write(file) => {
                    let text = match &file.content {
                        FileContent::Text(text)
                        | FileContent::Secret(text)
                        | FileContent::Unless(text) => text,
                        FileContent::Copy(..) => "the program",
                    };
                    let file = (file.path.clone(), (text.to_owned(), file.mode));
                    self.files.insert(file.0, file.1);
                }
                _ => {}
            }
        }
    }

    fn install(&mut self, facts: &InstallFacts) {
        let steps = self.plan(facts).unwrap();
        self.execute(&steps);
    }

    fn text(&self, path: &str) -> &str {
        let Some((text, _)) = self.files.get(Path::new(path)) else {
            panic!("{path} is not among {:?}", self.files.keys());
        };
        text
    }

    fn change(&mut self, path: &str, text: &str) {
        let file = self.files.get_mut(Path::new(path)).expect("it is there");
        text.clone_into(&mut file.0);
    }
}

/// A package's program, nothing special, nothing there yet.
fn facts(scope: Scope) -> InstallFacts {
    let is_user = scope == Scope::User;
    let path = |user: &str, system: &str| PathBuf::from(if is_user { user } else { system });
    let run = path("/run/user/501/headspace", "/run/headspace");
    let state = path("/home/ada/.local/state/headspace", "/var/lib/headspace");
    InstallFacts {
        manager: ServiceManager::Systemd,
        scope,
        account: Account {
            name: "ada".into(),
            uid: 501,
            gid: 20,
            home: "/home/ada".into(),
        },
        binary: PACKAGED_PROGRAM.into(),
        copy_of_binary: None,
        unit_folder: path("/home/ada/.config/systemd/user", "/etc/systemd/system"),
        config_folder: path("/home/ada/.config/headspace", "/etc/headspace"),
        packaged: Vec::new(),
        environment: BTreeMap::new(),
        secret: None,
        listen: vec![
            Listen::Tcp("127.0.0.1:5055".parse().unwrap()),
            Listen::Unix(run.join("web.sock")),
        ],
        shipped_run: run.clone(),
        run,
        database: format!("sqlite:{}/headspace.db", state.display()),
        state,
        roots: vec!["/home/ada/.claude".into()],
        remote_host: None,
        shutdown_timeout_seconds: 2,
        max_restarts: 5,
        earlier: None,
        states: ServiceStates::new(),
        lingers: is_user.then_some(true),
        wants_linger: false,
        in_postgres: Vec::new(),
    }
}

/// As after a start.
fn running() -> ServiceStates {
    let state = ServiceState {
        is_known: true,
        is_active: true,
        is_enabled: true,
        ..ServiceState::default()
    };
    SERVICES
        .into_iter()
        .map(|name| (name, state.clone()))
        .collect()
}

fn lines(steps: &[InstallStep]) -> Vec<String> {
    let words = |step: &InstallStep| {
        step.line(false)
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    };
    steps.iter().map(words).collect()
}

/// The lines about what is changed.
fn acts(steps: &[InstallStep]) -> Vec<String> {
    let acting: Vec<InstallStep> = steps.iter().filter(|step| step.acts()).cloned().collect();
    lines(&acting)
}
