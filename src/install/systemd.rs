//! What systemd gets: the units as they are shipped, drop-ins with what differs
//! on this machine, and the commands that make it take them up.

use std::{fmt::Write, net::IpAddr, path::Path};

use super::{
    facts::InstallFacts,
    files::{Changes, FileKind, OnDisk, PlannedFile},
    states::{ServiceState, ServiceStates, systemctl},
    steps::InstallStep,
    target::Target,
    units,
};
use crate::{config::Listen, supervise::unit::Manager};

pub const WATCHER: &str = "headspace-watcher.service";
pub const WEB: &str = "headspace.service";
pub const SOCKET: &str = "headspace.socket";

/// In the order they are started; the socket first, so that no client is refused.
pub const SERVICES: [&str; 3] = [SOCKET, WATCHER, WEB];

/// Where a package puts the program, and so what the units name.
pub const PACKAGED_PROGRAM: &str = "/usr/bin/headspace";
/// Where the copy goes of a program that a system service could not run.
pub const OWN_COPY: &str = "/usr/local/bin/headspace";

pub const TMPFILES: &str = "/etc/tmpfiles.d/headspace.conf";
/// What the shipped units say.
pub const SHIPPED_STOP_SECONDS: u64 = 3;
const SHIPPED_MAX_RESTARTS: u32 = 5;
const DROP_IN: &str = "10-install.conf";
const HEAD: &str = "# Written by `headspace install`, removed by `headspace uninstall`.\n";
const HINT: &str = "# Settings of your own belong into a file beside it, such as 20-local.conf.\n";

pub fn files(facts: &InstallFacts) -> Vec<PlannedFile> {
    let folder = facts.target.unit_folder();
    let units = units::of(facts.target.manager).iter();
    let missing = units.filter(|unit| !facts.packaged.contains(&unit.name));
    let mut files = Vec::from_iter(own_copy(facts, &[WATCHER, WEB]));
    files.extend(missing.map(|unit| {
        PlannedFile::plain(
            &folder.join(unit.name),
            unit.text,
            restarted_with(unit.name),
        )
    }));
    for (unit, text) in [
        (WATCHER, start_limit(facts) + &service(facts, "watch")),
        (WEB, service(facts, "web")),
        (SOCKET, socket(facts)),
    ] {
        if !text.is_empty() {
            let path = folder.join(format!("{unit}.d")).join(DROP_IN);
            let text = format!("{HEAD}{HINT}{text}");
            files.push(PlannedFile::plain(&path, &text, restarted_with(unit)));
        }
    }
    files.extend(secret(facts));
    if facts.target.is_system() {
        files.extend([run_folder(&facts.target), settings(&facts.target)]);
    }
    files
}

/// A copy of this program, where a system service could not run the original.
pub fn own_copy(facts: &InstallFacts, services: &'static [&'static str]) -> Option<PlannedFile> {
    Some(PlannedFile {
        path: OWN_COPY.into(),
        contents: facts.copy.clone()?,
        kind: FileKind::Program,
        services,
    })
}

/// A socket is closed and opened with the service behind it.
fn restarted_with(unit: &str) -> &'static [&'static str] {
    match unit {
        WATCHER => &[WATCHER],
        WEB => &[WEB],
        SOCKET => &[SOCKET, WEB],
        _ => &[],
    }
}

fn service(facts: &InstallFacts, command: &str) -> String {
    let mut lines = String::new();
    if facts.target.is_system() {
        // Without a user the service refuses to start.
        let user = &facts.target.account.name;
        let _ = write!(lines, "DynamicUser=no\nUser={user}\n");
    }
    if facts.program() != Path::new(PACKAGED_PROGRAM) {
        let program = quoted(&facts.program().to_string_lossy());
        let _ = write!(lines, "ExecStart=\nExecStart={program} {command}\n");
    }
    for (name, value) in &facts.environment {
        let _ = writeln!(lines, "Environment={}", quoted(&format!("{name}={value}")));
    }
    if facts.secret.is_some() {
        let path = facts
            .target
            .secret_path()
            .to_string_lossy()
            .replace('%', "%%");
        let _ = writeln!(lines, "LoadCredential=database-url:{path}");
    }
    if let Some(host) = facts.settings.database.url.remote_host() {
        lines += &address(facts, "database", &host);
    }
    if command == "watch" {
        lines += &alerts(facts);
    }
    if facts.stop_seconds() != SHIPPED_STOP_SECONDS {
        let _ = writeln!(lines, "TimeoutStopSec={}", facts.stop_seconds());
    }
    section("Service", &lines)
}

