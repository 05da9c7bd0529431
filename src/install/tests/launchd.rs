//! What is installed on launchd, read with a parser that knows only the keys we
//! use. Nothing here has been run on a Mac.

use serde::Deserialize;

use super::*;
use crate::install::{launchd, units};

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Job {
    label: String,
    user_name: Option<String>,
    program_arguments: Vec<String>,
    environment_variables: BTreeMap<String, String>,
    standard_error_path: Option<String>,
    #[serde(default)]
    run_at_load: bool,
    #[serde(default)]
    sockets: BTreeMap<String, Socket>,
    keep_alive: KeepAlive,
    throttle_interval: u32,
    exit_time_out: u32,
    umask: u32,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct KeepAlive {
    successful_exit: bool,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Socket {
    sock_node_name: String,
    sock_service_name: String,
    sock_family: String,
    sock_type: String,
}

fn job(text: &str) -> Job {
    plist::from_bytes(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn mac(manager: Manager) -> InstallFacts {
    InstallFacts {
        binary: "/usr/local/bin/headspace".into(),
        ..facts(manager)
    }
}

/// The watcher and the page.
fn installed(facts: &InstallFacts) -> (Job, Job) {
    let machine = Machine::installed(facts);
    let job_at = |label: &str| {
        let path = facts.target.unit_folder().join(format!("{label}.plist"));
        job(machine.text(path.to_str().unwrap()))
    };
    (job_at(launchd::WATCHER), job_at(launchd::WEB))
}

#[test]
fn the_shipped_plists_say_what_is_promised() {
    for manager in [Manager::Agents, Manager::Daemons] {
        for unit in units::of(manager) {
            let job = job(unit.text);
            assert_eq!(format!("{}.plist", job.label), unit.name);
            assert!(
                !job.keep_alive.successful_exit,
                "only failures are started again"
            );
            assert!(job.throttle_interval <= 5);
            assert_eq!((job.exit_time_out, job.umask), (3, 0o077));
            let is_web = job.label == launchd::WEB;
            assert_eq!(job.run_at_load, !is_web);
            assert_eq!(
                job.sockets.keys().collect::<Vec<_>>(),
                ["http"][..usize::from(is_web)]
            );
            let expected = Socket {
                sock_node_name: "127.0.0.1".into(),
                sock_service_name: "5055".into(),
                sock_family: "IPv4".into(),
                sock_type: "stream".into(),
            };
            assert!(job.sockets.values().all(|socket| *socket == expected));
        }
    }
}

#[test]
fn the_parser_knows_no_other_key() {
    let odd = units::of(Manager::Agents)[0]
        .text
        .replace("<key>Umask</key>", "<key>UMask</key>");
    assert!(plist::from_bytes::<Job>(odd.as_bytes()).is_err());
}

#[test]
fn usual_agents_are_installed_as_they_are_shipped() {
    let machine = Machine::installed(&mac(Manager::Agents));
    for unit in units::of(Manager::Agents) {
        let path = format!("/Users/ada/Library/LaunchAgents/{}", unit.name);
        assert_eq!(machine.text(&path), unit.text);
    }
}

#[test]
fn agents_are_loaded_once() {
    let mut facts = mac(Manager::Agents);
    let mut machine = Machine::default();
    let steps = machine.plan(&facts).unwrap();
    let agents = "/Users/ada/Library/LaunchAgents";
    let mut commands = acts(&steps);
    commands.retain(|line| line.starts_with("run"));
    let expected = [
        "run launchctl enable gui/501/com.headspace.watcher".to_owned(),
        format!("run launchctl bootstrap gui/501 {agents}/com.headspace.watcher.plist"),
        "run launchctl enable gui/501/com.headspace.web".to_owned(),
        format!("run launchctl bootstrap gui/501 {agents}/com.headspace.web.plist"),
    ];
    assert_eq!(commands, expected);
    assert_eq!(facts.health_address().to_string(), "127.0.0.1:5055");
    machine.execute(&steps);
    let loaded = ServiceState {
        is_known: true,
        ..ServiceState::default()
    };
    facts.states = launchd::LABELS
        .into_iter()
        .map(|label| (label, loaded.clone()))
        .collect();
    assert_eq!(acts(&machine.plan(&facts).unwrap()), Vec::<String>::new());
    listen_on(&mut facts, "127.0.0.1:8080");
    let steps = machine.plan(&facts).unwrap();
    says(&steps, "run launchctl bootout gui/501/com.headspace.web");
    assert!(!acts(&steps).join("\n").contains("watcher"));
}

#[test]
fn an_agent_finds_its_program_its_settings_and_its_address() {
    let mut facts = mac(Manager::Agents);
    facts.binary = "/Users/ada/b & c/headspace".into();
    facts
        .environment
        .insert("CLAUDE_CONFIG_DIR".into(), "/Users/ada/<c>".into());
    listen_on(&mut facts, "127.0.0.1:8080");
    let (watcher, web) = installed(&facts);
    for job in [&watcher, &web] {
        let path = &job.environment_variables["PATH"];
        assert!(
            path.starts_with("/Users/ada/b & c:/opt/homebrew/bin:"),
            "{path}"
        );
        assert_eq!(
            job.environment_variables["CLAUDE_CONFIG_DIR"],
            "/Users/ada/<c>"
        );
    }
    assert_eq!(web.sockets["http"].sock_service_name, "8080");
}

#[test]
fn a_daemon_runs_as_its_user() {
    let mut facts = mac(Manager::Daemons);
    facts.binary = "/Users/ada/bin/headspace".into();
    facts.copy = Some(b"the program".into());
    let (watcher, web) = installed(&facts);
    assert_eq!(watcher.user_name.as_deref(), Some("ada"));
    assert_eq!(web.user_name.as_deref(), Some("ada"));
    assert_eq!(
        watcher.program_arguments,
        ["/usr/local/bin/headspace", "watch"]
    );
    let steps = Machine::default().plan(&facts).unwrap();
    let folder = "run install -d -m 700 -o ada /Library/Application Support/headspace";
    let log = "run install -m 600 -o ada /dev/null /Library/Logs/headspace.log";
    for command in [folder, log] {
        says(&steps, command);
    }
}

#[test]
fn what_launchd_cannot_do_is_refused() {
    let refusal = |change: fn(&mut InstallFacts)| {
        let mut facts = mac(Manager::Agents);
        change(&mut facts);
        Machine::default().plan(&facts).err().unwrap().to_string()
    };
    let secret = refusal(|facts| facts.secret = Some("postgres://a:hunter2@db/x".into()));
    assert!(
        secret.starts_with("DATABASE_URL") && !secret.contains("hunter2"),
        "{secret}"
    );
    let address = refusal(|facts| listen_on(facts, "[::1]:5055"));
    assert!(address.starts_with("web.listen"), "{address}");
    let name = refusal(|facts| facts.binary = "/Users/ada/headspace-0.1".into());
    assert!(name.contains("an agent starts `headspace`"), "{name}");
}

#[test]
fn a_job_has_the_time_to_exit_that_the_settings_allow() {
    let mut facts = mac(Manager::Agents);
    facts.settings.event_system.shutdown_timeout_seconds = 20;
    let (watcher, web) = installed(&facts);
    assert_eq!([watcher.exit_time_out, web.exit_time_out], [21, 21]);
}
