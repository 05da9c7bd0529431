//! What systemd is given: the units as they are shipped, and drop-ins with what
//! only this machine knows.

use std::{collections::BTreeMap, fmt::Write, path::Path};

use super::{
    Scope, database,
    facts::InstallFacts,
    files::{Changes, FileContent, OnDisk, PlannedFile, PlannedFolder},
    plan::InstallStep,
    state::{self, ServiceState},
    units,
};
use crate::config::Listen;

pub const WATCHER: &str = "headspace-watcher.service";
pub const WEB: &str = "headspace.service";
pub const SOCKET: &str = "headspace.socket";

/// In the order they are started; the door first, so that nobody waits outside.
pub const SERVICES: [&str; 3] = [SOCKET, WATCHER, WEB];

/// Where a package puts the program, and so what the units name.
pub const PACKAGED_PROGRAM: &str = "/usr/bin/headspace";
/// Where a program goes that a system service could not reach.
pub const OWN_COPY: &str = "/usr/local/bin/headspace";

pub const TMPFILES: &str = "/etc/tmpfiles.d/headspace.conf";
/// What the shipped units say.
pub const SHIPPED_STOP_SECONDS: u64 = 3;
const SHIPPED_MAX_RESTARTS: u32 = 5;
const DROP_IN: &str = "10-install.conf";
const HEAD: &str = "\
# Written by `headspace install`, removed by `headspace uninstall`.
# Settings of your own belong into a file beside it, such as 20-local.conf.
";

/// The folders that are needed, parents included.
pub fn folders(facts: &InstallFacts) -> Vec<PlannedFolder> {
    let plain = |path: &Path| PlannedFolder {
        path: path.to_owned(),
        mode: 0o755,
        owner: None,
    };
    let files = files(facts);
    let mut folders: Vec<PlannedFolder> = files
        .iter()
        .filter_map(|file| file.path.parent())
        .map(plain)
        .collect();
    folders.push(plain(&facts.config_folder));
    folders.dedup();
    folders
}

pub fn files(facts: &InstallFacts) -> Vec<PlannedFile> {
    let mut files = Vec::new();
    files.extend(own_copy(facts, &[WATCHER, WEB]));
    files.extend(unit_files(facts));
    files.extend(drop_in(facts, WATCHER, &service(facts, "watch")));
    files.extend(drop_in(facts, WEB, &service(facts, "web")));
    files.extend(drop_in(facts, SOCKET, &socket(facts)));
    files.extend(secret(facts));
    if facts.scope == Scope::System {
        files.push(run_folder(facts));
        files.push(settings(facts));
    }
    files
}

pub fn own_copy(facts: &InstallFacts, of: &'static [&'static str]) -> Option<PlannedFile> {
    let hash = facts.copy_of_binary.clone()?;
    Some(PlannedFile {
        path: facts.program().to_owned(),
        content: FileContent::Copy(facts.binary.clone(), hash),
        mode: 0o755,
        owner: None,
        of,
    })
}

/// A package has them already, if they are the same.
fn unit_files(facts: &InstallFacts) -> Vec<PlannedFile> {
    let units = match facts.scope {
        Scope::User => units::USER,
        Scope::System => units::SYSTEM,
    };
    let missing = |unit: &units::UnitFile| !facts.packaged.contains(&unit.name);
    units
        .into_iter()
        .filter(missing)
        .map(|unit| {
            let path = facts.unit_folder.join(unit.name);
            text_file(&path, unit.text, of(unit.name))
        })
        .collect()
}

/// A socket is closed and opened with the service behind it.
fn of(unit: &str) -> &'static [&'static str] {
    match unit {
        WATCHER => &[WATCHER],
        WEB => &[WEB],
        SOCKET => &[SOCKET, WEB],
        _ => &[],
    }
}

fn drop_in(facts: &InstallFacts, unit: &str, lines: &str) -> Option<PlannedFile> {
    let limit = if unit == WATCHER {
        start_limit(facts)
    } else {
        String::new()
    };
    let text = match (unit, lines) {
        (_, "") if limit.is_empty() => return None,
        (_, "") => format!("{HEAD}{limit}"),
        (SOCKET, lines) => format!("{HEAD}[Socket]\n{lines}"),
        (_, lines) => format!("{HEAD}{limit}[Service]\n{lines}"),
    };
    let path = facts.unit_folder.join(format!("{unit}.d")).join(DROP_IN);
    Some(text_file(&path, &text, of(unit)))
}

