//! What launchd gets: the plists as they are shipped, with the paths, the user
//! and the port of this machine.
//!
//! Written from the manual pages; nothing here has been run on a Mac.

use std::{fmt::Write, path::Path};

use super::{
    InstallRefused, command,
    facts::InstallFacts,
    files::{Changes, OnDisk, PlannedFile},
    states::{ServiceState, ServiceStates},
    steps::InstallStep,
    systemd,
    target::Target,
    units::{self, UnitFile},
};
use crate::{config::Listen, supervise::unit::Manager};

pub const WATCHER: &str = "com.headspace.watcher";
pub const WEB: &str = "com.headspace.web";
pub const LABELS: [&str; 2] = [WATCHER, WEB];

/// Where an agent's shell finds the program, as shipped.
const PATH: &str = "/opt/homebrew/bin:/usr/local/bin:/usr/bin:/bin";
const LOGS: [&str; 2] = [
    "/Library/Logs/headspace-watcher.log",
    "/Library/Logs/headspace.log",
];

pub fn files(facts: &InstallFacts) -> Result<Vec<PlannedFile>, InstallRefused> {
    if facts.secret.is_some() {
        return refuse(
            "DATABASE_URL: launchd has no place for a secret. Put database.url into config.yaml in \
             ~/Library/Application Support/headspace, chmod it 600, unset the variable, and run \
             this again",
        );
    }
    let mut files = Vec::from_iter(systemd::own_copy(facts, &LABELS));
    let services: [&[&str]; 2] = [&[WATCHER], &[WEB]];
    for (unit, services) in units::of(facts.target.manager).iter().zip(services) {
        let path = facts.target.unit_folder().join(unit.name);
        files.push(PlannedFile::plain(&path, &plist(facts, unit)?, services));
    }
    Ok(files)
}

fn refuse<T>(message: &str) -> Result<T, InstallRefused> {
    Err(InstallRefused(message.into()))
}

fn plist(facts: &InstallFacts, unit: &UnitFile) -> Result<String, InstallRefused> {
    let mut text = unit.text.to_owned();
    if facts.target.is_system() {
        let label = unit.name.trim_end_matches(".plist");
        let label = format!("<string>{label}</string>\n");
        let user = escaped(&facts.target.account.name);
        let user = format!("{label}\t<key>UserName</key>\n\t<string>{user}</string>\n");
        let program = escaped(&facts.program().to_string_lossy());
        text = text.replacen(&label, &user, 1).replace(
            &format!("<string>{}</string>", systemd::OWN_COPY),
            &format!("<string>{program}</string>"),
        );
    } else {
        text = text.replace(PATH, &escaped(&path(facts)?));
    }
    let head = "<key>EnvironmentVariables</key>\n\t<dict>\n";
    let mut variables = head.to_owned();
    for (name, value) in &facts.environment {
        let (name, value) = (escaped(name), escaped(value));
        let _ = write!(
            variables,
            "\t\t<key>{name}</key>\n\t\t<string>{value}</string>\n"
        );
    }
    let exit = |seconds| format!("<key>ExitTimeOut</key>\n\t<integer>{seconds}</integer>");
    let port = format!("<string>{}</string>", port(facts)?);
    Ok(text
        .replacen(head, &variables, 1)
        .replace(
            &exit(systemd::SHIPPED_STOP_SECONDS),
            &exit(facts.stop_seconds()),
        )
        .replace("<string>5055</string>", &port))
}

/// The program's folder first, unless it is one of the usual ones.
fn path(facts: &InstallFacts) -> Result<String, InstallRefused> {
    let program = facts.program();
    if program.file_name().is_none_or(|name| name != "headspace") {
        let path = program.display();
        return refuse(&format!(
            "{path}: an agent starts `headspace`; give the file that name"
        ));
    }
    let folder = program.parent().unwrap_or(Path::new("/")).to_string_lossy();
    if PATH.split(':').any(|usual| usual == folder) {
        return Ok(PATH.into());
    }
    Ok(format!("{folder}:{PATH}"))
}

/// The plist has one socket.
fn port(facts: &InstallFacts) -> Result<u16, InstallRefused> {
    let listen = &facts.settings.web.listen;
    let tcp = listen.iter().filter_map(|listen| match listen {
        Listen::Tcp(address) => Some(address),
        Listen::Unix(_) => None,
    });
    match tcp.collect::<Vec<_>>()[..] {
        [address] if address.ip().to_string() == "127.0.0.1" => Ok(address.port()),
        _ => refuse("web.listen: under launchd it is one address, 127.0.0.1:PORT"),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn domain(target: &Target) -> String {
    match target.manager {
        Manager::Agents => format!("gui/{}", target.account.uid),
        _ => "system".into(),
    }
}

/// The jobs that launchd knows.
pub fn states(target: &Target) -> ServiceStates {
    let domain = domain(target);
    let state = |label| ServiceState {
        is_known: command::run(&["launchctl", "print", &format!("{domain}/{label}")]).is_ok(),
        ..ServiceState::default()
    };
    LABELS
        .into_iter()
        .map(|label| (label, state(label)))
        .collect()
}

pub fn commands(
    facts: &InstallFacts,
    changes: &Changes,
    inspect: &dyn Fn(&Path) -> OnDisk,
) -> Vec<InstallStep> {
    let mut steps = Vec::new();
    if facts.target.is_system() {
        steps.extend(for_the_user(facts, inspect));
    }
    let domain = domain(&facts.target);
    for label in LABELS {
        let job = format!("{domain}/{label}");
        let is_known = facts.states.get(label).is_some_and(|state| state.is_known);
        if is_known && !changes.services.contains(label) {
            steps.push(InstallStep::note("already", format!("{job} is loaded")));
            continue;
        }
        if is_known {
            steps.push(InstallStep::run(&["launchctl", "bootout", &job]));
        }
        let plist = facts.target.unit_folder().join(format!("{label}.plist"));
        steps.push(InstallStep::run(&["launchctl", "enable", &job]));
        let plist = plist.to_string_lossy();
        steps.push(InstallStep::run(&[
            "launchctl",
            "bootstrap",
            &domain,
            &plist,
        ]));
    }
    steps
}

/// A daemon's user may make neither its data folder nor its log files.
fn for_the_user(facts: &InstallFacts, inspect: &dyn Fn(&Path) -> OnDisk) -> Vec<InstallStep> {
    let user = &facts.target.account.name;
    let state = facts.settings.places.state.to_string_lossy();
    let folder = ["install", "-d", "-m", "700", "-o", user, &state];
    let missing = |path: &str| inspect(Path::new(path)) == OnDisk::Nothing;
    let mut steps = Vec::from_iter(missing(&state).then(|| InstallStep::run(&folder)));
    let logs = LOGS.into_iter().filter(|log| missing(log));
    steps.extend(
        logs.map(|log| InstallStep::run(&["install", "-m", "600", "-o", user, "/dev/null", log])),
    );
    steps
}

pub fn stop(target: &Target, states: &ServiceStates) -> Vec<InstallStep> {
    let domain = domain(target);
    let known = |label: &&&str| states.get(**label).is_some_and(|state| state.is_known);
    let bootout =
        |label: &&str| InstallStep::run(&["launchctl", "bootout", &format!("{domain}/{label}")]);
    LABELS.iter().filter(known).map(bootout).collect()
}

pub fn logs(facts: &InstallFacts) -> String {
    let home = if facts.target.is_system() { "" } else { "~" };
    format!("{home}/Library/Logs/headspace.log and headspace-watcher.log")
}
