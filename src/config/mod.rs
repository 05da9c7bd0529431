//! Settings: read once, checked once, handed on as plain values.
//!
//! In: the command line's flags, the process environment, `config.yaml`.
//! Out: [`Settings`], or every problem found, one line each.
//!
//! ```text
//! defaults < file < credential < environment < flags   each checked by itself
//!     └────────┴─────────┴────────────┴─────────┴──▶ merged ──▶ Settings
//! ```
//!
//! Promises
//! - nothing is ignored in silence: an unknown key, a wrong type, a value out
//!   of range and a choice this version cannot honour are all refused, with
//!   where the value stands, the key, and what would be right
//! - a password in a database URL is never printed
//! - nothing in the settings is ever executed
//!
//! Not here: what the values are for. Nobody reads the environment after this.

mod check;
mod database;
mod environment;
mod error;
mod file;
mod keys;
mod layer;
mod listen;
mod nearest;
mod places;
mod prepare;
mod sections;
mod show;
mod unknown;

pub use database::DatabaseUrl;
pub use error::{Error, Problem};
pub use listen::Listen;
pub use places::Places;
pub use prepare::prepare;
pub use sections::{
    Claude, Database, EventSystem, Hooks, Logging, Redact, RedactMode, Retention, Sessions,
    Settings, Sse, Watch, Web,
};
pub use show::show;

use std::path::{Path, PathBuf};

use environment::Environment;
use figment::{Figment, Profile};
use layer::Layer;
use places::Base;

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

/// Whether a database URL holds a password, as far as it can be told.
pub fn has_password(url: &str) -> bool {
    DatabaseUrl::try_from(url.to_owned()).is_ok_and(|url| url.has_password())
}

fn load_from(flags: &Flags, environment: &Environment) -> Result<Settings, Error> {
    refuse_nobody(environment)?;
    let (mut places, candidate) = places::find(flags, environment)?;
    let file = match candidate {
        Some(candidate) => file::read(&candidate)?.map(|sections| (candidate.path, sections)),
        None => None,
    };
    places.config_file = file.as_ref().map(|(path, _)| path.clone());

    let base = Base::new(environment.text("HOME")?, &places)?;
    let layers = checked(layer::above_defaults(flags, environment, file)?, &base)?;
    let merged = merge(layer::defaults(&base), layers);

    let mut settings: Settings = merged
        .extract()
        .map_err(|error| Problem::new("settings", "", error.to_string()))?;
    settings.sources = sources(&merged);
    settings.places = places;
    if settings.claude.roots.is_empty() {
        let (roots, chosen_by) = default_roots(environment, &base)?;
        settings.claude.roots = roots;
        settings.sources.insert("claude.roots".into(), chosen_by);
    }
    Ok(settings)
}

/// A system service that nobody told whose sessions it is for.
fn refuse_nobody(environment: &Environment) -> Result<(), Problem> {
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

/// All layers with their values made ready for use, or all that is wrong with any of them.
fn checked(layers: Vec<Layer>, base: &Base) -> Result<Vec<Layer>, Error> {
    let (layers, problems): (Vec<_>, Vec<_>) = layers
        .into_iter()
        .map(|layer| check::layer(layer, base))
        .unzip();
    let problems: Vec<Problem> = problems.into_iter().flatten().collect();
    if problems.is_empty() {
        Ok(layers)
    } else {
        Err(Error { problems })
    }
}

/// Later layers win, key by key; a list is replaced, not extended.
fn merge(defaults: Layer, above: Vec<Layer>) -> Figment {
    above
        .into_iter()
        .fold(Figment::from(defaults), |merged, layer| merged.merge(layer))
}

fn sources(merged: &Figment) -> sections::Sources {
    let source = |path: &str| {
        let keys: Vec<&str> = path.split('.').collect();
        let metadata = merged.find_metadata(path)?;
        Some(metadata.interpolate(&Profile::Default, &keys))
    };
    keys::KEYS
        .iter()
        .filter_map(|key| Some((key.path.to_string(), source(key.path)?)))
        .collect()
}

/// Where Claude Code keeps its transcripts when no setting says so.
fn default_roots(
    environment: &Environment,
    base: &Base,
) -> Result<(Vec<PathBuf>, String), Problem> {
    if let Some(folder) = environment.text("CLAUDE_CONFIG_DIR")? {
        let folder = base
            .expand(folder)
            .map_err(|wrong| Problem::new("CLAUDE_CONFIG_DIR", "claude.roots", wrong))?;
        return Ok((vec![folder], "CLAUDE_CONFIG_DIR".into()));
    }
    let mut roots = Vec::new();
    if let Some(home) = base.home() {
        roots.push(Path::new(home).join(".claude"));
        // The older folder counts only where it exists: nobody has both by default.
        let older = Path::new(home).join(".config/claude");
        if older.is_dir() {
            roots.push(older);
        }
    }
    Ok((roots, "default".into()))
}

#[cfg(test)]
mod tests;