fn text_file(path: &Path, text: &str, of: &'static [&'static str]) -> PlannedFile {
    PlannedFile {
        path: path.to_owned(),
        content: FileContent::Text(text.to_owned()),
        mode: 0o644,
        owner: None,
        of,
    }
}

fn service(facts: &InstallFacts, command: &str) -> String {
    let mut lines = user(facts);
    if facts.program() != Path::new(PACKAGED_PROGRAM) {
        let program = quoted(&facts.program().to_string_lossy());
        let _ = write!(lines, "ExecStart=\nExecStart={program} {command}\n");
    }
    let message = match command {
        "web" => database::for_reader(&facts.environment, &facts.account.name),
        _ => facts.environment.clone(),
    };
    lines += &environment(&message);
    if facts.secret.is_some() {
        let path = facts.secret_path().to_string_lossy().replace('%', "%%");
        let _ = writeln!(lines, "LoadCredential=database-url:{path}");
    }
    lines += &addresses(facts);
    lines += &stop_timeout(facts);
    lines
}

/// The service exits within its own timeout; the unit's timeout is a second more.
fn stop_timeout(facts: &InstallFacts) -> String {
    match facts.stop_seconds() {
        SHIPPED_STOP_SECONDS => String::new(),
        seconds => format!("TimeoutStopSec={seconds}\n"),
    }
}

/// systemd counts starts, the first one included, so N restarts are N + 1 starts.
/// The watcher itself counts restarts, and is exact.
fn start_limit(facts: &InstallFacts) -> String {
    match facts.max_restarts {
        SHIPPED_MAX_RESTARTS => String::new(),
        restarts => format!("[Unit]\nStartLimitBurst={}\n", restarts + 1),
    }
}

/// Without these the service is nobody's, and says so.
fn user(facts: &InstallFacts) -> String {
    match facts.scope {
        Scope::User => String::new(),
        Scope::System => format!("DynamicUser=no\nUser={}\n", facts.account.name),
    }
}

fn environment(variables: &BTreeMap<String, String>) -> String {
    let line = |(name, value)| format!("Environment={}\n", quoted(&format!("{name}={value}")));
    variables.iter().map(line).collect()
}

/// A user's manager cannot hold addresses back, so there is nothing to allow.
fn addresses(facts: &InstallFacts) -> String {
    let Some(host) = facts
        .remote_host
        .as_ref()
        .filter(|_| facts.scope == Scope::System)
    else {
        return String::new();
    };
    match host.parse::<std::net::IpAddr>() {
        Ok(address) => format!("# The database.\nIPAddressAllow={address}\n"),
        Err(_) => format!(
            "# The database is {}, a name: which server answers for it, and with what,\n\
             # may change. An address in its place narrows this.\nIPAddressAllow=any\n",
            host.replace(char::is_control, "?")
        ),
    }
}

fn socket(facts: &InstallFacts) -> String {
    let mut lines = match facts.scope {
        Scope::User => String::new(),
        Scope::System => format!("SocketUser={}\n", facts.account.name),
    };
    if facts.listen != facts.shipped_listen() {
        lines += "ListenStream=\n";
        for listen in &facts.listen {
            let address = match listen {
                Listen::Tcp(address) => address.to_string(),
                Listen::Unix(path) => path.to_string_lossy().replace('%', "%%"),
            };
            let _ = writeln!(lines, "ListenStream={address}");
        }
    }
    lines
}

fn secret(facts: &InstallFacts) -> Option<PlannedFile> {
    Some(PlannedFile {
        path: facts.secret_path(),
        content: FileContent::Secret(facts.secret.clone()? + "\n"),
        mode: 0o600,
        owner: None,
        of: &[WATCHER, WEB],
    })
}

/// The socket unit would make it root's, and its user could not look in.
fn run_folder(facts: &InstallFacts) -> PlannedFile {
    let text = format!(
        "# Written by `headspace install`, removed by `headspace uninstall`.\n\
         d /run/headspace 0700 {} {} -\n",
        facts.account.name, facts.account.gid
    );
    text_file(Path::new(TMPFILES), &text, &[])
}

