//! Taking it away again: what the manifest names, as long as nobody changed it.

use std::path::{Path, PathBuf};

use super::{
    Refused, Scope,
    account::Account,
    database,
    facts::{self, Request},
    files::Found,
    launchd,
    manifest::Manifest,
    plan::Step,
    state::{self, States},
    systemd::SERVICES,
    whose::{Manager, Whose},
};

/// What happens to the recorded log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Data {
    Keep,
    Remove,
}

/// What is installed, and how it is taken away.
pub struct Removal {
    pub(super) manager: Manager,
    pub(super) scope: Scope,
    pub(super) account: Account,
    pub(super) config_folder: PathBuf,
    pub(super) manifest: Manifest,
    pub(super) states: States,
}

impl Removal {
    /// Nothing, if nothing is installed.
    pub fn gather(request: &Request) -> Result<Option<Removal>, Refused> {
        let whose = Whose::here(request)?;
        let config_folder = whose.config_folder(&whose.surroundings()?);
        let Some(manifest) = Manifest::read(&config_folder)? else {
            return Ok(None);
        };
        let Whose {
            manager,
            scope,
            account,
        } = whose;
        let states = state::of(manager, scope, &account, Path::new("/"));
        Ok(Some(Removal {
            states: states.map_err(facts::unanswered)?,
            manager,
            scope,
            account,
            config_folder,
            manifest,
        }))
    }

    /// The folder the recorded log is in, if it is one that is only ours.
    pub fn data(&self, look: &dyn Fn(&Path) -> Found) -> Option<&Path> {
        let state = self.manifest.state.as_path();
        let is_ours = state.file_name().is_some_and(|name| name == "headspace");
        (is_ours && look(state) == Found::Folder).then_some(state)
    }

    /// Stops and takes away the services.
    pub fn services(&self, look: &dyn Fn(&Path) -> Found) -> Vec<Step> {
        let mut steps = match self.manager {
            Manager::Systemd => self.stop_units(),
            Manager::Launchd => launchd::stop(self.scope, &self.account, &self.states),
        };
        for path in self.manifest.paths() {
            match look(path) {
                Found::File { sha256, .. } if self.manifest.wrote(path, &sha256) => {
                    steps.push(Step::Remove(path.to_owned()));
                }
                Found::Nothing => {}
                _ => steps.push(Step::Changed(path.to_owned())),
            }
        }
        if self.manager == Manager::Systemd {
            steps.push(Step::Run(state::systemctl(self.scope, &["daemon-reload"])));
        }
        steps
    }

    fn stop_units(&self) -> Vec<Step> {
        let those = |is: &dyn Fn(&state::State) -> bool| -> Vec<&str> {
            let is_it = |name: &&str| self.states.get(name).is_some_and(is);
            SERVICES.into_iter().filter(is_it).collect()
        };
        let run = |verb: &[&str], names: &[&str]| {
            Step::Run(state::systemctl(self.scope, &[verb, names].concat()))
        };
        let mut steps = Vec::new();
        let known = those(&|state| state.is_known);
        if !known.is_empty() {
            // The page goes before its door, or the next visitor starts it again.
            let last_first: Vec<&str> = known.into_iter().rev().collect();
            steps.push(run(&["disable", "--now"], &last_first));
            steps.push(run(&["stop"], &["headspace.slice"]));
        }
        let failed = those(&|state| state.has_failed);
        if !failed.is_empty() {
            steps.push(run(&["reset-failed"], &failed));
        }
        steps
    }

    /// What is left then: the data, if it is to go, and the note itself.
    pub fn rest(&self, data: Data, look: &dyn Fn(&Path) -> Found) -> Vec<Step> {
        let mut steps = Vec::new();
        let run = &self.manifest.run;
        let is_ours = run.file_name().is_some_and(|name| name == "headspace");
        if is_ours && *run != self.manifest.state && look(run) == Found::Folder {
            steps.push(Step::RemoveData(run.clone()));
        }
        match (data, self.data(look)) {
            (Data::Remove, Some(folder)) => steps.push(Step::RemoveData(folder.to_owned())),
            (Data::Keep, Some(folder)) => steps.push(Step::Kept(folder.to_owned())),
            (_, None) => {}
        }
        steps.push(Step::Remove(Manifest::path(&self.config_folder)));
        let deepest_first = self.manifest.folders.iter().rev().cloned();
        steps.extend(deepest_first.map(Step::RemoveFolder));
        steps.extend(self.words(data, look).into_iter().map(Step::Tell));
        steps
    }

    fn words(&self, data: Data, look: &dyn Fn(&Path) -> Found) -> Vec<String> {
        let database = &self.manifest.database;
        let elsewhere = |folder: &Path| !database.contains(&folder.display().to_string());
        let mut words = Vec::new();
        let folder = self.data(look);
        if folder.is_none() && look(&self.manifest.state) == Found::Folder {
            let folder = self.manifest.state.display();
            words.push(format!(
                "{folder} was chosen by you, so it stays; it holds the data"
            ));
        }
        if data == Data::Remove && folder.is_none_or(elsewhere) {
            words.push(format!("The database {database} is not touched."));
        }
        let user = &self.manifest.user;
        if database::is_used(&self.manifest.environment, user) {
            words.extend(database::farewell(user));
        }
        words
    }
}
