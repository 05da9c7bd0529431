//! Taking it away again: what the manifest names, as long as nobody changed it.

use std::path::{Path, PathBuf};

use super::{
    InstallRefused, Scope,
    account::Account,
    database,
    facts::{self, Request},
    files::OnDisk,
    launchd,
    manifest::Manifest,
    plan::InstallStep,
    state::{self, ServiceStates},
    systemd::SERVICES,
    target::{ServiceManager, Target},
};

/// What happens to the recorded log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Data {
    Keep,
    Remove,
}

/// What is installed, and how it is taken away.
pub struct Removal {
    pub(super) manager: ServiceManager,
    pub(super) scope: Scope,
    pub(super) account: Account,
    pub(super) config_folder: PathBuf,
    pub(super) manifest: Manifest,
    pub(super) states: ServiceStates,
}

impl Removal {
    /// Nothing, if nothing is installed.
    pub fn gather(request: &Request) -> Result<Option<Removal>, InstallRefused> {
        let target = Target::installed(request)?;
        let config_folder = target.config_folder(&target.surroundings()?);
        let Some(manifest) = Manifest::read(&config_folder)? else {
            return Ok(None);
        };
        let Target {
            manager,
            scope,
            account,
        } = target;
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
    pub fn data(&self, inspect: &dyn Fn(&Path) -> OnDisk) -> Option<&Path> {
        let state = self.manifest.state.as_path();
        let is_ours = state.file_name().is_some_and(|name| name == "headspace");
        (is_ours && inspect(state) == OnDisk::Folder).then_some(state)
    }

    /// Stops and takes away the services.
    pub fn services(&self, inspect: &dyn Fn(&Path) -> OnDisk) -> Vec<InstallStep> {
        let mut steps = match self.manager {
            ServiceManager::Systemd => self.stop_units(),
            ServiceManager::Launchd => launchd::stop(self.scope, &self.account, &self.states),
        };
        for path in self.manifest.paths() {
            match inspect(path) {
                OnDisk::File { sha256, .. } if self.manifest.wrote(path, &sha256) => {
                    steps.push(InstallStep::Remove(path.to_owned()));
                }
                OnDisk::Nothing => {}
                _ => steps.push(InstallStep::Changed(path.to_owned())),
            }
        }
        if self.manager == ServiceManager::Systemd {
            steps.push(InstallStep::Run(state::systemctl(
                self.scope,
                &["daemon-reload"],
            )));
        }
        steps
    }

    fn stop_units(&self) -> Vec<InstallStep> {
        let those = |is: &dyn Fn(&state::ServiceState) -> bool| -> Vec<&str> {
            let is_it = |name: &&str| self.states.get(name).is_some_and(is);
            SERVICES.into_iter().filter(is_it).collect()
        };
        let run = |verb: &[&str], names: &[&str]| {
            InstallStep::Run(state::systemctl(self.scope, &[verb, names].concat()))
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
    pub fn rest(&self, data: Data, inspect: &dyn Fn(&Path) -> OnDisk) -> Vec<InstallStep> {
        let mut steps = Vec::new();
        let run = &self.manifest.run;
        let is_ours = run.file_name().is_some_and(|name| name == "headspace");
        if is_ours && *run != self.manifest.state && inspect(run) == OnDisk::Folder {
            steps.push(InstallStep::RemoveData(run.clone()));
        }
        match (data, self.data(inspect)) {
            (Data::Remove, Some(folder)) => steps.push(InstallStep::RemoveData(folder.to_owned())),
            (Data::Keep, Some(folder)) => steps.push(InstallStep::Kept(folder.to_owned())),
            (_, None) => {}
        }
        steps.push(InstallStep::Remove(Manifest::path(&self.config_folder)));
        let deepest_first = self.manifest.folders.iter().rev().cloned();
        steps.extend(deepest_first.map(InstallStep::RemoveFolder));
        steps.extend(
            self.words(data, inspect)
                .into_iter()
                .map(InstallStep::Notice),
        );
        steps
    }

    fn words(&self, data: Data, inspect: &dyn Fn(&Path) -> OnDisk) -> Vec<String> {
        let database = &self.manifest.database;
        let elsewhere = |folder: &Path| !database.contains(&folder.display().to_string());
        let mut words = Vec::new();
        let folder = self.data(inspect);
        if folder.is_none() && inspect(&self.manifest.state) == OnDisk::Folder {
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
