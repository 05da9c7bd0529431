//! The layers that settings are merged from, lowest first. The commented
//! `config/config.yaml` is the lowest: it holds every key with its default.

use std::{fs, io, path::PathBuf};

use figment::{
    Metadata, Profile, Provider,
    util::nest,
    value::{Dict, Map, Value},
};

use super::{Flags, Problem, environment::Environment, file, places::Base};

pub(super) const DEFAULTS: &str = include_str!("../../config/config.yaml");

/// Keys from one place.
#[derive(Clone)]
pub(super) struct Layer {
    /// What to look at for these values: a file, a variable or a flag.
    pub origin: String,
    keys: Dict,
}

pub(super) fn defaults(base: &Base) -> Result<Layer, Problem> {
    let keys = file::parse(DEFAULTS).map_err(|wrong| Problem::new("default", "", wrong))?;
    Ok(Layer::new("default", keys, base))
}

pub(super) fn above_defaults(
    flags: &Flags,
    environment: &Environment,
    file: Option<(PathBuf, Dict)>,
    base: &Base,
) -> Result<Vec<Layer>, Problem> {
    let one = |origin: &str, path: &str, value: Value| {
        let nested = nest(path, value).into_dict().unwrap_or_default();
        Layer::new(origin, nested, base)
    };
    let file = file.map(|(path, keys)| Layer::new(&path.display().to_string(), keys, base));
    let mut layers = Vec::from_iter(file);
    for (name, key) in CREDENTIALS {
        if let Some((path, secret)) = credential(environment, name)? {
            layers.push(one(&path.display().to_string(), key, secret.into()));
        }
    }
    if let Some(url) = environment.text("DATABASE_URL")? {
        layers.push(one("DATABASE_URL", "database.url", url.into()));
    }
    for (name, path, value) in environment.settings()? {
        layers.push(one(name, &path, value));
    }
    if let Some(url) = &flags.database_url {
        layers.push(one("--database-url", "database.url", url.as_str().into()));
    }
    if let Some(level) = &flags.log_level {
        layers.push(one("--log-level", "logging.level", level.as_str().into()));
    }
    Ok(layers)
}

/// Files of a service manager, and what they hold.
const CREDENTIALS: [(&str, &str); 3] = [
    ("database-url", "database.url"),
    ("webhook-url", "notify.webhook_url"),
    ("webhook-secret", "notify.webhook_secret"),
];

/// The secret that a service manager hands over in a file of its own.
fn credential(environment: &Environment, name: &str) -> Result<Option<(PathBuf, String)>, Problem> {
    let Some(folder) = environment.folder("CREDENTIALS_DIRECTORY")? else {
        return Ok(None);
    };
    let path = folder.join(name);
    match fs::read_to_string(&path) {
        Ok(url) => Ok(Some((path, url.trim_end().to_owned()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => {
            let origin = path.display().to_string();
            Err(Problem::new(origin, "", format!("cannot be read: {error}")))
        }
    }
}

impl Layer {
    fn new(origin: &str, mut keys: Dict, base: &Base) -> Layer {
        // A section whose keys are all commented out.
        keys.retain(|_, section| !matches!(section, Value::Empty(..)));
        keys.values_mut().for_each(|value| expand(value, base));
        Layer {
            origin: origin.into(),
            keys,
        }
    }

    /// Whether there was such a key.
    pub(super) fn remove(&mut self, path: &[String]) -> bool {
        match path {
            [section] => self.keys.remove(section).is_some(),
            [section, key, ..] => match self.keys.get_mut(section) {
                Some(Value::Dict(_, keys)) => keys.remove(key).is_some(),
                _ => false,
            },
            [] => false,
        }
    }
}

fn expand(value: &mut Value, base: &Base) {
    match value {
        Value::String(_, text) => *text = base.expand(text),
        Value::Dict(_, values) => values.values_mut().for_each(|value| expand(value, base)),
        Value::Array(_, values) => values.iter_mut().for_each(|value| expand(value, base)),
        _ => {}
    }
}

impl Provider for &Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.origin.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.keys.clone()))
    }
}