fn section(name: &str, lines: &str) -> String {
    match lines {
        "" => String::new(),
        lines => format!("[{name}]\n{lines}"),
    }
}

/// The first start, the restarts that the watcher allows, and the one that it
/// refuses with a reason: the watcher counts exactly, in any minute.
fn start_limit(facts: &InstallFacts) -> String {
    match facts.settings.event_system.max_restarts_per_minute {
        SHIPPED_MAX_RESTARTS => String::new(),
        restarts => section("Unit", &format!("StartLimitBurst={}\n", restarts + 2)),
    }
}

/// A system unit blocks other machines; this host may be one.
fn address(facts: &InstallFacts, what: &str, host: &str) -> String {
    if !facts.target.is_system() {
        return String::new();
    }
    match host.parse::<IpAddr>() {
        Ok(address) => format!("# The {what}.\nIPAddressAllow={address}\n"),
        Err(_) => format!(
            "# The {what} is {}, a name: its address may change, so all are allowed.\n\
             # An address in its place narrows this.\nIPAddressAllow=any\n",
            host.replace(char::is_control, "?")
        ),
    }
}

/// What alerts need that a system unit keeps away.
fn alerts(facts: &InstallFacts) -> String {
    let notify = &facts.settings.notify;
    let host = notify
        .webhook_url
        .as_ref()
        .and_then(|url| url.remote_host());
    let mut lines = host.map_or(String::new(), |host| address(facts, "webhook", host));
    if notify.desktop && facts.target.is_system() {
        let uid = facts.target.account.uid;
        let _ = write!(
            lines,
            "# The desktop's session bus.\nInaccessiblePaths=\n\
             Environment=DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/{uid}/bus\n"
        );
    }
    lines
}

fn socket(facts: &InstallFacts) -> String {
    let mut lines = match facts.target.is_system() {
        true => format!("SocketUser={}\n", facts.target.account.name),
        false => String::new(),
    };
    let shipped = [
        Listen::Tcp("127.0.0.1:5055".parse().expect("an address")),
        Listen::Unix(facts.target.shipped_run().join("web.sock")),
    ];
    if facts.listen() != shipped {
        lines += "ListenStream=\n";
        for listen in facts.listen() {
            let address = match listen {
                Listen::Tcp(address) => address.to_string(),
                Listen::Unix(path) => path.to_string_lossy().replace('%', "%%"),
            };
            let _ = writeln!(lines, "ListenStream={address}");
        }
    }
    section("Socket", &lines)
}

fn secret(facts: &InstallFacts) -> Option<PlannedFile> {
    Some(PlannedFile {
        path: facts.target.secret_path(),
        contents: (facts.secret.clone()? + "\n").into(),
        kind: FileKind::Secret,
        services: &[WATCHER, WEB],
    })
}

/// The socket unit would make the folder for root, and the user could not read it.
fn run_folder(target: &Target) -> PlannedFile {
    let (user, group) = (&target.account.name, target.account.gid);
    let text = format!("{HEAD}d /run/headspace 0700 {user} {group} -\n");
    PlannedFile::plain(Path::new(TMPFILES), &text, &[])
}

/// All settings with their defaults.
fn settings(target: &Target) -> PlannedFile {
    PlannedFile {
        path: target.config_folder().join("config.yaml"),
        contents: include_bytes!("../../config/config.yaml").into(),
        kind: FileKind::Example {
            group: target.account.gid,
        },
        services: &[WATCHER, WEB],
    }
}

/// One word of a unit file, whatever is in it.
fn quoted(text: &str) -> String {
    let mut word = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => word.extend(['\\', c]),
            '%' => word += "%%",
            '\n' => word += "\\n",
            c => word.push(c),
        }
    }
    word.push('"');
    word
}

