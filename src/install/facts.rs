//! What the machine says and what was asked for: everything a plan is made of.

use std::{
    collections::BTreeMap,
    fs,
    net::TcpListener,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::{
    InstallRefused, Scope,
    account::Account,
    command, database,
    files::{self, OnDisk},
    launchd,
    manifest::{self, Manifest},
    program,
    service_env::ServiceEnv,
    state::{self, ServiceStates},
    systemd,
    target::{ServiceManager, Target},
    units,
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
    /// Make the database on this machine's PostgreSQL.
    pub creates_database: bool,
}

/// What is so.
#[derive(Clone)]
pub struct InstallFacts {
    pub manager: ServiceManager,
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
    /// How long a service may take to exit, and how often it may be restarted.
    pub shutdown_timeout_seconds: u64,
    pub max_restarts: u32,
    /// The database's host, if it is another machine.
    pub remote_host: Option<String>,
    pub earlier: Option<Manifest>,
    pub states: ServiceStates,
    /// Whether the user's services outlive their login.
    pub lingers: Option<bool>,
    pub wants_linger: bool,
    /// What has to be so in PostgreSQL, and whether it is.
    pub in_postgres: Vec<(database::Statement, bool)>,
}

impl InstallFacts {
    pub fn gather(request: &Request) -> Result<InstallFacts, InstallRefused> {
        let target = Target::to_install(request)?;
        refuse_another_installation(&target)?;
        let surroundings = target.surroundings()?;
        let earlier = Manifest::read(&target.config_folder(&surroundings))?;
        refuse_another_user(&target, earlier.as_ref())?;
        let env = ServiceEnv::new(&target, surroundings, request, earlier.as_ref())?;
        let settings = config::load_as(&request.flags, env.all())
            .map_err(|error| InstallRefused(error.to_string()))?;
        let mut facts = InstallFacts::of(target, env, earlier, &settings)?;
        facts.wants_linger = request.linger;
        facts.states = state::of(facts.manager, facts.scope, &facts.account, facts.program())
            .map_err(unanswered)?;
        facts.refuse_a_taken_port()?;
        if request.creates_database {
            facts.in_postgres = database::inspect(facts.manager, &facts.account)?;
        }
        Ok(facts)
    }

    fn of(
        target: Target,
        env: ServiceEnv,
        earlier: Option<Manifest>,
        settings: &Settings,
    ) -> Result<InstallFacts, InstallRefused> {
        let binary = program::this_program()?;
        let is_our_copy = binary == Path::new(systemd::OWN_COPY)
            && earlier.as_ref().is_some_and(|earlier| earlier.has(&binary));
        let needs_copy =
            target.scope == Scope::System && (is_our_copy || !program::is_reachable(&binary));
        Ok(InstallFacts {
            copy_of_binary: needs_copy.then(|| program::hash_of(&binary)).transpose()?,
            binary,
            packaged: packaged(&target),
            unit_folder: target.unit_folder(&env.surroundings),
            config_folder: target.config_folder(&env.surroundings),
            shipped_run: target.shipped_run(&env.surroundings),
            environment: env.chosen,
            secret: env.secret,
            listen: listen(settings),
            run: settings.places.run.clone(),
            state: settings.places.state.clone(),
            roots: settings.claude.roots.clone(),
            database: settings.database.url.to_string(),
            remote_host: settings.database.url.remote_host(),
            shutdown_timeout_seconds: settings.event_system.shutdown_timeout_seconds,
            max_restarts: settings.event_system.max_restarts_per_minute,
            lingers: lingers(&target),
            earlier,
            states: ServiceStates::new(),
            wants_linger: false,
            in_postgres: Vec::new(),
            manager: target.manager,
            scope: target.scope,
            account: target.account,
        })
    }

    /// The file that the services run.
    pub fn program(&self) -> &Path {
        match &self.copy_of_binary {
            Some(_) => Path::new(systemd::OWN_COPY),
            None => &self.binary,
        }
    }

    /// When a service manager kills a service that does not stop.
    pub fn stop_seconds(&self) -> u64 {
        self.shutdown_timeout_seconds + 1
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
            (ServiceManager::Launchd, Some(tcp)) => tcp.clone(),
            _ => Listen::Unix(self.run.join("web.sock")),
        }
    }

    /// The socket unit would fail, and nobody would know why.
    fn refuse_a_taken_port(&self) -> Result<(), InstallRefused> {
        let holds_it = |state: &state::ServiceState| state.is_active;
        let is_loaded = |state: &state::ServiceState| state.is_known;
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
                let message = "web.listen: a service needs a port that stays, and 0 takes any";
                return Err(InstallRefused(message.into()));
            }
            if let Err(error) = TcpListener::bind(address) {
                return Err(InstallRefused(format!(
                    "cannot listen on {address}: {error}. Another program has it (a `headspace \
                     up`, or another user's headspace?): stop that, or choose another address \
                     in web.listen"
                )));
            }
        }
        Ok(())
    }
}

