//! The account that the services run as, the manager that runs them, and the
//! folders that follow.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{
    InstallRefused,
    account::{self, Account},
    command,
    facts::Request,
    manifest, states,
};
use crate::supervise::unit::Manager;

#[derive(Clone)]
pub struct Target {
    pub manager: Manager,
    pub account: Account,
    /// The environment that the manager gives its services.
    pub surroundings: BTreeMap<String, String>,
}

impl Target {
    /// To install: the user must be named, or be the one that runs this.
    pub fn to_install(request: &Request) -> Result<Target, InstallRefused> {
        let manager = manager(request)?;
        Target::new(manager, account_of(request, manager)?)
    }

    /// To uninstall: the manifest names the user.
    pub fn installed(request: &Request) -> Result<Target, InstallRefused> {
        Target::new(manager(request)?, account::this_user()?)
    }

    fn new(manager: Manager, account: Account) -> Result<Target, InstallRefused> {
        let mut surroundings = match manager {
            Manager::User => of_user_manager(&account)?,
            _ => BTreeMap::new(),
        };
        let home = account.home.to_string_lossy().into_owned();
        surroundings.entry("HOME".into()).or_insert(home);
        let pair = |(name, folder): &(&str, &str)| ((*name).to_owned(), (*folder).to_owned());
        surroundings.extend(unit_variables(manager).iter().map(pair));
        Ok(Target {
            manager,
            account,
            surroundings,
        })
    }

    /// A service of the machine, not of one user.
    pub fn is_system(&self) -> bool {
        matches!(self.manager, Manager::System | Manager::Daemons)
    }

    pub fn is_systemd(&self) -> bool {
        self.manager.is_systemd()
    }

    /// Where the settings are, and the manifest.
    pub fn config_folder(&self) -> PathBuf {
        match self.manager {
            Manager::System | Manager::Daemons => manifest::SYSTEM_FOLDER.into(),
            Manager::Agents => self
                .account
                .home
                .join("Library/Application Support/headspace"),
            Manager::User => self.xdg_config().join("headspace"),
        }
    }

    pub fn secret_path(&self) -> PathBuf {
        self.config_folder().join("database-url")
    }

    pub fn unit_folder(&self) -> PathBuf {
        match self.manager {
            Manager::System => "/etc/systemd/system".into(),
            Manager::User => self.xdg_config().join("systemd/user"),
            Manager::Daemons => "/Library/LaunchDaemons".into(),
            Manager::Agents => self.account.home.join("Library/LaunchAgents"),
        }
    }

    /// Where the user's manager looks, which may be another place than this shell's.
    fn xdg_config(&self) -> PathBuf {
        let named = self.surroundings.get("XDG_CONFIG_HOME").map(PathBuf::from);
        named
            .filter(|folder| folder.is_absolute())
            .unwrap_or_else(|| self.account.home.join(".config"))
    }

    /// Where the shipped socket unit puts its unix socket.
    pub fn shipped_run(&self) -> PathBuf {
        let named = self.surroundings.get("XDG_RUNTIME_DIR");
        let named = named.filter(|_| !self.is_system());
        Path::new(named.map_or("/run", String::as_str)).join("headspace")
    }
}

/// The folders that the units make, and the variables that name them.
fn unit_variables(manager: Manager) -> &'static [(&'static str, &'static str)] {
    match manager {
        Manager::User | Manager::Agents => &[],
        Manager::System => &[
            ("STATE_DIRECTORY", "/var/lib/headspace"),
            ("RUNTIME_DIRECTORY", "/run/headspace"),
            ("CONFIGURATION_DIRECTORY", "/etc/headspace"),
        ],
        Manager::Daemons => &[("STATE_DIRECTORY", "/Library/Application Support/headspace")],
    }
}

fn manager(request: &Request) -> Result<Manager, InstallRefused> {
    let refused = |message: &str| Err(InstallRefused(message.into()));
    if request.system && !rustix::process::geteuid().is_root() {
        return refused("only root installs or removes a system service: run this with sudo");
    }
    if request.system && request.flags.state_dir.is_some() {
        return refused(
            "--state-dir: a system service keeps its data in /var/lib/headspace, the folder of \
             its unit",
        );
    }
    match (cfg!(target_os = "macos"), request.system) {
        (true, true) => Ok(Manager::Daemons),
        (true, false) => Ok(Manager::Agents),
        (_, true) if Path::new("/run/systemd/system").is_dir() => Ok(Manager::System),
        // Whether the user's own manager runs shows a little later.
        (_, false) if command::run(&["systemctl", "--version"]).is_ok() => Ok(Manager::User),
        _ => refused(
            "neither systemd nor launchd runs here: use `headspace up`, or \
             packaging/run-watcher.sh under a supervisor of your own",
        ),
    }
}

fn account_of(request: &Request, manager: Manager) -> Result<Account, InstallRefused> {
    let us = account::this_user()?;
    let is_system = matches!(manager, Manager::System | Manager::Daemons);
    let message = match &request.user {
        Some(name) if is_system => return account::find(name),
        None if is_system => {
            "name the user whose sessions are watched: --system --user NAME".into()
        }
        None => return Ok(us),
        Some(name) if account::find(name)? == us => return Ok(us),
        Some(name) => format!(
            "each user installs their own service: run this as {name}, or add --system for a \
             service of the machine"
        ),
    };
    Err(InstallRefused(message))
}

fn of_user_manager(account: &Account) -> Result<BTreeMap<String, String>, InstallRefused> {
    let words = states::systemctl(Manager::User, &["show-environment"]);
    let text = command::run(&words).map_err(|failed| {
        let name = &account.name;
        InstallRefused(format!(
            "no service manager of user {name} answers ({failed}). It runs while you are \
             logged in, or always after `sudo loginctl enable-linger {name}`. Without one: \
             `headspace up`, or a system service: sudo headspace install --system --user {name}"
        ))
    })?;
    Ok(variables(&text))
}

/// `NAME=value` lines; a value with odd characters is quoted as a shell would.
fn variables(text: &str) -> BTreeMap<String, String> {
    let unquoted = |value: &str| match value.strip_prefix("$'") {
        Some(rest) => {
            let rest = rest.trim_end_matches('\'');
            rest.replace("\\'", "'").replace("\\\\", "\\")
        }
        None => value.to_owned(),
    };
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    pairs
        .map(|(name, value)| (name.to_owned(), unquoted(value)))
        .collect()
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
