//! The states of the services, as their manager reports them.

use std::{collections::BTreeMap, os::unix::fs::MetadataExt, path::Path};

use super::{InstallRefused, command, launchd, systemd::SERVICES, target::Target};
use crate::supervise::unit::Manager;

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServiceState {
    pub is_known: bool,
    pub is_active: bool,
    pub has_failed: bool,
    pub is_enabled: bool,
    pub needs_reload: bool,
    pub main_pid: u32,
    /// The process runs another file than it should: the program was upgraded.
    pub is_outdated: bool,
}

pub type ServiceStates = BTreeMap<&'static str, ServiceState>;

pub fn systemctl(manager: Manager, rest: &[&str]) -> Vec<String> {
    let head: &[&str] = match manager {
        Manager::User => &["systemctl", "--user"],
        _ => &["systemctl"],
    };
    let words = [head, rest].concat();
    words.into_iter().map(str::to_owned).collect()
}

pub fn read(target: &Target, program: &Path) -> Result<ServiceStates, InstallRefused> {
    if !target.is_systemd() {
        return Ok(launchd::states(target));
    }
    let properties = "Id,LoadState,ActiveState,SubState,UnitFileState,NeedDaemonReload,MainPID";
    let show = [&["show", "--property", properties][..], &SERVICES].concat();
    let text = command::run(&systemctl(target.manager, &show)).map_err(|failed| {
        InstallRefused(format!("the service manager does not answer: {failed}"))
    })?;
    let mut states = parse(&text);
    for state in states.values_mut() {
        state.is_outdated = state.main_pid > 1 && runs_another(state.main_pid, program);
    }
    Ok(states)
}

/// Blocks of `Key=value`, one for each unit, with an empty line between.
fn parse(text: &str) -> ServiceStates {
    let mut states = ServiceStates::new();
    for block in text.split("\n\n") {
        let value = |key: &str| {
            let mut lines = block.lines();
            lines.find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
        };
        let name = SERVICES.into_iter().find(|name| value("Id") == Some(name));
        let Some(name) = name else { continue };
        let is = |key, wanted| value(key) == Some(wanted);
        let active = value("ActiveState").unwrap_or_default();
        let pid = value("MainPID").and_then(|pid| pid.parse().ok());
        let state = ServiceState {
            is_known: is("LoadState", "loaded"),
            // Between two tries no process runs.
            is_active: ["active", "activating", "reloading"].contains(&active)
                && !is("SubState", "auto-restart"),
            has_failed: active == "failed",
            is_enabled: is("UnitFileState", "enabled"),
            needs_reload: is("NeedDaemonReload", "yes"),
            main_pid: pid.unwrap_or(0),
            is_outdated: false,
        };
        states.insert(name, state);
    }
    states
}

/// Without `/proc` this cannot be seen; then the file counts as the same.
fn runs_another(pid: u32, program: &Path) -> bool {
    let identity = |path: &Path| path.metadata().ok().map(|meta| (meta.dev(), meta.ino()));
    let running = identity(Path::new(&format!("/proc/{pid}/exe")));
    running.is_some() && running != identity(program)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_of_systemctl_is_read_unit_by_unit() {
        let text = "Id=headspace.socket\nLoadState=loaded\nActiveState=active\n\
            UnitFileState=enabled\nNeedDaemonReload=no\n\n\
            MainPID=42\nId=headspace-watcher.service\nLoadState=loaded\nActiveState=failed\n\
            UnitFileState=disabled\nNeedDaemonReload=yes\n\n\
            Id=headspace.service\nLoadState=not-found\nActiveState=inactive\nUnitFileState=\n";
        let states = parse(text);
        let socket = &states["headspace.socket"];
        assert!(socket.is_known && socket.is_active && socket.is_enabled);
        let watcher = &states["headspace-watcher.service"];
        assert!(watcher.has_failed && watcher.needs_reload && !watcher.is_enabled);
        assert_eq!(watcher.main_pid, 42);
        assert_eq!(states["headspace.service"], ServiceState::default());
        assert_eq!(parse("nonsense"), ServiceStates::new());
        let text = "Id=headspace.service\nActiveState=activating\nSubState=auto-restart\n";
        assert!(!parse(text)["headspace.service"].is_active);
    }

    #[test]
    fn a_process_is_compared_with_the_file_it_should_run() {
        let us = std::process::id();
        let exe = std::env::current_exe().unwrap();
        assert!(!runs_another(us, &exe));
        let is_linux = cfg!(target_os = "linux");
        assert_eq!(runs_another(us, Path::new("/bin/sh")), is_linux);
        assert!(!runs_another(u32::MAX, &exe), "no such process");
    }
}