fn refuse_another_installation(target: &Target) -> Result<(), InstallRefused> {
    let account = &target.account;
    let Some(path) = manifest::other(target.scope, &account.name, &account.home) else {
        return Ok(());
    };
    let (other, way) = match target.scope {
        Scope::User => (
            "a system service",
            "sudo headspace uninstall --system".into(),
        ),
        Scope::System => (
            "a user service",
            format!("headspace uninstall, as {}", account.name),
        ),
    };
    Err(InstallRefused(format!(
        "headspace is installed as {other} for {} already ({}), and both would watch the same \
         sessions. First: {way}",
        account.name,
        path.display()
    )))
}

/// The data is the first one's, and must not become somebody else's.
fn refuse_another_user(target: &Target, earlier: Option<&Manifest>) -> Result<(), InstallRefused> {
    match earlier {
        Some(earlier) if earlier.user != target.account.name => Err(InstallRefused(format!(
            "headspace is installed for {} already; first: sudo headspace uninstall --system",
            earlier.user
        ))),
        _ => Ok(()),
    }
}

pub fn unanswered(failed: command::Failed) -> InstallRefused {
    InstallRefused(format!("the service manager does not answer: {failed}"))
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

fn packaged(target: &Target) -> Vec<&'static str> {
    let (folder, units) = match (target.manager, target.scope) {
        (ServiceManager::Launchd, _) => return Vec::new(),
        (ServiceManager::Systemd, Scope::System) => ("/usr/lib/systemd/system", units::SYSTEM),
        (ServiceManager::Systemd, Scope::User) => ("/usr/lib/systemd/user", units::USER),
    };
    let is_same = |unit: &units::UnitFile| {
        fs::read(Path::new(folder).join(unit.name)).is_ok_and(|bytes| bytes == unit.text.as_bytes())
    };
    units
        .into_iter()
        .filter(is_same)
        .map(|unit| unit.name)
        .collect()
}

fn lingers(target: &Target) -> Option<bool> {
    if (target.manager, target.scope) != (ServiceManager::Systemd, Scope::User) {
        return None;
    }
    let words = [
        "loginctl",
        "show-user",
        &target.account.name,
        "--property",
        "Linger",
        "--value",
    ];
    Some(command::query(&words).ok()?.trim() == "yes")
}

/// What stands at a path now.
pub fn inspect(path: &Path) -> OnDisk {
    match fs::metadata(path) {
        Ok(meta) if meta.is_dir() => OnDisk::Folder,
        Ok(meta) => OnDisk::File {
            // What cannot be read is nothing that we wrote.
            sha256: fs::read(path).map_or_else(|_| String::new(), |bytes| files::sha256(&bytes)),
            mode: meta.mode() & 0o7777,
        },
        Err(_) => OnDisk::Nothing,
    }
}
