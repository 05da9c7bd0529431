//! systemd, as `systemctl show` puts it.

use std::{env, path::Path, path::PathBuf};

use jiff::Timestamp;
use tokio::process::Command;

use super::{Answer, End, Manager, Unit, command, value};

/// What [`parse`] reads of a unit.
const PROPERTIES: &str = "LoadState,ActiveState,SubState,Result,NRestarts,MainPID,\
    ActiveEnterTimestamp,StateChangeTimestamp,ExecMainCode,ExecMainStatus,StatusText,UnitFileState";

pub async fn query(manager: Manager, name: &str) -> Result<Answer, String> {
    let mut command = Command::new("systemctl");
    if manager == Manager::User {
        let folder = runtime_folder().ok_or("this user has no service manager here")?;
        command.arg("--user").env("XDG_RUNTIME_DIR", folder);
    }
    command.args(["show", "--timestamp=us+utc", "-p", PROPERTIES, "--", name]);
    let output = command::run(command).await?;
    parse(manager, name, &output.out).ok_or(output.complaint)
}

/// Where the user's manager listens. A system unit that runs as this user does
/// not get it, and one with `ProtectHome=tmpfs` does not see it.
fn runtime_folder() -> Option<PathBuf> {
    let given = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let uid = rustix::process::geteuid().as_raw();
    let folder = given.unwrap_or_else(|| Path::new("/run/user").join(uid.to_string()));
    folder.join("systemd").is_dir().then_some(folder)
}

/// Nothing if this is not an answer at all.
fn parse(manager: Manager, name: &str, text: &str) -> Option<Answer> {
    let value = |wanted| value(text.lines().filter_map(|line| line.split_once('=')), wanted);
    let number = |wanted| value(wanted).and_then(|text| text.parse::<i64>().ok());
    let load_state = value("LoadState")?;
    let active_state = value("ActiveState").unwrap_or("unknown");
    // A unit whose file was removed lives on until it is stopped.
    if load_state == "not-found" && active_state == "inactive" {
        return Some(Answer::Absent);
    }
    let since = match active_state {
        "active" => "ActiveEnterTimestamp",
        _ => "StateChangeTimestamp",
    };
    Some(Answer::Known(Unit {
        manager,
        name: name.to_owned(),
        load_state: load_state.to_owned(),
        active_state: active_state.to_owned(),
        sub_state: value("SubState").unwrap_or("unknown").to_owned(),
        result: value("Result").map(str::to_owned),
        restarts: number("NRestarts"),
        main_pid: number("MainPID").filter(|pid| *pid > 0),
        since: value(since).and_then(timestamp),
        ended: end(number("ExecMainCode"), number("ExecMainStatus")),
        status: value("StatusText").map(str::to_owned),
        enabled: value("UnitFileState").is_some_and(|state| state.starts_with("enabled")),
    }))
}

/// `Sat 2026-11-21 11:32:57.317337 UTC`, the same in every language.
fn timestamp(text: &str) -> Option<Timestamp> {
    let [_, date, time, "UTC"] = text.split(' ').collect::<Vec<_>>()[..] else {
        return None;
    };
    format!("{date}T{time}Z").parse().ok()
}

/// The code is that of `waitid`: 1 exited, 2 killed, 3 killed with a core dump.
fn end(code: Option<i64>, status: Option<i64>) -> Option<End> {
    let status = i32::try_from(status?).ok()?;
    match code? {
        1 => Some(End::Exit(status)),
        2 | 3 => Some(End::Signal(status)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Answer> {
        parse(Manager::System, "x.service", text)
    }

    fn known(text: &str) -> Unit {
        match read(text) {
            Some(Answer::Known(unit)) => unit,
            other => panic!("{other:?}"),
        }
    }

    // As systemd 252 answered.
    const RUNNING: &str = "\
MainPID=135
StatusText=3 sessions, 12 events written, 0 bytes behind
Result=success
NRestarts=0
ExecMainCode=0
ExecMainStatus=0
LoadState=loaded
ActiveState=active
SubState=running
UnitFileState=enabled
StateChangeTimestamp=Sat 2026-11-21 11:32:57.318001 UTC
ActiveEnterTimestamp=Sat 2026-11-21 11:32:57.317982 UTC
";

    #[test]
    fn a_unit_is_read_running_and_after_it_failed() {
        let running = Unit {
            manager: Manager::System,
            name: "x.service".into(),
            load_state: "loaded".into(),
            active_state: "active".into(),
            sub_state: "running".into(),
            result: Some("success".into()),
            restarts: Some(0),
            main_pid: Some(135),
            since: "2026-11-21T11:32:57.317982Z".parse().ok(),
            ended: None,
            status: Some("3 sessions, 12 events written, 0 bytes behind".into()),
            enabled: true,
        };
        assert_eq!(known(RUNNING), running);
        let failed = RUNNING
            .replace("MainPID=135", "MainPID=0")
            .replace("ActiveState=active", "ActiveState=failed")
            .replace("Code=0\nExecMainStatus=0", "Code=2\nExecMainStatus=9")
            .replace("FileState=enabled", "FileState=static");
        let failed = known(&failed);
        assert_eq!((failed.main_pid, failed.enabled), (None, false));
        assert_eq!(failed.ended, Some(End::Signal(9)));
        let since = failed.since.unwrap().to_string();
        assert_eq!(since, "2026-11-21T11:32:57.318001Z");
        let again = RUNNING.replace("SubState=running", "SubState=auto-restart");
        assert!(known(&again).is_restarting() && !known(RUNNING).is_restarting());
    }

    #[test]
    fn a_unit_without_a_file_is_absent_unless_it_still_runs() {
        let text = RUNNING.replace("LoadState=loaded", "LoadState=not-found");
        assert_eq!(known(&text).main_pid, Some(135));
        let text = text.replace("ActiveState=active", "ActiveState=inactive");
        assert_eq!(read(&text), Some(Answer::Absent));
    }

    #[test]
    fn what_is_not_understood_is_left_out() {
        for text in [
            "",
            "garbage",
            "=\n==\n",
            "ActiveState=active\n",
            "LoadState=",
        ] {
            assert_eq!(read(text), None, "{text:?}");
        }
        let odd = "LoadState=loaded\nMainPID=many\nNRestarts=\nActiveEnterTimestamp=n/a\n\
            ActiveState=active\nExecMainCode=9\nExecMainStatus=1";
        let plain = "LoadState=loaded\nActiveState=active";
        assert_eq!(known(odd), known(plain));
        assert_eq!(known(odd).sub_state, "unknown");
        for text in [
            "",
            "Sat",
            "Sat 2026-11-21 11:32:57",
            "Sa 21.11.2026 11:32 CET x",
        ] {
            assert_eq!(timestamp(text), None, "{text:?}");
        }
    }
}
