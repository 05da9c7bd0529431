//! What launchd is given: the plists as they are shipped, with the paths, the
//! user and the port that only this machine knows.
//!
//! Written from the manual pages; nothing here has been run on a Mac.

use std::{fmt::Write, path::Path};

use super::{
    InstallRefused, Scope,
    account::Account,
    command,
    facts::InstallFacts,
    files::{Changes, FileContent, PlannedFile, PlannedFolder},
    plan::InstallStep,
    state::{ServiceState, ServiceStates},
    systemd,
    units::{self, UnitFile},
};
use crate::config::Listen;

pub const WATCHER: &str = "com.headspace.watcher";
pub const WEB: &str = "com.headspace.web";
pub const LABELS: [&str; 2] = [WATCHER, WEB];

/// Where an agent's shell finds the program, as shipped.
const PATH: &str = "/opt/homebrew/bin:/usr/local/bin:/usr/bin:/bin";
const STATE: &str = "/Library/Application Support/headspace";
const LOGS: [&str; 2] = [
    "/Library/Logs/headspace-watcher.log",
    "/Library/Logs/headspace.log",
];

pub fn folders(facts: &InstallFacts) -> Vec<PlannedFolder> {
    let folder = |path: &Path, mode, owner| PlannedFolder {
        path: path.to_owned(),
        mode,
        owner,
    };
    let mut folders = vec![
        folder(&facts.unit_folder, 0o755, None),
        folder(&facts.config_folder, 0o755, None),
    ];
    if facts.copy_of_binary.is_some() {
        folders.extend(
            facts
                .program()
                .parent()
                .map(|parent| folder(parent, 0o755, None)),
        );
    }
    if facts.scope == Scope::System {
        let owner = Some((facts.account.uid, facts.account.gid));
        folders.push(folder(Path::new(STATE), 0o700, owner));
    }
    folders
}

pub fn files(facts: &InstallFacts) -> Result<Vec<PlannedFile>, InstallRefused> {
    refuse_a_secret(facts)?;
    let mut files = Vec::from_iter(systemd::own_copy(facts, &LABELS));
    let units = match facts.scope {
        Scope::User => units::AGENTS,
        Scope::System => units::DAEMONS,
    };
    for (unit, label) in units.into_iter().zip(&[&[WATCHER], &[WEB]]) {
        files.push(PlannedFile {
            path: facts.unit_folder.join(unit.name),
            content: FileContent::Text(plist(facts, unit)?),
            mode: 0o644,
            owner: None,
            of: *label,
        });
    }
    if facts.scope == Scope::System {
        files.extend(LOGS.map(|log| log_file(facts, log)));
    }
    Ok(files)
}

/// launchd keeps no secrets, and its plists can be read by all.
fn refuse_a_secret(facts: &InstallFacts) -> Result<(), InstallRefused> {
    if facts.secret.is_none() {
        return Ok(());
    }
    Err(InstallRefused(
        "DATABASE_URL: launchd has no place for a secret. Put database.url into config.yaml in \
         ~/Library/Application Support/headspace, chmod it 600, unset the variable, and run this \
         again"
            .into(),
    ))
}

/// A daemon's user may not make files among the system's logs.
fn log_file(facts: &InstallFacts, path: &str) -> PlannedFile {
    PlannedFile {
        path: path.into(),
        content: FileContent::Unless(String::new()),
        mode: 0o600,
        owner: Some((facts.account.uid, facts.account.gid)),
        of: &[],
    }
}

fn plist(facts: &InstallFacts, unit: UnitFile) -> Result<String, InstallRefused> {
    let mut text = unit.text.to_owned();
    let program = escaped(&facts.program().to_string_lossy());
    match facts.scope {
        Scope::User => text = text.replace(PATH, &escaped(&path(facts)?)),
        Scope::System => {
            let user = escaped(&facts.account.name);
            let label = format!(
                "<string>{}</string>\n",
                unit.name.trim_end_matches(".plist")
            );
            let named = format!("{label}\t<key>UserName</key>\n\t<string>{user}</string>\n");
            text = text.replacen(&label, &named, 1);
            let shipped = format!("<string>{}</string>", systemd::OWN_COPY);
            text = text.replace(&shipped, &format!("<string>{program}</string>"));
        }
    }
    let mut variables = String::from("<key>EnvironmentVariables</key>\n\t<dict>\n");
    let head = variables.clone();
    for (name, value) in &facts.environment {
        let (name, value) = (escaped(name), escaped(value));
        let _ = write!(
            variables,
            "\t\t<key>{name}</key>\n\t\t<string>{value}</string>\n"
        );
    }
    text = text.replacen(&head, &variables, 1);
    let exit = |seconds| format!("<key>ExitTimeOut</key>\n\t<integer>{seconds}</integer>");
    text = text.replace(
        &exit(systemd::SHIPPED_STOP_SECONDS),
        &exit(facts.stop_seconds()),
    );
    let port = format!("<string>{}</string>", port(facts)?);
    Ok(text.replace("<string>5055</string>", &port))
}

