//! The process environment as a value.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ffi::OsString;
use std::path::PathBuf;

use figment::value::Value;

use super::Problem;

/// Names and values. An empty value counts as not set, as the shell's `${X:-}` has it.
pub(super) struct Environment {
    variables: BTreeMap<String, OsString>,
    /// A service may have no HOME; the account database still knows it.
    account_home: Option<OsString>,
}

impl Environment {
    pub(super) fn of_this_process() -> Environment {
        let variables = std::env::vars_os()
            .map(|(name, value)| (name.to_string_lossy().into_owned(), value))
            .collect();
        Environment {
            variables,
            account_home: std::env::home_dir().map(PathBuf::into_os_string),
        }
    }

    pub(super) fn of(variables: impl IntoIterator<Item = (String, String)>) -> Environment {
        let owned = |(name, value): (String, String)| (name, OsString::from(value));
        Environment {
            variables: variables.into_iter().map(owned).collect(),
            account_home: None,
        }
    }

    /// HOME as this process was given it.
    pub(super) fn own_home(&self) -> Result<Option<&str>, Problem> {
        Environment::checked("HOME", self.variables.get("HOME"))
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, Problem> {
        let value = self.variables.get(name).filter(|value| !value.is_empty());
        let fallback = self.account_home.as_ref().filter(|_| name == "HOME");
        Environment::checked(name, value.or(fallback))
    }

    fn checked<'v>(name: &str, value: Option<&'v OsString>) -> Result<Option<&'v str>, Problem> {
        let Some(value) = value.filter(|value| !value.is_empty()) else {
            return Ok(None);
        };
        match value.to_str() {
            Some(text) => Ok(Some(text)),
            None => Err(Problem::new(name, "", "is not UTF-8 text")),
        }
    }

    /// A folder from a variable that the XDG rules or a service manager define:
    /// a relative path there counts as not set.
    pub(super) fn folder(&self, name: &str) -> Result<Option<PathBuf>, Problem> {
        let folder = self.text(name)?.map(PathBuf::from);
        Ok(folder.filter(|folder| folder.is_absolute()))
    }

    /// A folder that systemd made for the unit. Several are joined by colons; the first is ours.
    pub(super) fn unit_folder(&self, name: &str) -> Result<Option<PathBuf>, Problem> {
        let first = self.text(name)?.and_then(|list| list.split(':').next());
        Ok(first.map(PathBuf::from).filter(|path| path.is_absolute()))
    }

    /// `HEADSPACE_<SECTION>__<KEY>` as its name, `section.key` and value, empty
    /// values included. Names without `__` belong to scripts and to flags.
    pub(super) fn settings(&self) -> Result<Vec<(&str, String, Value)>, Problem> {
        let mut found = Vec::new();
        for (name, value) in &self.variables {
            let rest = name.strip_prefix("HEADSPACE_");
            let Some((section, key)) = rest.and_then(|rest| rest.split_once("__")) else {
                continue;
            };
            let text = value.to_str();
            let text = text.ok_or_else(|| Problem::new(name, "", "is not UTF-8 text"))?;
            let path = format!("{section}.{key}").to_lowercase();
            // A number, `true`, a list such as ["a", "b"], or else the text itself.
            let value = match path.as_str() {
                "database.url" | "notify.webhook_url" | "notify.webhook_secret" => {
                    Value::from(text)
                }
                _ => text
                    .parse()
                    .unwrap_or_else(|never: Infallible| match never {}),
            };
            found.push((name.as_str(), path, value));
        }
        Ok(found)
    }
}

#[cfg(test)]
impl<const N: usize> From<[(&str, &str); N]> for Environment {
    fn from(variables: [(&str, &str); N]) -> Environment {
        Environment::of(variables.map(|(name, value)| (name.into(), value.into())))
    }
}
