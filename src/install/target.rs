//! The account a service runs under, the manager that keeps it, and the folders that follow.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{
    InstallRefused, Scope,
    account::{self, Account},
    command,
    facts::Request,
    manifest, state,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceManager {
    Systemd,
    Launchd,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub manager: ServiceManager,
    pub scope: Scope,
    pub account: Account,
}

impl Target {
    /// To install: the user must be said, or be the one who asks.
    pub fn to_install(request: &Request) -> Result<Target, InstallRefused> {
        let scope = scope(request)?;
        Ok(Target {
            manager: manager(scope)?,
            account: account_of(request, scope)?,
            scope,
        })
    }

    /// To take away: what is installed says whose it is.
    pub fn installed(request: &Request) -> Result<Target, InstallRefused> {
        let scope = scope(request)?;
        Ok(Target {
            manager: manager(scope)?,
            account: account::this_user()?,
            scope,
        })
    }

    /// The environment the manager gives its services.
    pub fn surroundings(&self) -> Result<BTreeMap<String, String>, InstallRefused> {
        let mut given = match (self.manager, self.scope) {
            (ServiceManager::Systemd, Scope::User) => self.of_user_manager()?,
            _ => BTreeMap::new(),
        };
        let home = self.account.home.to_string_lossy().into_owned();
        given.entry("HOME".into()).or_insert(home);
        let pair = |(name, folder): &(&str, &str)| ((*name).to_owned(), (*folder).to_owned());
        given.extend(self.unit_folders().iter().map(pair));
        Ok(given)
    }

    fn of_user_manager(&self) -> Result<BTreeMap<String, String>, InstallRefused> {
        let words = state::systemctl(self.scope, &["show-environment"]);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let text = command::query(&words).map_err(|failed| {
            let name = &self.account.name;
            InstallRefused(format!(
                "no service manager of user {name} answers ({failed}). It runs while you are \
                 logged in, or always after `sudo loginctl enable-linger {name}`. Without one: \
                 `headspace up`, or a system service: sudo headspace install --system --user {name}"
            ))
        })?;
        Ok(variables(&text))
    }

    /// What the units have made for them, and are told about.
    fn unit_folders(&self) -> &'static [(&'static str, &'static str)] {
        match (self.manager, self.scope) {
            (_, Scope::User) => &[],
            (ServiceManager::Systemd, Scope::System) => &[
                ("STATE_DIRECTORY", "/var/lib/headspace"),
                ("RUNTIME_DIRECTORY", "/run/headspace"),
                ("CONFIGURATION_DIRECTORY", "/etc/headspace"),
            ],
            (ServiceManager::Launchd, Scope::System) => {
                &[("STATE_DIRECTORY", "/Library/Application Support/headspace")]
            }
        }
    }

    /// Where the settings are, and the manifest.
    pub fn config_folder(&self, surroundings: &BTreeMap<String, String>) -> PathBuf {
        let home = &self.account.home;
        match (self.manager, self.scope) {
            (_, Scope::System) => manifest::SYSTEM_FOLDER.into(),
            (ServiceManager::Launchd, Scope::User) => {
                home.join("Library/Application Support/headspace")
            }
            (ServiceManager::Systemd, Scope::User) => {
                self.xdg_config(surroundings).join("headspace")
            }
        }
    }

    pub fn unit_folder(&self, surroundings: &BTreeMap<String, String>) -> PathBuf {
        match (self.manager, self.scope) {
            (ServiceManager::Systemd, Scope::System) => "/etc/systemd/system".into(),
            (ServiceManager::Systemd, Scope::User) => {
                self.xdg_config(surroundings).join("systemd/user")
            }
            (ServiceManager::Launchd, Scope::System) => "/Library/LaunchDaemons".into(),
            (ServiceManager::Launchd, Scope::User) => {
                self.account.home.join("Library/LaunchAgents")
            }
        }
    }

    /// Where the user's manager looks, whatever this shell thinks.
    fn xdg_config(&self, surroundings: &BTreeMap<String, String>) -> PathBuf {
        let named = surroundings.get("XDG_CONFIG_HOME").map(PathBuf::from);
        named
            .filter(|folder| folder.is_absolute())
            .unwrap_or_else(|| self.account.home.join(".config"))
    }

    /// Where the socket unit puts its unix socket.
    pub fn shipped_run(&self, surroundings: &BTreeMap<String, String>) -> PathBuf {
        let named = surroundings.get("XDG_RUNTIME_DIR");
        let named = named.filter(|_| self.scope == Scope::User);
        Path::new(named.map_or("/run", String::as_str)).join("headspace")
    }
}

fn scope(request: &Request) -> Result<Scope, InstallRefused> {
    let is_root = rustix::process::geteuid().is_root();
    let message = match (request.system, is_root) {
        (false, _) => return Ok(Scope::User),
        (true, true) if request.flags.state_dir.is_none() => return Ok(Scope::System),
        (true, true) => {
            "--state-dir: a system service keeps its data in /var/lib/headspace, the folder its \
             unit has"
        }
        (true, false) => "a system service is for root to install or remove: run this with sudo",
    };
    Err(InstallRefused(message.into()))
}

fn manager(scope: Scope) -> Result<ServiceManager, InstallRefused> {
    if cfg!(target_os = "macos") {
        return Ok(ServiceManager::Launchd);
    }
    let is_there = match scope {
        // A user's manager is asked itself, a little later.
        Scope::User => command::query(&["systemctl", "--version"]).is_ok(),
        Scope::System => Path::new("/run/systemd/system").is_dir(),
    };
    if is_there {
        return Ok(ServiceManager::Systemd);
    }
    let message = "neither systemd nor launchd runs here, so there is nothing to install into: use \
                `headspace up`, or packaging/run-watcher.sh under a supervisor of your own";
    Err(InstallRefused(message.into()))
}

fn account_of(request: &Request, scope: Scope) -> Result<Account, InstallRefused> {
    let us = account::this_user()?;
    let message = match (&request.user, scope) {
        (Some(name), Scope::System) => return account::find(name),
        (None, Scope::System) => {
            "whose sessions are to be watched? Say --system --user NAME".to_owned()
        }
        (None, Scope::User) => return Ok(us),
        (Some(name), Scope::User) if account::find(name)? == us => return Ok(us),
        (Some(name), Scope::User) => format!(
            "a user service is installed by its user: run this as {name}, or say --system for a \
             service of the machine"
        ),
    };
    Err(InstallRefused(message))
}

/// `NAME=value` lines; a value with odd characters is quoted as a shell would.
fn variables(text: &str) -> BTreeMap<String, String> {
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    pairs
        .map(|(name, value)| (name.to_owned(), unquoted(value)))
        .collect()
}

fn unquoted(value: &str) -> String {
    match value.strip_prefix("$'") {
        Some(rest) => rest
            .trim_end_matches('\'')
            .replace("\\'", "'")
            .replace("\\\\", "\\"),
        None => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_managers_environment_is_read() {
        let text = "HOME=/home/ada\nLANG=C\nODD=$'it\\'s a \\\\'\nEMPTY=\nnonsense\n";
        let found = variables(text);
        assert_eq!(found["HOME"], "/home/ada");
        assert_eq!(found["ODD"], "it's a \\");
        assert_eq!(found["EMPTY"], "");
        assert_eq!(found.len(), 4);
    }
}
