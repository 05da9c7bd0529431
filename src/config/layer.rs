//! The layers that settings are merged from, lowest first.

use std::path::PathBuf;
use std::{fs, io};

use figment::value::{Dict, Map, Value};
use figment::{Metadata, Profile, Provider};

use super::environment::Environment;
use super::places::Base;
use super::{Flags, Problem, check, keys};

/// Sections of keys from one place.
#[derive(Clone)]
pub(super) struct Layer {
    pub origin: Origin,
    pub sections: Dict,
}

#[derive(Clone)]
pub(super) enum Origin {
    Defaults,
    File(PathBuf),
    Credential(PathBuf),
    DatabaseUrl,
    Environment,
    Flags,
}

pub(super) fn defaults(base: &Base) -> Layer {
    let mut sections = Dict::new();
    for key in keys::KEYS {
        put(&mut sections, key.section(), key.name(), key.default);
    }
    let (layer, problems) = check::layer(Layer::new(Origin::Defaults, sections), base);
    debug_assert_eq!(problems, []);
    layer
}

pub(super) fn above_defaults(
    flags: &Flags,
    environment: &Environment,
    file: Option<(PathBuf, Dict)>,
) -> Result<Vec<Layer>, Problem> {
    let file = file.map(|(path, sections)| Layer::new(Origin::File(path), sections));
    let mut layers = Vec::from_iter(file);
    layers.extend(credential(environment)?);
    layers.push(database_url(environment)?);
    layers.push(variables(environment)?);
    layers.push(arguments(flags));
    Ok(layers)
}

/// The secret a service manager hands over in a file of its own.
fn credential(environment: &Environment) -> Result<Option<Layer>, Problem> {
    let Some(folder) = environment.folder("CREDENTIALS_DIRECTORY")? else {
        return Ok(None);
    };
    let path = folder.join("database-url");
    let url = match fs::read_to_string(&path) {
        Ok(url) => url,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            let origin = path.display().to_string();
            return Err(Problem::new(origin, "", format!("cannot be read: {error}")));
        }
    };
    let mut sections = Dict::new();
    put(&mut sections, "database", "url", url.trim_end());
    Ok(Some(Layer::new(Origin::Credential(path), sections)))
}

/// The variable that many tools share; ours wins over it.
fn database_url(environment: &Environment) -> Result<Layer, Problem> {
    let mut sections = Dict::new();
    if let Some(url) = environment.text("DATABASE_URL")? {
        put(&mut sections, "database", "url", url);
    }
    Ok(Layer::new(Origin::DatabaseUrl, sections))
}

fn variables(environment: &Environment) -> Result<Layer, Problem> {
    let mut sections = Dict::new();
    for (section, key, value) in environment.settings()? {
        put(&mut sections, &section, &key, value);
    }
    Ok(Layer::new(Origin::Environment, sections))
}

fn arguments(flags: &Flags) -> Layer {
    let mut sections = Dict::new();
    if let Some(url) = &flags.database_url {
        put(&mut sections, "database", "url", url);
    }
    if let Some(level) = &flags.log_level {
        put(&mut sections, "logging", "level", level);
    }
    Layer::new(Origin::Flags, sections)
}

fn put(sections: &mut Dict, section: &str, name: &str, text: &str) {
    let value = match keys::find(&format!("{section}.{name}")) {
        Some(key) => keys::from_text(key.kind, text),
        None => Value::from(text),
    };
    let section = sections
        .entry(section.to_string())
        .or_insert_with(|| Value::from(Dict::new()));
    if let Value::Dict(_, keys) = section {
        keys.insert(name.to_string(), value);
    }
}

impl Layer {
    pub(super) fn new(origin: Origin, sections: Dict) -> Layer {
        Layer { origin, sections }
    }
}

impl Origin {
    /// What to look at for the value of this key.
    pub(super) fn name(&self, path: &str) -> String {
        match self {
            Origin::Defaults => "default".into(),
            Origin::File(file) | Origin::Credential(file) => file.display().to_string(),
            Origin::DatabaseUrl => "DATABASE_URL".into(),
            Origin::Environment => {
                format!("HEADSPACE_{}", path.to_uppercase().replacen('.', "__", 1))
            }
            Origin::Flags if path == "logging.level" => "--log-level".into(),
            Origin::Flags => "--database-url".into(),
        }
    }

    /// The name of another key as this place spells it.
    pub(super) fn spelling(&self, path: &str) -> String {
        match self {
            Origin::Environment => self.name(path),
            _ => path.to_string(),
        }
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        let origin = self.origin.clone();
        Metadata::named("settings")
            .interpolater(move |_: &Profile, keys: &[&str]| origin.name(&keys.join(".")))
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.sections.clone()))
    }
}
