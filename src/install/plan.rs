//! The plan: steps, made by a pure function from facts and what is there.

use std::path::{Path, PathBuf};

use super::{
    InstallRefused, database,
    facts::InstallFacts,
    files::{self, Changes, FileContent, OnDisk, PlannedFile, PlannedFolder},
    launchd,
    manifest::Manifest,
    systemd,
    target::ServiceManager,
};
use crate::config::Listen;

/// One thing to do, or one thing to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InstallStep {
    Folder(PlannedFolder),
    Write(PlannedFile),
    Remove(PathBuf),
    /// Of a folder that was made, if nothing is in it.
    RemoveFolder(PathBuf),
    /// A folder with everything in it.
    RemoveData(PathBuf),
    /// Writes down what is installed.
    Record(PathBuf, Manifest),
    Run(Vec<String>),
    /// Something in PostgreSQL.
    Sql(database::Statement),
    /// Starts services, and asks for their last words if that fails.
    Start(Vec<String>, Vec<String>),
    /// Waits until the page answers there.
    Ready(Listen),
    /// It is so already.
    Same(PathBuf),
    /// Somebody's own, which stays.
    Kept(PathBuf),
    /// Written by an installation and changed since; it stays.
    Changed(PathBuf),
    Already(String),
    Notice(String),
}

impl InstallStep {
    /// Whether it changes anything.
    pub fn acts(&self) -> bool {
        !matches!(
            self,
            InstallStep::Ready(_)
                | InstallStep::Same(_)
                | InstallStep::Kept(_)
                | InstallStep::Changed(_)
                | InstallStep::Already(_)
                | InstallStep::Notice(_)
        )
    }

    /// The line about it, before it is done or afterwards.
    pub fn line(&self, is_done: bool) -> String {
        let (before, after, what) = match self {
            InstallStep::Folder(folder) => ("make", "made", folder.path.display().to_string()),
            InstallStep::Write(file) => ("write", "wrote", described(file)),
            InstallStep::Remove(path) | InstallStep::RemoveFolder(path) => {
                ("remove", "removed", path.display().to_string())
            }
            InstallStep::RemoveData(path) => {
                let what = format!("{} and everything in it", path.display());
                ("remove", "removed", what)
            }
            InstallStep::Record(path, _) => (
                "note",
                "noted",
                format!("what is installed in {}", path.display()),
            ),
            InstallStep::Run(words) | InstallStep::Start(words, _) => {
                ("run", "ran", words.join(" "))
            }
            InstallStep::Sql(statement) => ("execute", "executed", statement.line()),
            InstallStep::Ready(door) => ("wait for", "ready", door.to_string()),
            InstallStep::Same(path) => ("is there", "is there", path.display().to_string()),
            InstallStep::Kept(path) => ("kept", "kept", format!("{} as it is", path.display())),
            InstallStep::Changed(path) => {
                let what = format!("{}: it was changed since it was installed", path.display());
                ("left", "left", what)
            }
            InstallStep::Already(what) => ("already", "already", what.clone()),
            InstallStep::Notice(text) => return text.clone(),
        };
        format!("  {:8}  {what}", if is_done { after } else { before })
    }
}

fn described(file: &PlannedFile) -> String {
    let path = file.path.display();
    match &file.content {
        FileContent::Secret(_) => format!("{path} (for its owner only)"),
        FileContent::Copy(from, _) => format!(
            "{path} (a copy of {}, which a system service could not run)",
            from.display()
        ),
        _ => path.to_string(),
    }
}

/// What has to be done so that headspace is installed, and nothing more.
pub fn plan(
    facts: &InstallFacts,
    inspect: &dyn Fn(&Path) -> OnDisk,
) -> Result<Vec<InstallStep>, InstallRefused> {
    let (folders, files) = match facts.manager {
        ServiceManager::Systemd => (systemd::folders(facts), systemd::files(facts)),
        ServiceManager::Launchd => (launchd::folders(facts), launchd::files(facts)?),
    };
    let changes = files::plan(&folders, &files, facts.earlier.as_ref(), inspect)?;
    let manifest = manifest(facts, &changes);
    let on_the_way = on_the_way(&manifest, facts.earlier.as_ref());
    let path = Manifest::path(&facts.config_folder);

    let is_folder = |step: &&InstallStep| matches!(step, InstallStep::Folder(_));
    let mut steps: Vec<InstallStep> = changes.steps.iter().filter(is_folder).cloned().collect();
    if facts.earlier.as_ref() != Some(&manifest) {
        steps.push(InstallStep::Record(path.clone(), on_the_way.clone()));
    }
    steps.extend(
        changes
            .steps
            .iter()
            .filter(|step| !is_folder(step))
            .cloned(),
    );
    steps.extend(facts.in_postgres.iter().map(in_postgres));
    steps.extend(match facts.manager {
        ServiceManager::Systemd => systemd::services(facts, &changes, inspect),
        ServiceManager::Launchd => launchd::services(facts, &changes),
    });
    if on_the_way != manifest {
        steps.push(InstallStep::Record(path, manifest));
    }
    steps.push(InstallStep::Ready(facts.door()));
    steps.extend(words(facts).into_iter().map(InstallStep::Notice));
    Ok(steps)
}

fn in_postgres((statement, is_applied): &(database::Statement, bool)) -> InstallStep {
    match is_applied {
        true => InstallStep::Already(statement.line()),
        false => InstallStep::Sql(statement.clone()),
    }
}

fn manifest(facts: &InstallFacts, changes: &Changes) -> Manifest {
    Manifest {
        version: env!("CARGO_PKG_VERSION").into(),
        user: facts.account.name.clone(),
        state: facts.state.clone(),
        run: facts.run.clone(),
        database: facts.database.clone(),
        environment: facts.environment.clone(),
        folders: changes.folders.clone(),
        files: changes.files.clone(),
    }
}

/// Names what is there and what will be, so that an installation that stops
/// halfway can be undone, or done again.
fn on_the_way(manifest: &Manifest, earlier: Option<&Manifest>) -> Manifest {
    let mut both = manifest.clone();
    let Some(earlier) = earlier else { return both };
    for entry in &earlier.files {
        if !both.files.contains(entry) {
            both.files.push(entry.clone());
        }
    }
    for folder in &earlier.folders {
        if !both.folders.contains(folder) {
            both.folders.push(folder.clone());
        }
    }
    both
}

/// What its user wants to know afterwards.
fn words(facts: &InstallFacts) -> Vec<String> {
    let mut words = vec![String::new()];
    for listen in &facts.listen {
        words.push(match listen {
            Listen::Tcp(address) => format!("page      http://{address}"),
            unix => format!("page      {unix}"),
        });
    }
    for root in &facts.roots {
        words.push(format!("watching  {}", root.display()));
    }
    words.push(format!("database  {}", facts.database));
    words.extend(match facts.manager {
        ServiceManager::Systemd => systemd::words(facts),
        ServiceManager::Launchd => launchd::words(facts),
    });
    words
}
