//! The request and the machine: everything that a plan is made of.

use std::{
    collections::BTreeMap,
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
};

use super::{
    InstallRefused,
    environment::ServiceEnv,
    launchd,
    manifest::{self, Manifest},
    program,
    states::{self, ServiceStates},
    systemd,
    target::Target,
    units,
};
use crate::{
    config::{self, Flags, Listen, Settings},
    supervise::unit::Manager,
};

/// What the user asks for.
#[derive(Clone, Default)]
pub struct Request {
    pub system: bool,
    pub user: Option<String>,
    pub flags: Flags,
    /// The environment of the user's shell.
    pub shell: BTreeMap<String, String>,
    /// Keep the user's services running while they are logged out.
    pub linger: bool,
}

/// What is known before a plan is made.
#[derive(Clone)]
pub struct InstallFacts {
    pub target: Target,
    /// The program that runs now.
    pub binary: PathBuf,
    /// Its contents, where a system service could not run it and gets a copy.
    pub copy: Option<Vec<u8>>,
    /// The units that a package has installed, the same as ours.
    pub packaged: Vec<&'static str>,
    /// What our drop-in sets for the services.
    pub environment: BTreeMap<String, String>,
    /// The database's address, if it may hold a password.
    pub secret: Option<String>,
    /// As the services will have them.
    pub settings: Settings,
    pub earlier: Option<Manifest>,
    pub states: ServiceStates,
    /// Whether the user's services run while the user is logged out.
    pub lingers: bool,
    pub wants_linger: bool,
}

impl InstallFacts {
    pub fn gather(request: &Request) -> Result<InstallFacts, InstallRefused> {
        let target = Target::to_install(request)?;
        refuse_other_scope(&target)?;
        let earlier = Manifest::read(&target.config_folder())?;
        refuse_other_user(&target, earlier.as_ref())?;
        let env = ServiceEnv::new(&target, request, earlier.as_ref())?;
        let settings = config::load_as(&request.flags, env.all(&target))
            .map_err(|error| InstallRefused(error.to_string()))?;
        let binary = program::this_program()?;
        let linger = Path::new("/var/lib/systemd/linger").join(&target.account.name);
        let mut facts = InstallFacts {
            copy: copy(&target, &binary, earlier.as_ref())?,
            binary,
            packaged: packaged(target.manager),
            environment: env.chosen,
            secret: env.secret,
            settings,
            earlier,
            states: ServiceStates::new(),
            lingers: linger.exists(),
            wants_linger: request.linger,
            target,
        };
        facts.states = states::read(&facts.target, facts.program())?;
        facts.refuse_taken_port()?;
        Ok(facts)
    }

    /// The file that the services run.
    pub fn program(&self) -> &Path {
        match &self.copy {
            Some(_) => Path::new(systemd::OWN_COPY),
            None => &self.binary,
        }
    }

    /// A service exits within its own timeout; its manager waits a second more
    /// before it kills the service.
    pub fn stop_seconds(&self) -> u64 {
        self.settings.event_system.shutdown_timeout_seconds + 1
    }

    /// All addresses; the unix socket of the run folder is always one.
    pub fn listen(&self) -> Vec<Listen> {
        let mut all = self.settings.web.listen.clone();
        let unix = self.unix_socket();
        if !all.contains(&unix) {
            all.push(unix);
        }
        all
    }

    fn unix_socket(&self) -> Listen {
        Listen::Unix(self.settings.places.run.join("web.sock"))
    }

    /// Where `/health` answers.
    pub fn health_address(&self) -> Listen {
        let mut listen = self.listen().into_iter();
        let tcp = listen.find(|listen| matches!(listen, Listen::Tcp(_)));
        // launchd holds only this one, and starts the page for a request to it.
        tcp.filter(|_| !self.target.is_systemd())
            .unwrap_or_else(|| self.unix_socket())
    }

    /// With a taken port the socket unit would fail without a reason in its log.
    fn refuse_taken_port(&self) -> Result<(), InstallRefused> {
        let socket = self.states.get(systemd::SOCKET);
        let web = self.states.get(launchd::WEB);
        if socket.is_some_and(|state| state.is_active) || web.is_some_and(|state| state.is_known) {
            return Ok(());
        }
        for listen in self.listen() {
            let Listen::Tcp(address) = listen else {
                continue;
            };
            if address.port() == 0 {
                let message = "web.listen: a service needs a fixed port, and 0 takes any";
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

/// A system service cannot run a program in a home: it gets a copy.
fn copy(
    target: &Target,
    binary: &Path,
    earlier: Option<&Manifest>,
) -> Result<Option<Vec<u8>>, InstallRefused> {
    let is_our_copy = binary == Path::new(systemd::OWN_COPY)
        && earlier.is_some_and(|earlier| earlier.paths().contains(&binary));
    if !target.is_system() || (program::is_reachable(binary) && !is_our_copy) {
        return Ok(None);
    }
    let contents = fs::read(binary);
    contents
        .map(Some)
        .map_err(|error| InstallRefused(format!("cannot read {}: {error}", binary.display())))
}

/// Two installations would watch the same sessions.
fn refuse_other_scope(target: &Target) -> Result<(), InstallRefused> {
    let account = &target.account;
    let Some(path) = manifest::other(target) else {
        return Ok(());
    };
    let (other, uninstall) = match target.is_system() {
        false => ("a system", "sudo headspace uninstall --system".to_owned()),
        true => (
            "a user",
            format!("headspace uninstall, as {}", account.name),
        ),
    };
    Err(InstallRefused(format!(
        "headspace is installed as {other} service for {} already ({}), and both would watch the \
         same sessions. First: {uninstall}",
        account.name,
        path.display()
    )))
}

/// The data is the first user's, and must not become another user's.
fn refuse_other_user(target: &Target, earlier: Option<&Manifest>) -> Result<(), InstallRefused> {
    match earlier {
        Some(earlier) if earlier.user != target.account.name => Err(InstallRefused(format!(
            "headspace is installed for {} already; first: sudo headspace uninstall --system",
            earlier.user
        ))),
        _ => Ok(()),
    }
}

fn packaged(manager: Manager) -> Vec<&'static str> {
    let folder = match manager {
        Manager::System => Path::new("/usr/lib/systemd/system"),
        Manager::User => Path::new("/usr/lib/systemd/user"),
        Manager::Agents | Manager::Daemons => return Vec::new(),
    };
    let units = units::of(manager).iter();
    let same = units.filter(|unit| {
        fs::read(folder.join(unit.name)).is_ok_and(|bytes| bytes == unit.text.as_bytes())
    });
    same.map(|unit| unit.name).collect()
}
