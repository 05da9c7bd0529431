//! The plan of an installation: what differs from what should be, made by a pure
//! function.

use std::path::Path;

use super::{
    InstallRefused,
    facts::InstallFacts,
    files::{self, Changes, OnDisk, PlannedFile},
    launchd,
    manifest::Manifest,
    steps::InstallStep,
    systemd,
};
use crate::config::Listen;

/// What has to be done so that headspace is installed, and nothing more.
pub fn plan(
    facts: &InstallFacts,
    inspect: &dyn Fn(&Path) -> OnDisk,
) -> Result<Vec<InstallStep>, InstallRefused> {
    let files = match facts.target.is_systemd() {
        true => systemd::files(facts),
        false => launchd::files(facts)?,
    };
    let earlier = facts.earlier.clone().unwrap_or_default();
    let path = Manifest::path(&facts.target.config_folder());
    let paths = files.iter().map(|file| file.path.as_path());
    let folders = files::made_folders(paths.chain([path.as_path()]), &earlier, inspect)?;
    let mut changes = files::compare(&files, &earlier, inspect)?;
    changes.folders = folders;

    let manifest = manifest(facts, &changes);
    let both = manifest.with(&earlier);
    let record =
        |manifest: &Manifest| InstallStep::Write(PlannedFile::plain(&path, &manifest.text(), &[]));
    let commands = match facts.target.is_systemd() {
        true => systemd::commands(facts, &changes, inspect),
        false => launchd::commands(facts, &changes, inspect),
    };
    let is_new = facts.earlier.as_ref() != Some(&manifest);
    // First what is there and what will be, so that an installation that stops
    // halfway can be run again, or undone.
    let mut steps = Vec::from_iter(is_new.then(|| record(&both)));
    steps.extend(changes.steps);
    steps.extend(commands);
    steps.extend((both != manifest).then(|| record(&manifest)));
    steps.extend(summary(facts).into_iter().map(InstallStep::Note));
    Ok(steps)
}

fn manifest(facts: &InstallFacts, changes: &Changes) -> Manifest {
    Manifest {
        version: env!("CARGO_PKG_VERSION").into(),
        user: facts.target.account.name.clone(),
        state: facts.settings.places.state.clone(),
        run: facts.settings.places.run.clone(),
        database: facts.settings.database.url.to_string(),
        environment: facts.environment.clone(),
        folders: changes.folders.clone(),
        files: changes.files.clone(),
    }
}

/// What the user wants to know afterwards.
fn summary(facts: &InstallFacts) -> Vec<String> {
    let mut lines = vec![String::new()];
    lines.extend(facts.listen().iter().map(|listen| match listen {
        Listen::Tcp(address) => format!("page      http://{address}"),
        unix => format!("page      {unix}"),
    }));
    let roots = facts.settings.claude.roots.iter();
    lines.extend(roots.map(|root| format!("watching  {}", root.display())));
    lines.push(format!("database  {}", facts.settings.database.url));
    let log = match facts.target.is_systemd() {
        true => systemd::journal(facts.target.manager, &[systemd::WEB, systemd::WATCHER]).join(" "),
        false => launchd::logs(facts),
    };
    let uninstall = match facts.target.is_system() {
        true => "sudo headspace uninstall --system",
        false => "headspace uninstall",
    };
    lines.push(format!("log       {log}"));
    lines.push(format!("remove    {uninstall}"));
    if facts.target.is_systemd() && !facts.target.is_system() && !facts.lingers {
        lines.push(format!(
            "The services stop when you log out, and start when you log in. To keep them \
             running: loginctl enable-linger {}",
            facts.target.account.name
        ));
    }
    lines
}
