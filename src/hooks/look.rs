//! What one folder of the CLI has of our hooks.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use super::{
    Entry, Hook, Running, SettingsFile, Version, are_disabled, command::program, find, installed,
    running, version_of, wanted,
};

/// A folder of the CLI, as it was found.
#[derive(Debug)]
pub struct Look {
    pub root: PathBuf,
    pub settings: PathBuf,
    /// Our hooks in its settings, or why that cannot be said.
    pub entries: Result<Vec<Entry>, String>,
    /// Events of which one is wanted and none is there.
    pub missing: Vec<&'static str>,
    /// Its settings switch all hooks off.
    pub is_disabled: bool,
    /// A program that they call and that is not there.
    pub gone: Option<String>,
    pub running: Vec<Running>,
    /// The oldest version that reads these settings, as far as one is known.
    pub version: Option<Version>,
}

/// The version of the CLI that is found by name.
pub fn installed_version(path: Option<&OsStr>) -> Option<Version> {
    version_of(&find(path?)?)
}

/// `installed` is the version of the CLI that the next session has.
pub fn look(root: &Path, installed: Option<Version>) -> Look {
    let running = running(root);
    // One of another machine may be over for a long time.
    let here = running.iter().filter(|one| !one.is_foreign);
    let version = here.filter_map(|one| one.version);
    let mut look = Look {
        root: root.to_owned(),
        settings: root.join("settings.json"),
        entries: Ok(Vec::new()),
        missing: Vec::new(),
        is_disabled: false,
        gone: None,
        version: version.chain(installed).min(),
        running,
    };
    look.entries = look.read();
    let entries = look.entries.as_deref().unwrap_or_default();
    let is_missing = |hook: &Hook| entries.iter().all(|entry| entry.event != hook.event);
    let missing = wanted(false, look.version).into_iter().filter(is_missing);
    look.missing = missing.map(|hook| hook.event).collect();
    let programs = entries.iter().filter_map(|entry| program(&entry.command));
    look.gone = programs
        .filter(|program| program.starts_with('/'))
        .find(|program| !Path::new(program).exists());
    look
}

impl Look {
    /// Whether all that is wanted is there.
    pub fn is_complete(&self) -> bool {
        self.entries.is_ok() && self.missing.is_empty() && self.gone.is_none()
    }

    fn read(&mut self) -> Result<Vec<Entry>, String> {
        let file = SettingsFile::of(&self.root).map_err(|error| error.to_string())?;
        let text = file.text().map_err(|error| error.to_string())?;
        let text = text.unwrap_or_default();
        let entries = installed(text);
        self.is_disabled = entries.is_ok() && are_disabled(text);
        entries.map_err(|refusal| format!("{}: {refusal}", self.settings.display()))
    }
}