/// Makes the manager take up what was written.
pub fn commands(
    facts: &InstallFacts,
    changes: &Changes,
    inspect: &dyn Fn(&Path) -> OnDisk,
) -> Vec<InstallStep> {
    let mut steps = Vec::new();
    let run_folder = inspect(&facts.settings.places.run);
    if facts.target.is_system() && (changes.touch(TMPFILES) || run_folder == OnDisk::Nothing) {
        let words = ["systemd-tmpfiles", "--create", TMPFILES];
        steps.push(InstallStep::run(&words));
    }
    let (manager, states) = (facts.target.manager, &facts.states);
    let needs_reload = !units(states, |state| state.needs_reload).is_empty();
    if needs_reload || changes.touch(facts.target.unit_folder()) {
        steps.push(InstallStep::Run(systemctl(manager, &["daemon-reload"])));
    }
    let disabled = units(states, |state| !state.is_enabled);
    let are_enabled = || InstallStep::note("already", "all units are enabled");
    steps.push(on_units(manager, &["enable"], &disabled).unwrap_or_else(are_enabled));
    let failed = units(states, |state| state.has_failed);
    steps.extend(on_units(manager, &["reset-failed"], &failed));
    steps.extend(starts(facts, changes));
    if facts.wants_linger && !facts.lingers {
        let user = &facts.target.account.name;
        steps.push(InstallStep::run(&["loginctl", "enable-linger", user]));
    }
    steps
}

/// Starts what does not run, and restarts what runs an older file.
fn starts(facts: &InstallFacts, changes: &Changes) -> Vec<InstallStep> {
    let manager = facts.target.manager;
    let active = units(&facts.states, |state| state.is_active);
    let replaced = units(&facts.states, |state| state.is_outdated);
    let is_outdated = |name: &&str| changes.services.contains(name) || replaced.contains(name);
    let (outdated, others): (Vec<&str>, Vec<&str>) = SERVICES
        .into_iter()
        .partition(|name| active.contains(name) && is_outdated(name));
    // Running services are restarted in one go: their manager knows the order.
    // The others are started one by one, so that an error names its service.
    let start = |name: &str| match active.contains(&name) {
        true => InstallStep::note("already", format!("{name} runs")),
        false => InstallStep::Run(systemctl(manager, &["start", name])),
    };
    let restart = on_units(manager, &["restart"], &outdated);
    restart
        .into_iter()
        .chain(others.into_iter().map(start))
        .collect()
}

/// The units in that state; one that the manager does not report has none.
fn units(states: &ServiceStates, is: impl Fn(&ServiceState) -> bool) -> Vec<&'static str> {
    let state = |name: &str| states.get(name).cloned().unwrap_or_default();
    let named = SERVICES.into_iter().filter(|name| is(&state(name)));
    named.collect()
}

/// Nothing without units.
fn on_units(manager: Manager, verb: &[&str], units: &[&str]) -> Option<InstallStep> {
    let words = systemctl(manager, &[verb, units].concat());
    (!units.is_empty()).then_some(InstallStep::Run(words))
}

impl Changes {
    /// Whether a file at or below this path is written or removed.
    fn touch(&self, path: impl AsRef<Path>) -> bool {
        let path = path.as_ref();
        self.steps.iter().any(|step| match step {
            InstallStep::Write(file) => file.path.starts_with(path),
            InstallStep::Remove(removed) => removed.starts_with(path),
            _ => false,
        })
    }
}

/// Stops and disables the units.
pub fn stop(manager: Manager, states: &ServiceStates) -> Vec<InstallStep> {
    let mut known = units(states, |state| state.is_known);
    // The web service before its socket, or the next request starts it again.
    known.reverse();
    let disable = on_units(manager, &["disable", "--now"], &known);
    let slice = disable
        .as_ref()
        .map(|_| InstallStep::Run(systemctl(manager, &["stop", "headspace.slice"])));
    let failed = units(states, |state| state.has_failed);
    let reset = on_units(manager, &["reset-failed"], &failed);
    [disable, slice, reset].into_iter().flatten().collect()
}

/// The command that shows the log of these units.
pub fn journal(manager: Manager, units: &[&str]) -> Vec<String> {
    let head: &[&str] = match manager {
        Manager::User => &["journalctl", "--user"],
        _ => &["journalctl"],
    };
    let units = units.iter().map(|unit| unit.trim_end_matches(".service"));
    let words = head
        .iter()
        .copied()
        .chain(units.flat_map(|unit| ["-u", unit]));
    words.map(str::to_owned).collect()
}

/// The same for the units that this command starts, if it starts any.
pub fn journal_of_start(words: &[String]) -> Option<Vec<String>> {
    let verb = words
        .iter()
        .position(|word| word == "start" || word == "restart")?;
    let units: Vec<&str> = words[verb + 1..].iter().map(String::as_str).collect();
    let manager = match words[..verb].iter().any(|word| word == "--user") {
        true => Manager::User,
        false => Manager::System,
    };
    Some(journal(manager, &units))
}
