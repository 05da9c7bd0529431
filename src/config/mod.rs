//! Settings: read once, checked once, handed on as plain values.
//!
//! In: the command line's flags, the process environment, `config.yaml`.
//! Out: [`Settings`], or every problem found, one line each.
//!
//! ```text
//! config.yaml of this program < file < credential < environment < flags
//!     each read over the defaults, then merged (figment) ──▶ Settings (serde)
//! ```
//!
//! Promises
//! - nothing is ignored in silence: an unknown key, a wrong type and a value out
//!   of range are all refused at once, each with the file, variable or flag, the
//!   key, and what would be right
//! - a password in a database URL, the path of a webhook and its secret are never printed
//! - nothing in the settings is ever executed, but `notify.command`: one program with its
//!   arguments, and no shell
//!
//! Not here: what the values are for. No stage reads the environment after this.

mod check;
mod database;
mod environment;
mod error;
mod file;
mod layer;
mod listen;
mod places;
mod prepare;
mod sections;
mod show;
mod webhook;

pub use database::DatabaseUrl;
pub use error::{Error, Problem};
pub use listen::Listen;
pub use places::Places;
pub use prepare::prepare;
pub use sections::{
    Archive, ArchiveMode, Claude, Database, EventSystem, Hooks, Level, LogFormat, Logging, Notify,
    Sessions, Settings, Sse, Watch, Web,
};
pub use show::show;
pub use webhook::{Shape, WebhookSecret, WebhookUrl};

use std::path::{Path, PathBuf};

use environment::Environment;
use figment::{Figment, value::Dict};
use places::{Base, absolute};

/// The flags that every command takes. No `Debug`: a URL may hold a password.
#[derive(Clone, Default)]
pub struct Flags {
    pub config: Option<PathBuf>,
    pub state_dir: Option<PathBuf>,
    pub database_url: Option<String>,
    pub log_level: Option<String>,
}

/// Reads all settings. The only place that looks at the process environment.
pub fn load(flags: &Flags) -> Result<Settings, Error> {
    load_from(flags, &Environment::of_this_process())
}

/// The settings of a process that has these flags and this environment.
pub fn load_as(
    flags: &Flags,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<Settings, Error> {
    load_from(flags, &Environment::of(variables))
}

/// The state folder alone: no file is read for it.
pub fn state_folder(flags: &Flags) -> Result<PathBuf, Error> {
    let (places, _) = places::find(flags, &Environment::of_this_process())?;
    Ok(places.state)
}

/// Whether a valid database URL holds a password.
pub fn has_password(url: &str) -> bool {
    DatabaseUrl::try_from(url.to_owned()).is_ok_and(|url| url.has_password())
}

fn load_from(flags: &Flags, environment: &Environment) -> Result<Settings, Error> {
    refuse_service_without_user(environment)?;
    let (mut places, candidate) = places::find(flags, environment)?;
    let file = match candidate {
        Some(candidate) => file::read(&candidate)?.map(|keys| (candidate.path, keys)),
        None => None,
    };
    places.config_file = file.as_ref().map(|(path, _)| path.clone());

    let base = Base::new(environment.text("HOME")?, &places)?;
    let mut layers = layer::above_defaults(flags, environment, file, &base)?;
    let mut merged = Figment::from(&layer::defaults(&base)?);
    let defaults = merged.clone();
    let mut problems = Vec::from_iter(password_in_flags(flags));
    for layer in &mut layers {
        problems.extend(check::check(&defaults, layer));
        // Later layers win, key by key; a list is replaced, not extended.
        merged = merged.merge(&*layer);
    }
    let mut settings: Settings = merged
        .extract()
        .map_err(|error| Problem::new("settings", error.path.join("."), error.to_string()))?;
    if !problems.is_empty() {
        let logging = settings.logging;
        return Err(Error { problems, logging });
    }
    settings.sources = sources(&merged);
    settings.places = places;
    if settings.claude.roots.is_empty() {
        let (roots, chosen_by) = default_roots(environment, &base)?;
        settings.claude.roots = roots;
        settings.sources.insert("claude.roots".into(), chosen_by);
    }
    Ok(settings)
}

/// The unit of the system has no user before `install` names one.
fn refuse_service_without_user(environment: &Environment) -> Result<(), Problem> {
    let has_home = environment
        .own_home()?
        .is_some_and(|home| Path::new(home) != Path::new("/"));
    if environment.unit_folder("STATE_DIRECTORY")?.is_none() || has_home {
        return Ok(());
    }
    let message = "this system service has no user whose sessions it watches; \
                   run `headspace install --system --user NAME` as root";
    Err(Problem::new("User=", "", message))
}

/// Every user of the machine can read a command line.
fn password_in_flags(flags: &Flags) -> Option<Problem> {
    let url = flags.database_url.as_deref()?;
    has_password(url).then(|| {
        let message = "a password does not belong on the command line; \
                       put the URL into config.yaml or HEADSPACE_DATABASE__URL";
        Problem::new("--database-url", "database.url", message)
    })
}

/// For each key in force, the name of its layer.
fn sources(merged: &Figment) -> sections::Sources {
    // The merged layers are sections of keys: they have been extracted as such.
    let sections: Dict = merged.extract().unwrap_or_default();
    let paths = sections.iter().flat_map(|(section, keys)| {
        let keys = keys.as_dict().into_iter().flat_map(Dict::keys);
        keys.map(move |key| format!("{section}.{key}"))
    });
    paths
        .filter_map(|path| {
            let name = merged.find_metadata(&path)?.name.clone();
            Some((path, name.into_owned()))
        })
        .collect()
}

/// Where Claude Code keeps its transcripts when no setting says so.
fn default_roots(
    environment: &Environment,
    base: &Base,
) -> Result<(Vec<PathBuf>, String), Problem> {
    if let Some(folder) = environment.text("CLAUDE_CONFIG_DIR")? {
        let folder = absolute(&base.expand(folder))
            .map_err(|wrong| Problem::new("CLAUDE_CONFIG_DIR", "claude.roots", wrong))?;
        return Ok((vec![folder], "CLAUDE_CONFIG_DIR".into()));
    }
    let mut roots = Vec::new();
    if let Some(home) = base.home() {
        roots.push(Path::new(home).join(".claude"));
        // The older folder counts only where it exists.
        let older = Path::new(home).join(".config/claude");
        if older.is_dir() {
            roots.push(older);
        }
    }
    Ok((roots, "default".into()))
}

#[cfg(test)]
mod tests;
