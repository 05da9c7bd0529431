//! systemd, as `systemctl show` puts it.

use std::{env, path::Path, path::PathBuf};

use jiff::Timestamp;
use tokio::process::Command;

use super::{
    Answer, End, Manager, Unit,
    command::{self, Output},
};

/// What we want to know of a unit.
const PROPERTIES: &str = "LoadState,ActiveState,SubState,Result,NRestarts,MainPID,\
    ActiveEnterTimestamp,StateChangeTimestamp,ExecMainCode,ExecMainStatus,StatusText,UnitFileState";

pub async fn query(manager: Manager, name: &str) -> Answer {
    match show(manager, name, PROPERTIES).await {
        Ok(output) => parse(manager, name, &output.out)
            .unwrap_or_else(|| Answer::Unreadable(output.complaint("systemctl"))),
        Err(why) => Answer::Unreadable(why),
    }
}

async fn show(manager: Manager, name: &str, properties: &str) -> Result<Output, String> {
    let systemctl = command::find("systemctl").ok_or("there is no systemctl")?;
    let mut command = Command::new(systemctl);
    if manager == Manager::User {
        let folder = runtime_folder().ok_or("this user has no service manager here")?;
        command.arg("--user").env("XDG_RUNTIME_DIR", folder);
    }
    command.args(["show", "--timestamp=us+utc", "-p", properties, "--", name]);
    command::run(command).await
}

/// A property that is set.
fn value<'t>(text: &'t str, wanted: &str) -> Option<&'t str> {
    text.lines()
        .filter_map(|line| line.split_once('='))
        .find(|(property, _)| *property == wanted)
        .map(|(_, value)| value)
        .filter(|value| !value.is_empty())
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
    let value = |wanted: &str| value(text, wanted);
    let number = |wanted: &str| value(wanted).and_then(|text| text.parse::<i64>().ok());
    let load_state = value("LoadState")?;
    let active_state = value("ActiveState").unwrap_or("unknown");
    // A unit whose file was removed lives on until it is stopped.
    if load_state == "not-found" && active_state == "inactive" {
        return Some(Answer::Absent);
    }
    let since = match active_state {
        "active" => value("ActiveEnterTimestamp"),
        _ => value("StateChangeTimestamp"),
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
        since: since.and_then(timestamp),
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

/// A unit that failed too often is not started before it is forgiven.
pub fn how_to_start(systemctl: &str, unit: &Unit) -> String {
    let name = unit.name.trim_end_matches(".service");
    let start = format!("{systemctl} start {name}");
    if unit.is("failed") {
        format!("`{systemctl} reset-failed {name} && {start}`")
    } else {
        format!("`{start}`")
    }
}

pub fn where_it_logs(journalctl: &str, unit: &Unit) -> String {
    format!(
        "`{journalctl} -u {}`",
        unit.name.trim_end_matches(".service")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(text: &str) -> Unit {
        match parse(Manager::System, "headspace-watcher.service", text) {
            Some(Answer::Known(unit)) => unit,
            other => panic!("{other:?}"),
        }
    }

    // As systemd 252 answered, here and below.
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

    const GAVE_UP: &str = "\
MainPID=0
StatusText=
Result=signal
NRestarts=3
ExecMainCode=2
ExecMainStatus=9
LoadState=loaded
ActiveState=failed
SubState=failed
UnitFileState=static
StateChangeTimestamp=Sat 2026-11-21 11:32:59.055554 UTC
ActiveEnterTimestamp=Sat 2026-11-21 11:32:58.315131 UTC
";

    const ABSENT: &str = "\
MainPID=0
Result=success
NRestarts=0
LoadState=not-found
ActiveState=inactive
SubState=dead
UnitFileState=
StateChangeTimestamp=
";

    #[test]
    fn a_running_unit_is_read() {
        let unit = known(RUNNING);
        assert_eq!(unit.main_pid, Some(135));
        assert_eq!(
            (&*unit.active_state, &*unit.sub_state),
            ("active", "running")
        );
        assert_eq!(unit.restarts, Some(0));
        assert_eq!(unit.result.as_deref(), Some("success"));
        let since = unit.since.unwrap().to_string();
        assert_eq!(since, "2026-11-21T11:32:57.317982Z");
        let status = "3 sessions, 12 events written, 0 bytes behind";
        assert_eq!(unit.status.as_deref(), Some(status));
        assert!(unit.enabled && !unit.is_restarting());
        assert_eq!(unit.how_it_ended(), None);
    }

    #[test]
    fn a_unit_that_gave_up_says_how_it_ended_and_how_to_start_it() {
        let mut unit = known(GAVE_UP);
        assert_eq!((unit.main_pid, unit.restarts), (None, Some(3)));
        assert_eq!(unit.ended, Some(End::Signal(9)));
        let since = unit.since.unwrap().to_string();
        assert_eq!(since, "2026-11-21T11:32:59.055554Z");
        let mut says = |result: &str, ended, words: &str| {
            unit.result = Some(result.into());
            unit.ended = Some(ended);
            assert_eq!(unit.how_it_ended().as_deref(), Some(words));
        };
        says("signal", End::Signal(9), "signal 9");
        says("watchdog", End::Signal(6), "a hang (watchdog)");
        says("exit-code", End::Exit(1), "exit code 1");
        says(
            "exit-code",
            End::Exit(75),
            "crash limit reached (exit code 75)",
        );
        says(
            "exit-code",
            End::Exit(78),
            "bad configuration (exit code 78)",
        );
        assert_eq!(
            unit.how_to_start(),
            "`systemctl reset-failed headspace-watcher && systemctl start headspace-watcher`"
        );
        assert_eq!(unit.where_it_logs(), "`journalctl -u headspace-watcher`");
        unit.manager = Manager::User;
        unit.active_state = "inactive".into();
        assert_eq!(
            unit.how_to_start(),
            "`systemctl --user start headspace-watcher`"
        );
    }

    #[test]
    fn between_two_tries_it_is_restarting() {
        let text = GAVE_UP.replace("ActiveState=failed", "ActiveState=activating");
        assert!(known(&text.replace("SubState=failed", "SubState=auto-restart")).is_restarting());
        assert!(!known(&text.replace("SubState=failed", "SubState=start")).is_restarting());
    }

    #[test]
    fn a_unit_without_a_file_is_absent_unless_it_still_runs() {
        let parse = |text: &str| parse(Manager::System, "x.service", text);
        assert_eq!(parse(ABSENT), Some(Answer::Absent));
        let text = RUNNING.replace("LoadState=loaded", "LoadState=not-found");
        assert_eq!(known(&text).main_pid, Some(135));
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
            assert_eq!(parse(Manager::System, "x.service", text), None, "{text:?}");
        }
        let unit = known(
            "LoadState=loaded\nMainPID=many\nNRestarts=\nActiveEnterTimestamp=n/a\nActiveState=active\nExecMainCode=9\nExecMainStatus=1",
        );
        assert_eq!((unit.main_pid, unit.restarts), (None, None));
        assert_eq!((unit.since, unit.ended), (None, None));
        assert_eq!(unit.sub_state, "unknown");
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
