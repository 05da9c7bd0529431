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
    Refused, Scope,
    account::Account,
    facts::Facts,
    files::{self, Content, Found},
    manifest::{Manifest, NAME},
    plan::{Step, plan},
    state::{State, States},
    systemd::{PACKAGED_PROGRAM, SERVICES},
    whose::Manager,
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
    fn look(&self, path: &Path) -> Found {
        match self.files.get(path) {
            Some((text, mode)) => Found::File {
                sha256: files::sha256(text.as_bytes()),
                mode: *mode,
            },
            None if self.folders.contains(path) => Found::Folder,
            None => Found::Nothing,
        }
    }

    fn plan(&self, facts: &Facts) -> Result<Vec<Step>, Refused> {
        let facts = Facts {
            earlier: self.manifest.clone(),
            ..facts.clone()
        };
        plan(&facts, &|path| self.look(path))
    }

    fn carry_out(&mut self, steps: &[Step]) {
        for step in steps {
            match step {
                Step::Folder(folder) => drop(self.folders.insert(folder.path.clone())),
                Step::Record(_, manifest) => self.manifest = Some(manifest.clone()),
                Step::Remove(path) if path.ends_with(NAME) => self.manifest = None,
                Step::Remove(path) => drop(self.files.remove(path)),
                Step::RemoveFolder(path) => drop(self.folders.remove(path)),
                Step::Write(file) => {
                    let text = match &file.content {
                        Content::Text(text) | Content::Secret(text) | Content::Unless(text) => text,
                        Content::Copy(..) => "the program",
                    };
                    let file = (file.path.clone(), (text.to_owned(), file.mode));
                    self.files.insert(file.0, file.1);
                }
                _ => {}
            }
        }
    }

    fn install(&mut self, facts: &Facts) {
        let steps = self.plan(facts).unwrap();
        self.carry_out(&steps);
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
fn facts(scope: Scope) -> Facts {
    let is_user = scope == Scope::User;
    let path = |user: &str, system: &str| PathBuf::from(if is_user { user } else { system });
    let run = path("/run/user/501/headspace", "/run/headspace");
    let state = path("/home/ada/.local/state/headspace", "/var/lib/headspace");
    Facts {
        manager: Manager::Systemd,
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
        states: States::new(),
        lingers: is_user.then_some(true),
        wants_linger: false,
        in_postgres: Vec::new(),
    }
}

/// As after a start.
fn running() -> States {
    let state = State {
        is_known: true,
        is_active: true,
        is_enabled: true,
        ..State::default()
    };
    SERVICES
        .into_iter()
        .map(|name| (name, state.clone()))
        .collect()
}

fn lines(steps: &[Step]) -> Vec<String> {
    let words = |step: &Step| {
        step.line(false)
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    };
    steps.iter().map(words).collect()
}

/// The lines about what is changed.
fn acts(steps: &[Step]) -> Vec<String> {
    let acting: Vec<Step> = steps.iter().filter(|step| step.acts()).cloned().collect();
    lines(&acting)
}
