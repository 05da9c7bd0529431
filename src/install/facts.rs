//! What the machine says and what was asked for: everything a plan is made of.

use std::{
    collections::BTreeMap,
    fs,
    net::TcpListener,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::{
    Refused, Scope,
    account::{self, Account},
    command,
    files::{self, Found},
    launchd,
    manifest::{self, Manifest},
    state::{self, States},
    systemd, units,
};
use crate::config::{self, Flags, Listen, Settings};

/// What was asked for.
#[derive(Clone, Default)]
pub struct Request {
    pub system: bool,
    pub user: Option<String>,
    pub flags: Flags,
    /// The environment of the shell it was asked in.
    pub shell: BTreeMap<String, String>,
    /// Keep the user's services running while they are logged out.
    pub linger: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manager {
    Systemd,
    Launchd,
}

/// What is so.
#[derive(Clone)]
pub struct Facts {
    pub manager: Manager,
    pub scope: Scope,
    pub account: Account,
    /// The program that runs now.
    pub binary: PathBuf,
    /// Its hash, where a system service gets a copy because it could not reach it.
    pub copy_of_binary: Option<String>,
    pub unit_folder: PathBuf,
    pub config_folder: PathBuf,
    /// The units that a package has put there, the same as ours.
    pub packaged: Vec<&'static str>,
    /// What the services are told, and would not know otherwise.
    pub environment: BTreeMap<String, String>,
    /// The database's address, if it may hold a password.
    pub secret: Option<String>,
    pub listen: Vec<Listen>,
    /// Where the shipped socket unit has its unix socket.
    pub shipped_run: PathBuf,
    pub run: PathBuf,
    pub state: PathBuf,
    pub roots: Vec<PathBuf>,
    /// For people, without a password.
    pub database: String,
    /// The database's host, if it is another machine.
    pub remote_host: Option<String>,
    pub earlier: Option<Manifest>,
    pub states: States,
    /// Whether the user's services outlive their login.
    pub lingers: Option<bool>,
    pub wants_linger: bool,
}

impl Facts {
    pub fn gather(request: &Request) -> Result<Facts, Refused> {
        let scope = scope(request)?;
        let manager = manager(scope)?;
        let account = account_of(request, scope)?;
        if let Some(path) = manifest::other(scope, &account.name, &account.home) {
            return Err(installed_otherwise(scope, &account, &path));
        }
        let told = Told::new(manager, scope, &account, request)?;
        let settings = config::load_as(&request.flags, told.all())
            .map_err(|error| Refused(error.to_string()))?;
        let mut facts = told.facts(manager, scope, account, &settings)?;
        facts.wants_linger = request.linger;
        facts.states = match manager {
            Manager::Systemd => state::ask(scope, facts.program()).map_err(unanswered)?,
            Manager::Launchd => launchd::states(scope, &facts.account),
        };
        facts.refuse_a_taken_port()?;
        Ok(facts)
    }

    /// The file that the services run.
    pub fn program(&self) -> &Path {
        match &self.copy_of_binary {
            Some(_) => Path::new(systemd::OWN_COPY),
            None => &self.binary,
        }
    }

    pub fn secret_path(&self) -> PathBuf {
        self.config_folder.join("database-url")
    }

    /// What the socket unit listens on as it is shipped.
    pub fn shipped_listen(&self) -> Vec<Listen> {
        let tcp = "127.0.0.1:5055".parse().expect("an address");
        let unix = self.shipped_run.join("web.sock");
        vec![Listen::Tcp(tcp), Listen::Unix(unix)]
    }

    /// Where the service is asked whether it is there.
    pub fn door(&self) -> Listen {
        let tcp = self
            .listen
            .iter()
            .find(|listen| matches!(listen, Listen::Tcp(_)));
        match (self.manager, tcp) {
            // launchd holds only this one, and starts the page when it is asked.
            (Manager::Launchd, Some(tcp)) => tcp.clone(),
            _ => Listen::Unix(self.run.join("web.sock")),
        }
    }

    /// The socket unit would fail, and nobody would know why.
    fn refuse_a_taken_port(&self) -> Result<(), Refused> {
        let holds_it = |state: &state::State| state.is_active;
        let is_loaded = |state: &state::State| state.is_known;
        if self.states.get(systemd::SOCKET).is_some_and(holds_it)
            || self.states.get(launchd::WEB).is_some_and(is_loaded)
        {
            return Ok(());
        }
        for listen in &self.listen {
            let Listen::Tcp(address) = listen else {
                continue;
            };
            if address.port() == 0 {
                let told = "web.listen: a service needs a port that stays, and 0 takes any";
                return Err(Refused(told.into()));
            }
            if let Err(error) = TcpListener::bind(address) {
                return Err(Refused(format!(
                    "cannot listen on {address}: {error}. Another program has it (a `headspace \
                     up`, or another user's headspace?): stop that, or choose another address \
                     in web.listen"
                )));
            }
        }
        Ok(())
    }
}

pub fn scope(request: &Request) -> Result<Scope, Refused> {
    let is_root = rustix::process::geteuid().is_root();
    match (request.system, is_root) {
        (false, _) => Ok(Scope::User),
        (true, true) if request.flags.state_dir.is_none() => Ok(Scope::System),
        (true, true) => Err(Refused(
            "--state-dir: a system service keeps its data in /var/lib/headspace, the folder \
             its unit has"
                .into(),
        )),
        (true, false) => Err(Refused(
            "a system service is installed by root: run this with sudo".into(),
        )),
    }
}

pub fn manager(scope: Scope) -> Result<Manager, Refused> {
    if cfg!(target_os = "macos") {
        return Ok(Manager::Launchd);
    }
    let without = "use `headspace up`, or packaging/run-watcher.sh under a supervisor of your own";
    let is_there = match scope {
        // A user's manager is asked itself, a little later.
        Scope::User => command::ask(&["systemctl", "--version"]).is_ok(),
        Scope::System => Path::new("/run/systemd/system").is_dir(),
    };
    if is_there {
        return Ok(Manager::Systemd);
    }
    Err(Refused(format!(
        "this machine runs neither systemd nor launchd, so there is nothing to install into: {without}"
    )))
}

fn account_of(request: &Request, scope: Scope) -> Result<Account, Refused> {
    match (&request.user, scope) {
        (Some(name), Scope::System) => account::find(name),
        (None, Scope::System) => Err(Refused(
            "whose sessions are to be watched? Say --system --user NAME".into(),
        )),
        (None, Scope::User) => account::this_user(),
        (Some(name), Scope::User) => {
            let us = account::this_user()?;
            if account::find(name)? == us {
                return Ok(us);
            }
            Err(Refused(format!(
                "a user service is installed by its user: run this as {name}, or say --system \
                 for a service of the machine"
            )))
        }
    }
}

fn installed_otherwise(scope: Scope, account: &Account, path: &Path) -> Refused {
    let name = &account.name;
    let (other, way) = match scope {
        Scope::User => (
            "a system service",
            "sudo headspace uninstall --system".into(),
        ),
        Scope::System => ("a user service", format!("headspace uninstall, as {name}")),
    };
    Refused(format!(
        "headspace is installed as {other} for {name} already ({}), and both would watch the \
         same sessions. First: {way}",
        path.display()
    ))
}

pub fn unanswered(failed: command::Failed) -> Refused {
    Refused(format!("the service manager does not answer: {failed}"))
}

/// What the services are going to be told, and by whom.
struct Told {
    config_folder: PathBuf,
    unit_folder: PathBuf,
    shipped_run: PathBuf,
    /// By their manager.
    manager: BTreeMap<String, String>,
    /// By our drop-in: chosen now or at an earlier installation.
    chosen: BTreeMap<String, String>,
    secret: Option<String>,
    earlier: Option<Manifest>,
}

impl Told {
    fn new(
        manager: Manager,
        scope: Scope,
        account: &Account,
        request: &Request,
    ) -> Result<Told, Refused> {
        let surroundings = surroundings(manager, scope, account)?;
        let config_folder = config_folder(manager, scope, &surroundings, account);
        let earlier = Manifest::read(&config_folder)?;
        if let Some(other) = earlier
            .as_ref()
            .filter(|earlier| earlier.user != account.name)
        {
            return Err(Refused(format!(
                "headspace is installed for {} already; first: sudo headspace uninstall --system",
                other.user
            )));
        }
        let mut chosen = earlier
            .as_ref()
            .map_or_else(BTreeMap::new, |earlier| earlier.environment.clone());
        chosen.extend(choices(scope, &request.shell, &surroundings));
        chosen.extend(of_flags(&request.flags)?);
        let secret = secret(
            &request.shell,
            &mut chosen,
            &config_folder.join("database-url"),
        );
        Ok(Told {
            unit_folder: unit_folder(manager, scope, &surroundings, account),
            shipped_run: shipped_run(scope, &surroundings),
            config_folder,
            manager: surroundings,
            chosen,
            secret,
            earlier,
        })
    }

    /// The environment as the services will have it.
    fn all(&self) -> BTreeMap<String, String> {
        let mut all = self.manager.clone();
        all.extend(self.chosen.clone());
        if let Some(url) = &self.secret {
            all.insert("DATABASE_URL".into(), url.clone());
        }
        all
    }

    fn facts(
        self,
        manager: Manager,
        scope: Scope,
        account: Account,
        settings: &Settings,
    ) -> Result<Facts, Refused> {
        let binary = this_program()?;
        let is_ours = |path: &Path| {
            self.earlier
                .as_ref()
                .is_some_and(|earlier| earlier.has(path))
        };
        let needs_copy = scope == Scope::System
            && (!is_reachable(&binary)
                || is_ours(&binary) && binary == Path::new(systemd::OWN_COPY));
        let copy_of_binary = needs_copy.then(|| hash_of(&binary)).transpose()?;
        Ok(Facts {
            manager,
            scope,
            packaged: packaged(manager, scope),
            listen: listen(settings),
            run: settings.places.run.clone(),
            state: settings.places.state.clone(),
            roots: settings.claude.roots.clone(),
            database: settings.database.url.to_string(),
            remote_host: settings.database.url.remote_host(),
            lingers: lingers(manager, scope, &account),
            account,
            binary,
            copy_of_binary,
            unit_folder: self.unit_folder,
            config_folder: self.config_folder,
            environment: self.chosen,
            secret: self.secret,
            shipped_run: self.shipped_run,
            earlier: self.earlier,
            states: States::new(),
            wants_linger: false,
        })
    }
}

/// The environment the manager gives its services.
fn surroundings(
    manager: Manager,
    scope: Scope,
    account: &Account,
) -> Result<BTreeMap<String, String>, Refused> {
    let mut given = BTreeMap::new();
    if (manager, scope) == (Manager::Systemd, Scope::User) {
        let text = command::ask(&["systemctl", "--user", "show-environment"]).map_err(|failed| {
            Refused(format!(
                "no service manager of user {} answers ({failed}). It runs while you are logged \
                 in, or always after `sudo loginctl enable-linger {}`. Without one: `headspace \
                 up`, or a system service: sudo headspace install --system --user {}",
                account.name, account.name, account.name
            ))
        })?;
        given = variables(&text);
    }
    let home = account.home.to_string_lossy().into_owned();
    given.entry("HOME".into()).or_insert(home);
    if scope == Scope::System {
        let folders: &[(&str, &str)] = match manager {
            Manager::Systemd => &[
                ("STATE_DIRECTORY", "/var/lib/headspace"),
                ("RUNTIME_DIRECTORY", "/run/headspace"),
                ("CONFIGURATION_DIRECTORY", "/etc/headspace"),
            ],
            Manager::Launchd => &[("STATE_DIRECTORY", "/Library/Application Support/headspace")],
        };
        given.extend(
            folders
                .iter()
                .map(|(name, folder)| ((*name).into(), (*folder).into())),
        );
    }
    Ok(given)
}

/// `NAME=value` lines; a value with odd characters is quoted as a shell would.
fn variables(text: &str) -> BTreeMap<String, String> {
    let unquoted = |value: &str| match value.strip_prefix("$'") {
        Some(rest) => rest
            .strip_suffix('\'')
            .unwrap_or(rest)
            .replace("\\'", "'")
            .replace("\\\\", "\\"),
        None => value.to_owned(),
    };
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    pairs
        .map(|(name, value)| (name.to_owned(), unquoted(value)))
        .collect()
}

/// What the shell knows and the manager does not. Of root's shell only what is
/// meant for headspace counts: its folders are root's.
fn choices(
    scope: Scope,
    shell: &BTreeMap<String, String>,
    manager: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let folders = ["CLAUDE_CONFIG_DIR", "XDG_CONFIG_HOME", "XDG_STATE_HOME"];
    let is_ours = |name: &str| {
        name.strip_prefix("HEADSPACE_")
            .is_some_and(|rest| rest.contains("__"))
            || name == "HEADSPACE_CONFIG"
            || scope == Scope::User && (name == "HEADSPACE_STATE_DIR" || folders.contains(&name))
    };
    let is_new = |name: &String, value: &String| manager.get(name) != Some(value);
    shell
        .iter()
        .filter(|(name, value)| is_ours(name) && !value.is_empty() && is_new(name, value))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// Flags of this command become settings of the services.
fn of_flags(flags: &Flags) -> Result<BTreeMap<String, String>, Refused> {
    let absolute = |path: &PathBuf| {
        let full = std::path::absolute(path).ok();
        let text = full.and_then(|full| full.to_str().map(str::to_owned));
        text.ok_or_else(|| Refused(format!("{}: is not UTF-8 text", path.display())))
    };
    let given = [
        (
            "HEADSPACE_CONFIG",
            flags.config.as_ref().map(absolute).transpose()?,
        ),
        (
            "HEADSPACE_STATE_DIR",
            flags.state_dir.as_ref().map(absolute).transpose()?,
        ),
        ("HEADSPACE_DATABASE__URL", flags.database_url.clone()),
        ("HEADSPACE_LOGGING__LEVEL", flags.log_level.clone()),
    ];
    let pair = |(name, value): (&str, Option<String>)| Some((name.to_owned(), value?));
    Ok(given.into_iter().filter_map(pair).collect())
}

/// An address that may hold a password goes into a file; one that is there
/// already stays.
fn secret(
    shell: &BTreeMap<String, String>,
    chosen: &mut BTreeMap<String, String>,
    file: &Path,
) -> Option<String> {
    let name = "HEADSPACE_DATABASE__URL";
    if chosen
        .get(name)
        .is_some_and(|url| config::has_password(url))
    {
        return chosen.remove(name);
    }
    if chosen.contains_key(name) {
        return None;
    }
    let given = shell
        .get("DATABASE_URL")
        .filter(|url| !url.is_empty())
        .cloned();
    let there = given.or_else(|| fs::read_to_string(file).ok())?;
    Some(there.trim_end().to_owned())
}

/// Where the manifest is looked for.
pub fn config_folder_of(
    manager: Manager,
    scope: Scope,
    account: &Account,
) -> Result<PathBuf, Refused> {
    let surroundings = surroundings(manager, scope, account)?;
    Ok(config_folder(manager, scope, &surroundings, account))
}

fn config_folder(
    manager: Manager,
    scope: Scope,
    surroundings: &BTreeMap<String, String>,
    account: &Account,
) -> PathBuf {
    match (manager, scope) {
        (_, Scope::System) => manifest::SYSTEM_FOLDER.into(),
        (Manager::Launchd, Scope::User) => {
            account.home.join("Library/Application Support/headspace")
        }
        (Manager::Systemd, Scope::User) => xdg_config(surroundings, account).join("headspace"),
    }
}

fn unit_folder(
    manager: Manager,
    scope: Scope,
    surroundings: &BTreeMap<String, String>,
    account: &Account,
) -> PathBuf {
    match (manager, scope) {
        (Manager::Systemd, Scope::System) => "/etc/systemd/system".into(),
        (Manager::Systemd, Scope::User) => xdg_config(surroundings, account).join("systemd/user"),
        (Manager::Launchd, Scope::System) => "/Library/LaunchDaemons".into(),
        (Manager::Launchd, Scope::User) => account.home.join("Library/LaunchAgents"),
    }
}

/// Where the user's manager looks, whatever this shell thinks.
fn xdg_config(surroundings: &BTreeMap<String, String>, account: &Account) -> PathBuf {
    let named = surroundings.get("XDG_CONFIG_HOME").map(PathBuf::from);
    named
        .filter(|folder| folder.is_absolute())
        .unwrap_or_else(|| account.home.join(".config"))
}

fn shipped_run(scope: Scope, surroundings: &BTreeMap<String, String>) -> PathBuf {
    let named = surroundings
        .get("XDG_RUNTIME_DIR")
        .filter(|_| scope == Scope::User);
    Path::new(named.map_or("/run", String::as_str)).join("headspace")
}

/// All the places; the unix socket of the run folder is always one.
fn listen(settings: &Settings) -> Vec<Listen> {
    let mut all = settings.web.listen.clone();
    let unix = Listen::Unix(settings.places.run.join("web.sock"));
    if !all.contains(&unix) {
        all.push(unix);
    }
    all
}

/// The path that stays when a package manager puts the next version there: one
/// that is found by name, if it is this program.
fn this_program() -> Result<PathBuf, Refused> {
    let wrong = |error| Refused(format!("cannot find this program's own file: {error}"));
    let exe = std::env::current_exe()
        .and_then(fs::canonicalize)
        .map_err(wrong)?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let by_name = std::env::split_paths(&path)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join("headspace"))
        .find(|named| fs::canonicalize(named).is_ok_and(|full| full == exe));
    Ok(match by_name {
        Some(named) if exe != Path::new(systemd::PACKAGED_PROGRAM) => named,
        _ => exe,
    })
}

/// A system service sees neither homes nor temporary folders, and should not
/// run what somebody else than root can replace.
fn is_reachable(program: &Path) -> bool {
    let hidden = ["/home", "/root", "/run/user", "/tmp", "/var/tmp"];
    let full = fs::canonicalize(program).unwrap_or_else(|_| program.to_owned());
    let is_roots = full
        .metadata()
        .is_ok_and(|meta| meta.uid() == 0 && meta.mode() & 0o022 == 0);
    is_roots && !hidden.iter().any(|folder| full.starts_with(folder))
}

fn hash_of(path: &Path) -> Result<String, Refused> {
    let bytes = fs::read(path);
    let bytes =
        bytes.map_err(|error| Refused(format!("cannot read {}: {error}", path.display())))?;
    Ok(files::sha256(&bytes))
}

fn packaged(manager: Manager, scope: Scope) -> Vec<&'static str> {
    let (folder, units) = match (manager, scope) {
        (Manager::Launchd, _) => return Vec::new(),
        (Manager::Systemd, Scope::System) => ("/usr/lib/systemd/system", units::SYSTEM),
        (Manager::Systemd, Scope::User) => ("/usr/lib/systemd/user", units::USER),
    };
    let is_same = |unit: &units::Unit| {
        fs::read(Path::new(folder).join(unit.name)).is_ok_and(|bytes| bytes == unit.text.as_bytes())
    };
    units
        .into_iter()
        .filter(is_same)
        .map(|unit| unit.name)
        .collect()
}

fn lingers(manager: Manager, scope: Scope, account: &Account) -> Option<bool> {
    if (manager, scope) != (Manager::Systemd, Scope::User) {
        return None;
    }
    let words = [
        "loginctl",
        "show-user",
        &account.name,
        "--property",
        "Linger",
        "--value",
    ];
    Some(command::ask(&words).ok()?.trim() == "yes")
}

/// What stands at a path now.
pub fn look(path: &Path) -> Found {
    match fs::metadata(path) {
        Ok(meta) if meta.is_dir() => Found::Folder,
        Ok(meta) => Found::File {
            // What cannot be read is nothing that we wrote.
            sha256: fs::read(path).map_or_else(|_| String::new(), |bytes| files::sha256(&bytes)),
            mode: meta.mode() & 0o7777,
        },
        Err(_) => Found::Nothing,
    }
}