/// All settings with their defaults. The service's group may read it, because a
/// password may be put there.
fn settings(facts: &InstallFacts) -> PlannedFile {
    PlannedFile {
        path: facts.config_folder.join("config.yaml"),
        content: FileContent::Unless(include_str!("../../config/config.yaml").to_owned()),
        mode: 0o640,
        owner: Some((0, facts.account.gid)),
        of: &[WATCHER, WEB],
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

/// Makes the manager take up what was written, once the files are there.
pub fn services(
    facts: &InstallFacts,
    changes: &Changes,
    inspect: &dyn Fn(&Path) -> OnDisk,
) -> Vec<InstallStep> {
    let mut steps = Vec::new();
    let run = |words: &[&str]| InstallStep::Run(state::systemctl(facts.scope, words));
    if facts.scope == Scope::System
        && (writes(changes, TMPFILES) || inspect(&facts.run) == OnDisk::Nothing)
    {
        let words = ["systemd-tmpfiles", "--create", TMPFILES];
        steps.push(InstallStep::Run(words.map(str::to_owned).into()));
    }
    if needs_reload(facts, changes) {
        steps.push(run(&["daemon-reload"]));
    }
    let those = |is: &dyn Fn(&ServiceState) -> bool| -> Vec<&str> {
        let is_it = |name: &&str| is(&facts.states.get(name).cloned().unwrap_or_default());
        SERVICES.into_iter().filter(is_it).collect()
    };
    let disabled = those(&|state| !state.is_enabled);
    match disabled[..] {
        [] => steps.push(InstallStep::Already("all units are enabled".into())),
        _ => steps.push(run(&[&["enable"], &disabled[..]].concat())),
    }
    let failed = those(&|state| state.has_failed);
    if !failed.is_empty() {
        steps.push(run(&[&["reset-failed"], &failed[..]].concat()));
    }
    steps.extend(started(facts, changes));
    steps.extend(linger(facts));
    steps
}

fn writes(changes: &Changes, path: &str) -> bool {
    let is_it = |step: &InstallStep| matches!(step, InstallStep::Write(file) if file.path == Path::new(path));
    changes.steps.iter().any(is_it)
}

fn needs_reload(facts: &InstallFacts, changes: &Changes) -> bool {
    let is_unit = |step: &InstallStep| match step {
        InstallStep::Write(PlannedFile { path, .. }) | InstallStep::Remove(path) => {
            path.starts_with(&facts.unit_folder)
        }
        _ => false,
    };
    changes.steps.iter().any(is_unit) || facts.states.values().any(|state| state.needs_reload)
}

/// StepError services are started one by one, so that the one that fails is
/// named. Running ones are restarted in one go: their manager knows the order.
fn started(facts: &InstallFacts, changes: &Changes) -> Vec<InstallStep> {
    let mut steps = Vec::new();
    let mut outdated = Vec::new();
    for name in SERVICES {
        let state = facts.states.get(name).cloned().unwrap_or_default();
        if !state.is_active {
            steps.push(start(facts, "start", &[name]));
        } else if changes.of.contains(name) || state.is_outdated {
            outdated.push(name);
        } else {
            steps.push(InstallStep::Already(format!("{name} runs")));
        }
    }
    if !outdated.is_empty() {
        steps.insert(0, start(facts, "restart", &outdated));
    }
    steps
}

fn start(facts: &InstallFacts, verb: &str, names: &[&str]) -> InstallStep {
    let journal = journal(facts, names);
    InstallStep::Start(
        state::systemctl(facts.scope, &[&[verb], names].concat()),
        journal,
    )
}

/// The command that shows why.
fn journal(facts: &InstallFacts, names: &[&str]) -> Vec<String> {
    let mut words = vec!["journalctl".to_owned()];
    words.extend((facts.scope == Scope::User).then(|| "--user".to_owned()));
    for name in names {
        words.extend([
            "-u".to_owned(),
            name.trim_end_matches(".service").to_owned(),
        ]);
    }
    words
}

fn linger(facts: &InstallFacts) -> Option<InstallStep> {
    let words = ["loginctl", "enable-linger", &facts.account.name];
    match (facts.scope, facts.lingers) {
        (Scope::System, _) => None,
        (_, Some(true)) => Some(InstallStep::Already(
            "the services run also while you are logged out".into(),
        )),
        (_, _) if facts.wants_linger => Some(InstallStep::Run(words.map(str::to_owned).into())),
        (_, _) => None,
    }
}

pub fn words(facts: &InstallFacts) -> Vec<String> {
    let journal = journal(facts, &[WEB, WATCHER]).join(" ");
    let again = match facts.scope {
        Scope::User => "headspace uninstall",
        Scope::System => "sudo headspace uninstall --system",
    };
    let mut words = vec![format!("log       {journal}"), format!("remove    {again}")];
    if facts.scope == Scope::User && facts.lingers != Some(true) && !facts.wants_linger {
        words.push(format!(
            "The services stop when you log out, and start when you log in. To keep them \
             running: loginctl enable-linger {}",
            facts.account.name
        ));
    }
    words
}
