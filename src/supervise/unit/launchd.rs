//! launchd, as `launchctl print` puts it.
//!
//! Its manual says that this output is for people and may change. So every line
//! is optional, and a word that is not known here becomes `unknown`. It was
//! written from the output other people published, and never run on a Mac.

use tokio::process::Command;

use super::{Answer, End, Manager, Unit, command};

/// What `launchctl` exits with when there is no such service.
const NO_SUCH_SERVICE: i32 = 113;

pub async fn query(manager: Manager, label: &str) -> Answer {
    let Some(launchctl) = command::find("launchctl") else {
        return Answer::Unreadable("there is no launchctl".into());
    };
    let mut command = Command::new(launchctl);
    command.args(["print", &target(manager, label)]);
    match command::run(command).await {
        Ok(output) if output.code == Some(0) => parse(manager, label, &output.out)
            .unwrap_or_else(|| Answer::Unreadable(output.complaint("launchctl"))),
        Ok(output) if output.code == Some(NO_SUCH_SERVICE) => Answer::Absent,
        Ok(output) => Answer::Unreadable(output.complaint("launchctl")),
        Err(why) => Answer::Unreadable(why),
    }
}

pub fn how_to_start(unit: &Unit) -> String {
    format!("`launchctl kickstart {}`", target(unit.manager, &unit.name))
}

fn target(manager: Manager, label: &str) -> String {
    match manager {
        Manager::Daemons => format!("system/{label}"),
        _ => format!("gui/{}/{label}", rustix::process::getuid().as_raw()),
    }
}

/// Nothing if this is not the description of a service.
fn parse(manager: Manager, label: &str, text: &str) -> Option<Answer> {
    let value = |wanted: &str| {
        text.lines()
            .filter_map(own_line)
            .find(|(name, _)| *name == wanted)
            .map(|(_, value)| value)
    };
    let state = value("state")?;
    let main_pid = value("pid").and_then(|pid| pid.parse().ok());
    let ended = end(value("last exit code"), value("last terminating signal"));
    Some(Answer::Known(Unit {
        manager,
        name: label.to_owned(),
        load_state: "loaded".into(),
        active_state: active_state(state, main_pid, ended).into(),
        sub_state: state.to_owned(),
        result: ended.map(|ended| result(ended).into()),
        restarts: value("runs")
            .and_then(|runs| runs.parse().ok())
            .map(|runs: i64| (runs - 1).max(0)),
        main_pid,
        since: None,
        ended,
        status: None,
        enabled: true,
    }))
}

/// The service's own lines are one level deep; those of the groups inside it,
/// which have a `state` as well, are deeper.
fn own_line(line: &str) -> Option<(&str, &str)> {
    let inner = line.strip_prefix('\t').or(line.strip_prefix("    "))?;
    let is_own = !inner.starts_with(char::is_whitespace);
    is_own.then(|| inner.split_once(" = ")).flatten()
}

/// In systemd's words.
fn active_state(state: &str, main_pid: Option<i64>, ended: Option<End>) -> &'static str {
    match state {
        "running" => "active",
        _ if main_pid.is_some() => "active",
        "spawn scheduled" | "spawning" | "xpcproxy" | "waiting" => "activating",
        "not running" if matches!(ended, None | Some(End::Exit(0))) => "inactive",
        "not running" => "failed",
        _ => "unknown",
    }
}

fn result(ended: End) -> &'static str {
    match ended {
        End::Exit(0) => "success",
        End::Exit(_) => "exit-code",
        End::Signal(_) => "signal",
    }
}

/// `78: EX_CONFIG`, `0` or `(never exited)`; `Killed: 9`, which comes instead.
fn end(code: Option<&str>, signal: Option<&str>) -> Option<End> {
    let signal = signal.and_then(|text| text.rsplit(' ').next()?.parse().ok());
    let code = code.and_then(|text| text.split(':').next()?.parse().ok());
    signal.map(End::Signal).or(code.map(End::Exit))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(text: &str) -> Unit {
        match parse(Manager::Agents, "com.headspace.watcher", text) {
            Some(Answer::Known(unit)) => unit,
            other => panic!("{other:?}"),
        }
    }

    const RUNNING: &str = "\
gui/501/com.headspace.watcher = {
\tactive count = 1
\tpath = /Users/you/Library/LaunchAgents/com.headspace.watcher.plist
\ttype = LaunchAgent
\tstate = running

\tprogram = /opt/homebrew/bin/headspace
\targuments = {
\t\t/opt/homebrew/bin/headspace
\t\twatch
\t}

\tdefault environment = {
\t\tPATH => /usr/bin:/bin:/usr/sbin:/sbin
\t}

\tdomain = gui/501 [100009]
\tminimum runtime = 5
\texit timeout = 5
\truns = 3
\tpid = 4271
\timmediate reason = speculative
\tlast exit code = (never exited)

\tresource coalition = {
\t\tID = 1114
\t\ttype = resource
\t\tstate = active
\t\tactive count = 1
\t}

\tproperties = keepalive | runatload | inferred program
}
";

    #[test]
    fn a_running_service_is_read() {
        let unit = known(RUNNING);
        assert_eq!(
            (&*unit.active_state, &*unit.sub_state),
            ("active", "running")
        );
        assert_eq!((unit.main_pid, unit.restarts), (Some(4271), Some(2)));
        assert_eq!((unit.ended, unit.result), (None, None));
    }

    #[test]
    fn every_state_has_its_word() {
        let at = |state: &str, end: &str| {
            let text = RUNNING
                .replace("state = running", &format!("state = {state}"))
                .replace("\tpid = 4271\n", "")
                .replace("last exit code = (never exited)", end);
            known(&text)
        };
        for (state, end, active_state, ended) in [
            (
                "not running",
                "last exit code = (never exited)",
                "inactive",
                None,
            ),
            (
                "not running",
                "last exit code = 0",
                "inactive",
                Some(End::Exit(0)),
            ),
            (
                "not running",
                "last exit code = 78: EX_CONFIG",
                "failed",
                Some(End::Exit(78)),
            ),
            (
                "not running",
                "last terminating signal = Killed: 9",
                "failed",
                Some(End::Signal(9)),
            ),
            (
                "spawn scheduled",
                "last exit code = 1",
                "activating",
                Some(End::Exit(1)),
            ),
            (
                "xpcproxy",
                "last terminating signal = Segmentation fault: 11",
                "activating",
                Some(End::Signal(11)),
            ),
            (
                "pondering",
                "last exit reason = OS_REASON_CODESIGNING",
                "unknown",
                None,
            ),
        ] {
            let unit = at(state, end);
            assert_eq!(
                (&*unit.active_state, unit.ended),
                (active_state, ended),
                "{state}, {end}"
            );
            assert_eq!(unit.sub_state, state);
            assert_eq!(unit.is_restarting(), state == "spawn scheduled");
        }
        let uid = rustix::process::getuid().as_raw();
        assert_eq!(
            at("not running", "last exit code = 1").how_to_start(),
            format!("`launchctl kickstart gui/{uid}/com.headspace.watcher`")
        );
    }

    #[test]
    fn what_is_not_understood_is_left_out() {
        for text in [
            "",
            "garbage",
            "\t\tstate = active\n",
            "state = running\n",
            "{\n}\n",
        ] {
            assert_eq!(parse(Manager::Agents, "x", text), None, "{text:?}");
        }
        let unit =
            known("    state = running\n    pid = many\n    runs = \n    last exit code = \n");
        assert_eq!(
            (unit.main_pid, unit.restarts, unit.ended),
            (None, None, None)
        );
    }
}