/// The program's folder first, unless it is one of the usual ones.
fn path(facts: &InstallFacts) -> Result<String, InstallRefused> {
    let program = facts.program();
    if program.file_name().is_none_or(|name| name != "headspace") {
        let message = format!(
            "{}: an agent starts `headspace`; give the file that name",
            program.display()
        );
        return Err(InstallRefused(message));
    }
    let folder = program.parent().unwrap_or(Path::new("/")).to_string_lossy();
    if PATH.split(':').any(|usual| usual == folder) {
        return Ok(PATH.into());
    }
    Ok(format!("{folder}:{PATH}"))
}

/// The plist has one door.
fn port(facts: &InstallFacts) -> Result<u16, InstallRefused> {
    let tcp: Vec<_> = facts
        .listen
        .iter()
        .filter_map(|listen| match listen {
            Listen::Tcp(address) => Some(address),
            Listen::Unix(_) => None,
        })
        .collect();
    match tcp[..] {
        [address] if address.ip().to_string() == "127.0.0.1" => Ok(address.port()),
        _ => Err(InstallRefused(
            "web.listen: under launchd it is one address, 127.0.0.1:PORT".into(),
        )),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn domain(scope: Scope, account: &Account) -> String {
    match scope {
        Scope::User => format!("gui/{}", account.uid),
        Scope::System => "system".into(),
    }
}

/// Which of the two launchd knows.
pub fn states(scope: Scope, account: &Account) -> ServiceStates {
    let domain = domain(scope, account);
    let is_known =
        |label: &str| command::query(&["launchctl", "print", &format!("{domain}/{label}")]).is_ok();
    let state = |label| ServiceState {
        is_known: is_known(label),
        ..ServiceState::default()
    };
    LABELS
        .into_iter()
        .map(|label| (label, state(label)))
        .collect()
}

fn launchctl(words: &[&str]) -> InstallStep {
    let words = [&["launchctl"], words].concat();
    InstallStep::Run(words.into_iter().map(str::to_owned).collect())
}

pub fn services(facts: &InstallFacts, changes: &Changes) -> Vec<InstallStep> {
    let domain = domain(facts.scope, &facts.account);
    let mut steps = Vec::new();
    for label in LABELS {
        let target = format!("{domain}/{label}");
        let is_known = facts.states.get(label).is_some_and(|state| state.is_known);
        if is_known && !changes.of.contains(label) {
            steps.push(InstallStep::Already(format!("{target} is there")));
            continue;
        }
        if is_known {
            steps.push(launchctl(&["bootout", &target]));
        }
        let plist = facts.unit_folder.join(format!("{label}.plist"));
        steps.push(launchctl(&["enable", &target]));
        steps.push(launchctl(&["bootstrap", &domain, &plist.to_string_lossy()]));
    }
    steps
}

pub fn stop(scope: Scope, account: &Account, states: &ServiceStates) -> Vec<InstallStep> {
    let domain = domain(scope, account);
    let known = |label: &&&str| states.get(**label).is_some_and(|state| state.is_known);
    LABELS
        .iter()
        .filter(known)
        .map(|label| launchctl(&["bootout", &format!("{domain}/{label}")]))
        .collect()
}

pub fn words(facts: &InstallFacts) -> Vec<String> {
    let (logs, again) = match facts.scope {
        Scope::User => ("~/Library/Logs", "headspace uninstall"),
        Scope::System => ("/Library/Logs", "sudo headspace uninstall --system"),
    };
    vec![
        format!("log       {logs}/headspace.log and headspace-watcher.log"),
        format!("remove    {again}"),
    ]
}
