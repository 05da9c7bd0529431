//! The steps of an installation or a removal, and how they are carried out.

use std::{
    fmt::Display,
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    command::{self, CommandFailed},
    files::{self, FileKind, PlannedFile},
    systemd,
};
use crate::client::AskError;

/// How many lines of a service's log are shown when it does not start.
const LOG_LINES: &str = "8";

#[derive(Clone)]
pub enum InstallStep {
    /// With the folders that it needs.
    Write(PlannedFile),
    /// A file, or a folder with nothing in it.
    Remove(PathBuf),
    /// A folder with everything in it.
    RemoveAll(PathBuf),
    Run(Vec<String>),
    /// Changes nothing.
    Note(String),
}

/// Why a step failed. The others can be run again, or undone.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    #[error("cannot {step}: {error}")]
    File { step: String, error: io::Error },
    #[error(transparent)]
    Command(#[from] CommandFailed),
    #[error("{failed}\n{log}\nmore: {journal}")]
    Start {
        failed: CommandFailed,
        log: String,
        journal: String,
    },
    #[error("the service runs, but: {0}")]
    Unhealthy(String),
    #[error("the service runs, but its page does not answer at {address}: {error}")]
    Silent { address: String, error: AskError },
}

/// Carries the steps out and reports each, until one fails.
pub fn execute(steps: &[InstallStep], report: &mut dyn FnMut(&str)) -> Result<(), StepError> {
    steps.iter().try_for_each(|step| step.execute(report))
}

/// Carries all steps out, also those after one that fails.
pub fn execute_all(steps: &[InstallStep], report: &mut dyn FnMut(&str)) -> Vec<StepError> {
    let failed = |step: &InstallStep| step.execute(report).err();
    steps.iter().filter_map(failed).collect()
}

impl InstallStep {
    pub fn run(words: &[&str]) -> InstallStep {
        InstallStep::Run(words.iter().map(|word| (*word).to_owned()).collect())
    }

    pub fn note(verb: &str, object: impl Display) -> InstallStep {
        InstallStep::Note(line(verb, object))
    }

    /// Whether it changes anything.
    pub fn acts(&self) -> bool {
        !matches!(self, InstallStep::Note(_))
    }

    /// For the user, before it is done or afterwards.
    pub fn line(&self) -> String {
        match self {
            InstallStep::Write(file) => line("write", described(file)),
            InstallStep::Remove(path) => line("remove", path.display()),
            InstallStep::RemoveAll(path) => {
                line("remove", format!("{} and everything in it", path.display()))
            }
            InstallStep::Run(words) => line("run", words.join(" ")),
            InstallStep::Note(text) => text.clone(),
        }
    }

    fn execute(&self, report: &mut dyn FnMut(&str)) -> Result<(), StepError> {
        let done = match self {
            InstallStep::Write(file) => file.write(),
            InstallStep::Remove(path) if path.is_dir() && !is_empty(path) => return Ok(()),
            InstallStep::Remove(path) => remove(path),
            InstallStep::RemoveAll(path) => files::unless_missing(fs::remove_dir_all(path)),
            InstallStep::Run(words) => run(words).map(Ok)?,
            InstallStep::Note(_) => Ok(()),
        };
        let step = || self.line().split_whitespace().collect::<Vec<_>>().join(" ");
        done.map_err(|error| StepError::File {
            step: step(),
            error,
        })?;
        report(&self.line());
        Ok(())
    }
}

fn line(verb: &str, object: impl Display) -> String {
    format!("  {verb:8}  {object}")
}

fn described(file: &PlannedFile) -> String {
    let path = file.path.display();
    match file.kind {
        FileKind::Secret => format!("{path} (for its owner only)"),
        FileKind::Program => format!(
            "{path} (a copy of this program, which a system service cannot run where it is)"
        ),
        _ => path.to_string(),
    }
}

fn remove(path: &Path) -> io::Result<()> {
    files::unless_missing(match path.is_dir() {
        true => fs::remove_dir(path),
        false => fs::remove_file(path),
    })
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}

/// A service that does not start is shown with the end of its log.
fn run(words: &[String]) -> Result<(), StepError> {
    let Err(failed) = command::run(words) else {
        return Ok(());
    };
    let Some(journal) = systemd::journal_of_start(words) else {
        return Err(failed.into());
    };
    let mut query: Vec<&str> = journal.iter().map(String::as_str).collect();
    query.extend(["-n", LOG_LINES, "-o", "cat", "--no-pager"]);
    // The last lines may not be in the journal yet. Only root can hurry it.
    let _ = command::run(&["journalctl", "--sync"]);
    // Without them the error still names the command that shows them.
    let log = command::run(&query).unwrap_or_default();
    Err(StepError::Start {
        failed,
        log: log.trim_end().to_owned(),
        journal: journal.join(" "),
    })
}
