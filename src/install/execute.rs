//! Doing what the plan says, step by step.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, chown},
    path::Path,
};

use super::{
    command::{self, Failed},
    files::{FileContent, PlannedFile, PlannedFolder},
    plan::InstallStep,
    ready,
};
use crate::config::Listen;

/// How much of a service's log is shown when it does not start.
const LAST_WORDS: &str = "8";

/// Why a step failed, and what its service said last.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    #[error("cannot do this: {}: {error}", .step.split_whitespace().collect::<Vec<_>>().join(" "))]
    Failed { step: String, error: io::Error },
    #[error(transparent)]
    Command(#[from] Failed),
    #[error("{failed}\n{last_words}\nmore: {journal}")]
    Start {
        failed: Failed,
        last_words: String,
        journal: String,
    },
    #[error("the service runs, but: {0}")]
    Unwell(String),
    #[error("the service runs, but its page does not answer at {door}: {error}")]
    Silent { door: String, error: io::Error },
}

/// Carries the steps out; each is told as it is done, until one fails.
pub fn execute(steps: &[InstallStep], report: &mut dyn FnMut(&str)) -> Result<(), StepError> {
    steps.iter().try_for_each(|step| execute_step(step, report))
}

/// The same, but a step that fails keeps none of the others from being done.
pub fn execute_all(steps: &[InstallStep], report: &mut dyn FnMut(&str)) -> Vec<StepError> {
    let failed = |step| execute_step(step, report).err();
    steps.iter().filter_map(failed).collect()
}

fn execute_step(step: &InstallStep, report: &mut dyn FnMut(&str)) -> Result<(), StepError> {
    match step {
        InstallStep::Ready(door) => report(&is_ready(step, door)?),
        InstallStep::RemoveFolder(path) if !is_empty(path) => {}
        step => {
            perform(step)?;
            report(&step.line(true));
        }
    }
    Ok(())
}

fn perform(step: &InstallStep) -> Result<(), StepError> {
    let done = match step {
        InstallStep::Folder(folder) => make(folder),
        InstallStep::Write(file) => write(file),
        InstallStep::Record(path, manifest) => {
            replace(path, 0o644, None, |at| fs::write(at, manifest.bytes()))
        }
        InstallStep::Remove(path) => gone(fs::remove_file(path)),
        InstallStep::RemoveFolder(path) => gone(fs::remove_dir(path)),
        InstallStep::RemoveData(path) => gone(fs::remove_dir_all(path)),
        InstallStep::Run(words) => return Ok(command::run(words).map(drop)?),
        InstallStep::Sql(statement) => return Ok(statement.execute()?),
        InstallStep::Start(words, journal) => return start(words, journal),
        _ => Ok(()),
    };
    done.map_err(|error| StepError::Failed {
        step: step.line(false),
        error,
    })
}

fn start(words: &[String], journal: &[String]) -> Result<(), StepError> {
    let Err(failed) = command::run(words) else {
        return Ok(());
    };
    let mut query: Vec<&str> = journal.iter().map(String::as_str).collect();
    query.extend(["-n", LAST_WORDS, "-o", "cat", "--no-pager"]);
    // What was said last may not be in the journal yet. Only root may hurry it.
    let _ = command::query(&["journalctl", "--sync"]);
    // Without them the error still names the command that shows them.
    let last_words = command::query(&query).unwrap_or_default();
    Err(StepError::Start {
        failed,
        last_words: last_words.trim_end().to_owned(),
        journal: journal.join(" "),
    })
}

/// Healthy, or as good as it gets, with the reasons.
fn is_ready(step: &InstallStep, door: &Listen) -> Result<String, StepError> {
    let health = ready::wait(door).map_err(|error| StepError::Silent {
        door: door.to_string(),
        error,
    })?;
    let reasons = health.reasons.join("; ");
    match health.status.as_str() {
        "unhealthy" => Err(StepError::Unwell(reasons)),
        "healthy" => Ok(format!(
            "{}, headspace {} is healthy",
            step.line(true),
            health.version
        )),
        other => Ok(format!(
            "{}, headspace {} is {other}: {reasons}",
            step.line(true),
            health.version
        )),
    }
}

fn make(folder: &PlannedFolder) -> io::Result<()> {
    fs::DirBuilder::new()
        .mode(folder.mode)
        .create(&folder.path)?;
    // What the umask took away.
    fs::set_permissions(&folder.path, fs::Permissions::from_mode(folder.mode))?;
    given_to(&folder.path, folder.owner)
}

fn given_to(path: &Path, owner: Option<(u32, u32)>) -> io::Result<()> {
    match owner {
        Some((user, group)) => chown(path, Some(user), Some(group)),
        None => Ok(()),
    }
}

fn write(file: &PlannedFile) -> io::Result<()> {
    replace(&file.path, file.mode, file.owner, |at| {
        match &file.content {
            FileContent::Text(text) | FileContent::Secret(text) | FileContent::Unless(text) => {
                fs::write(at, text)
            }
            FileContent::Copy(from, _) => copy_into(from, at),
        }
    })
}

/// Keeps the mode the new file was made with.
fn copy_into(from: &Path, to: &Path) -> io::Result<()> {
    let mut to = fs::File::options().write(true).open(to)?;
    io::copy(&mut fs::File::open(from)?, &mut to).map(drop)
}

/// The whole file or none of it, and never open to others on the way. A running
/// program's file can be replaced so, too.
fn replace(
    path: &Path,
    mode: u32,
    owner: Option<(u32, u32)>,
    fill: impl FnOnce(&Path) -> io::Result<()>,
) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let at = path.with_file_name(format!(".{name}.new"));
    gone(fs::remove_file(&at))?;
    let mut new = fs::File::options();
    let new = new.write(true).create_new(true).mode(0o600).open(&at)?;
    let done = fill(&at)
        .and_then(|()| given_to(&at, owner))
        .and_then(|()| fs::set_permissions(&at, fs::Permissions::from_mode(mode)))
        .and_then(|()| new.sync_all())
        .and_then(|()| fs::rename(&at, path));
    if done.is_err() {
        gone(fs::remove_file(&at))?;
    }
    done
}

/// What is not there need not be removed.
fn gone(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// A folder with somebody's files in it stays.
fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}
