//! The plan of a removal: what the manifest names, as long as it is unchanged.

use std::path::{Path, PathBuf};

use super::{
    InstallRefused,
    facts::Request,
    files::{self, OnDisk},
    launchd,
    manifest::Manifest,
    states::{self, ServiceStates, systemctl},
    steps::InstallStep,
    systemd,
    target::Target,
};

/// What happens to the recorded log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Data {
    Keep,
    Remove,
}

/// What is installed.
pub struct Removal {
    pub(super) target: Target,
    pub(super) manifest: Manifest,
    pub(super) states: ServiceStates,
}

impl Removal {
    /// `None` if nothing is installed.
    pub fn gather(request: &Request) -> Result<Option<Removal>, InstallRefused> {
        let target = Target::installed(request)?;
        let Some(manifest) = Manifest::read(&target.config_folder())? else {
            return Ok(None);
        };
        Ok(Some(Removal {
            states: states::read(&target, Path::new("/"))?,
            target,
            manifest,
        }))
    }

    /// The folder of the recorded log, if it holds nothing but ours.
    pub fn data(&self, inspect: &dyn Fn(&Path) -> OnDisk) -> Option<&Path> {
        let state = self.manifest.state.as_path();
        (is_ours(state) && inspect(state) == OnDisk::Folder).then_some(state)
    }

    /// Undoes the installation, in reverse.
    pub fn plan(&self, data: Data, inspect: &dyn Fn(&Path) -> OnDisk) -> Vec<InstallStep> {
        let manifest = &self.manifest;
        let is_systemd = self.target.is_systemd();
        let mut steps = match is_systemd {
            true => systemd::stop(self.target.manager, &self.states),
            false => launchd::stop(&self.target, &self.states),
        };
        let paths = manifest.paths().into_iter().rev();
        steps.extend(paths.filter_map(|path| manifest.removal(path, inspect)));
        if is_systemd {
            let words = systemctl(self.target.manager, &["daemon-reload"]);
            steps.push(InstallStep::Run(words));
        }
        let run = &manifest.run;
        if is_ours(run) && *run != manifest.state && inspect(run) == OnDisk::Folder {
            steps.push(InstallStep::RemoveAll(run.clone()));
        }
        steps.extend(self.data(inspect).map(|folder| match data {
            Data::Remove => InstallStep::RemoveAll(folder.to_owned()),
            Data::Keep => files::keep(folder),
        }));
        let own = Manifest::path(&self.target.config_folder());
        let folders = manifest.folders.iter().rev();
        let last: Vec<PathBuf> = [own].into_iter().chain(folders.cloned()).collect();
        steps.extend(last.into_iter().map(InstallStep::Remove));
        steps.extend(
            self.summary(data, inspect)
                .into_iter()
                .map(InstallStep::Note),
        );
        steps
    }

    fn summary(&self, data: Data, inspect: &dyn Fn(&Path) -> OnDisk) -> Vec<String> {
        let Manifest {
            database, state, ..
        } = &self.manifest;
        let folder = self
            .data(inspect)
            .map(|folder| folder.display().to_string());
        let mut lines = Vec::new();
        if folder.is_none() && inspect(state) == OnDisk::Folder {
            let state = state.display();
            lines.push(format!(
                "{state} is a folder of your choice, so it stays; it holds the data"
            ));
        }
        if data == Data::Remove && folder.is_none_or(|folder| !database.contains(&folder)) {
            lines.push(format!("The database {database} is not touched."));
        }
        lines
    }
}

fn is_ours(folder: &Path) -> bool {
    folder.file_name().is_some_and(|name| name == "headspace")
}
