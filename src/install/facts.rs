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
    account::Account,
    command, database,
    files::{self, Found},
    launchd,
    manifest::{self, Manifest},
    program,
    state::{self, States},
    systemd,
    told::Told,
    units,
    whose::{Manager, Whose},
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
    /// How long a service may take to exit, and how often it may be restarted.
    pub shutdown_timeout_seconds: u64,
    pub max_restarts: u32,
    /// The database's host, if it is another machine.
    pub remote_host: Option<String>,
    pub earlier: Option<Manifest>,
    pub states: States,
    /// Whether the user's services outlive their login.
    pub lingers: Option<bool>,
    pub wants_linger: bool,
    /// What has to be so in PostgreSQL, and whether it is.
    pub in_postgres: Vec<(database::Statement, bool)>,
}

impl Facts {
    pub fn gather(request: &Request) -> Result<Facts, Refused> {
        let whose = Whose::named(request)?;
        refuse_another_installation(&whose)?;
        let surroundings = whose.surroundings()?;
        let earlier = Manifest::read(&whose.config_folder(&surroundings))?;
        refuse_another_user(&whose, earlier.as_ref())?;
        let told = Told::new(&whose, surroundings, request, earlier.as_ref())?;
        let settings = config::load_as(&request.flags, told.all())
            .map_err(|error| Refused(error.to_string()))?;
        let mut facts = Facts::of(whose, told, earlier, &settings)?;
        facts.wants_linger = request.linger;
        facts.states = state::of(facts.manager, facts.scope, &facts.account, facts.program())
            .map_err(unanswered)?;
        facts.refuse_a_taken_port()?;
        if request.creates_database {
            facts.in_postgres = database::look(facts.manager, &facts.account)?;
        }
        Ok(facts)
    }

    fn of(
        whose: Whose,
        told: Told,
        earlier: Option<Manifest>,
        settings: &Settings,
    ) -> Result<Facts, Refused> {
        let binary = program::this_program()?;
        let is_our_copy = binary == Path::new(systemd::OWN_COPY)
            && earlier.as_ref().is_some_and(|earlier| earlier.has(&binary));
        let needs_copy =
            whose.scope == Scope::System && (is_our_copy || !program::is_reachable(&binary));
        Ok(Facts {
            copy_of_binary: needs_copy.then(|| program::hash_of(&binary)).transpose()?,
            binary,
            packaged: packaged(&whose),
            unit_folder: whose.unit_folder(&told.surroundings),
            config_folder: whose.config_folder(&told.surroundings),
            shipped_run: whose.shipped_run(&told.surroundings),
            environment: told.chosen,
            secret: told.secret,
            listen: listen(settings),
            run: settings.places.run.clone(),
            state: settings.places.state.clone(),
            roots: settings.claude.roots.clone(),
            database: settings.database.url.to_string(),
            remote_host: settings.database.url.remote_host(),
            shutdown_timeout_seconds: settings.event_system.shutdown_timeout_seconds,
            max_restarts: settings.event_system.max_restarts_per_minute,
            lingers: lingers(&whose),
            earlier,
            states: States::new(),
            wants_linger: false,
            in_postgres: Vec::new(),
            manager: whose.manager,
            scope: whose.scope,
            account: whose.account,
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

fn refuse_another_installation(whose: &Whose) -> Result<(), Refused> {
    let account = &whose.account;
    let Some(path) = manifest::other(whose.scope, &account.name, &account.home) else {
        return Ok(());
    };
    let (other, way) = match whose.scope {
        Scope::User => (
            "a system service",
            "sudo headspace uninstall --system".into(),
        ),
        Scope::System => (
            "a user service",
            format!("headspace uninstall, as {}", account.name),
        ),
    };
    Err(Refused(format!(
        "headspace is installed as {other} for {} already ({}), and both would watch the same \
         sessions. First: {way}",
        account.name,
        path.display()
    )))
}

/// The data is the first one's, and must not become somebody else's.
fn refuse_another_user(whose: &Whose, earlier: Option<&Manifest>) -> Result<(), Refused> {
    match earlier {
        Some(earlier) if earlier.user != whose.account.name => Err(Refused(format!(
            "headspace is installed for {} already; first: sudo headspace uninstall --system",
            earlier.user
        ))),
        _ => Ok(()),
    }
}

pub fn unanswered(failed: command::Failed) -> Refused {
    Refused(format!("the service manager does not answer: {failed}"))
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

fn packaged(whose: &Whose) -> Vec<&'static str> {
    let (folder, units) = match (whose.manager, whose.scope) {
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

fn lingers(whose: &Whose) -> Option<bool> {
    if (whose.manager, whose.scope) != (Manager::Systemd, Scope::User) {
        return None;
    }
    let words = [
        "loginctl",
        "show-user",
        &whose.account.name,
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
