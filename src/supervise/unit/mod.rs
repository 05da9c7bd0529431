//! The state of our units in a service manager.
//!
//! In: `systemctl show` and `launchctl print`, asked on demand.
//! Out: a [`Unit`], or that there is none, or why it is not known.
//!
//! Promises
//! - an answer comes within [`command::LIMIT`], whatever the manager does; it is
//!   never an error that ends anything
//! - what is not understood is left out, not guessed
//!
//! Not here: how often to ask (`web`), what to make of it (`web`, `doctor`).

mod command;
mod launchd;
mod systemd;

use jiff::Timestamp;

/// The watcher's unit under systemd.
pub const WATCHER: &str = "headspace-watcher.service";
/// The watcher's label under launchd.
pub const WATCHER_LABEL: &str = "com.headspace.watcher";

/// The service managers that may run our units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Manager {
    /// systemd as PID 1.
    #[default]
    System,
    /// The systemd of this user.
    User,
    /// launchd, among this user's agents.
    Agents,
    /// launchd, among the daemons of the system.
    Daemons,
}

/// What a manager answers.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    Known(Unit),
    /// The manager answers, and does not know such a unit.
    Absent,
    /// There is no manager to ask, or it gives no answer of use; and why.
    Unreadable(String),
}

/// A unit as its manager sees it; launchd's words are brought to systemd's.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Unit {
    pub manager: Manager,
    pub name: String,
    /// `loaded`, or why it is not.
    pub load_state: String,
    /// `active`, `activating`, `deactivating`, `reloading`, `inactive`, `failed`
    /// or `unknown`.
    pub active_state: String,
    /// The manager's own word.
    pub sub_state: String,
    /// How the last run went: `success`, `exit-code`, `signal`, `watchdog`, …
    pub result: Option<String>,
    /// As the manager counts; systemd counts the restart that it refused, too.
    pub restarts: Option<i64>,
    pub main_pid: Option<i64>,
    /// Since when it is in this state.
    pub since: Option<Timestamp>,
    /// How its main process ended the last time.
    pub ended: Option<End>,
    /// What the process said of itself.
    pub status: Option<String>,
    /// Whether it comes up by itself.
    pub enabled: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Exit(i32),
    Signal(i32),
}

/// Asks one manager about one unit; `name` is a unit's name or a label.
pub async fn query(manager: Manager, name: &str) -> Answer {
    let answer = match manager.is_systemd() {
        true => systemd::query(manager, name).await,
        false => launchd::query(manager, name).await,
    };
    answer.unwrap_or_else(Answer::Unreadable)
}

/// What is known of the watcher's unit: from the manager that runs the process
/// `holder`, if one does, else the best answer. A package installs the unit for
/// both managers, so one of them usually has nothing to say but “inactive”.
pub async fn ask_for_watcher(holder: Option<i64>) -> Answer {
    let [first, second] = managers().map(|manager| query(manager, manager.watcher()));
    let (first, second) = tokio::join!(first, second);
    better(first, second, holder)
}

/// The managers of this machine, the one this process belongs to first.
pub fn managers() -> [Manager; 2] {
    if cfg!(target_os = "macos") {
        return [Manager::Agents, Manager::Daemons];
    }
    let cgroup = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let is_users = std::env::var_os("MANAGERPID").is_some() || cgroup.contains("/user.slice/");
    match is_users {
        true => [Manager::User, Manager::System],
        false => [Manager::System, Manager::User],
    }
}

impl Manager {
    pub fn is_systemd(self) -> bool {
        matches!(self, Manager::System | Manager::User)
    }

    fn watcher(self) -> &'static str {
        match self.is_systemd() {
            true => WATCHER,
            false => WATCHER_LABEL,
        }
    }

    /// How `/health` names it.
    pub fn supervisor(self) -> &'static str {
        match self.is_systemd() {
            true => "systemd",
            false => "launchd",
        }
    }
}

impl Unit {
    /// Whether its state is this.
    pub fn is(&self, active_state: &str) -> bool {
        self.active_state == active_state
    }

    /// It ended, and its manager will start it again in a moment.
    pub fn is_restarting(&self) -> bool {
        self.sub_state.starts_with("auto-restart") || self.sub_state == "spawn scheduled"
    }

    /// The command that starts it, whatever happened before.
    pub fn how_to_start(&self) -> String {
        let name = self.name.trim_end_matches(".service");
        let systemctl = match self.manager {
            Manager::System => "systemctl",
            Manager::User => "systemctl --user",
            _ => {
                return format!(
                    "`launchctl kickstart {}`",
                    launchd::target(self.manager, name)
                );
            }
        };
        // One that failed too often is not started before that is reset.
        match self.is("failed") {
            true => format!("`{systemctl} reset-failed {name} && {systemctl} start {name}`"),
            false => format!("`{systemctl} start {name}`"),
        }
    }

    /// Where the lines are that it wrote.
    pub fn where_it_logs(&self) -> String {
        let name = self.name.trim_end_matches(".service");
        match self.manager {
            Manager::System => format!("`journalctl -u {name}`"),
            Manager::User => format!("`journalctl --user -u {name}`"),
            _ => "its log file".into(),
        }
    }

    /// It failed, and was restarted until its manager gave up.
    pub fn has_given_up(&self) -> bool {
        let final_code = matches!(self.ended, Some(End::Exit(75 | 78)));
        self.is("failed") && self.restarts > Some(0) && !final_code
    }

    /// How the last run ended, in words; nothing if that is not known.
    pub fn how_it_ended(&self) -> Option<String> {
        let result = self.result.as_deref();
        Some(match (result, self.ended?) {
            (Some("watchdog"), _) => "a hang (watchdog)".into(),
            (Some("timeout"), _) => "a timeout".into(),
            (Some("oom-kill"), _) => "too little memory (oom-kill)".into(),
            (_, End::Exit(0)) => "an end of its own (exit code 0)".into(),
            (_, End::Exit(75)) => "crash limit reached (exit code 75)".into(),
            (_, End::Exit(78)) => "bad configuration (exit code 78)".into(),
            (_, End::Exit(code)) => format!("exit code {code}"),
            (_, End::Signal(signal)) => format!("signal {signal}"),
        })
    }
}

/// The one that says more; among equals the first.
fn better(first: Answer, second: Answer, holder: Option<i64>) -> Answer {
    let worth = |answer: &Answer| match answer {
        Answer::Known(unit) if holder.is_some() && unit.main_pid == holder => 5,
        Answer::Known(unit) if !unit.is("inactive") => 4,
        Answer::Known(unit) if unit.enabled => 3,
        Answer::Known(_) => 2,
        Answer::Absent => 1,
        Answer::Unreadable(_) => 0,
    };
    match worth(&second) > worth(&first) {
        true => second,
        false => first,
    }
}

/// The first value of this name; an empty one counts as missing.
fn value<'t>(mut pairs: impl Iterator<Item = (&'t str, &'t str)>, wanted: &str) -> Option<&'t str> {
    let found = pairs.find(|(name, _)| *name == wanted);
    found
        .map(|(_, value)| value)
        .filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_answer_is_taken_and_among_equals_the_first() {
        let known = |active_state: &str, enabled, main_pid| {
            Answer::Known(Unit {
                active_state: active_state.into(),
                enabled,
                main_pid,
                ..Unit::default()
            })
        };
        let rising = [
            Answer::Unreadable("no bus".into()),
            Answer::Absent,
            known("inactive", false, None),
            known("inactive", true, None),
            known("failed", false, None),
            known("active", true, Some(7)),
        ];
        for [less, more] in rising.array_windows() {
            let best =
                |first: &Answer, second: &Answer| better(first.clone(), second.clone(), Some(7));
            assert_eq!(
                (best(less, more), best(more, less)),
                (more.clone(), more.clone())
            );
        }
        // With no watcher to find, one that failed is as good as one that runs.
        let [.., failed, runs] = rising;
        assert_eq!(better(failed.clone(), runs, None), failed);
    }

    #[test]
    fn what_happened_and_what_to_do_are_said_in_words() {
        for (result, ended, words) in [
            ("signal", End::Signal(9), "signal 9"),
            ("watchdog", End::Signal(6), "a hang (watchdog)"),
            ("timeout", End::Signal(9), "a timeout"),
            ("oom-kill", End::Signal(9), "too little memory (oom-kill)"),
            ("success", End::Exit(0), "an end of its own (exit code 0)"),
            ("exit-code", End::Exit(1), "exit code 1"),
            (
                "exit-code",
                End::Exit(75),
                "crash limit reached (exit code 75)",
            ),
            (
                "exit-code",
                End::Exit(78),
                "bad configuration (exit code 78)",
            ),
        ] {
            let unit = Unit {
                result: Some(result.into()),
                ended: Some(ended),
                ..Unit::default()
            };
            assert_eq!(unit.how_it_ended().as_deref(), Some(words));
        }
        let target = launchd::target(Manager::Agents, WATCHER_LABEL);
        let kickstart = format!("`launchctl kickstart {target}`");
        for (manager, active_state, start, log) in [
            (
                Manager::System,
                "failed",
                "`systemctl reset-failed headspace-watcher && systemctl start headspace-watcher`",
                "`journalctl -u headspace-watcher`",
            ),
            (
                Manager::User,
                "inactive",
                "`systemctl --user start headspace-watcher`",
                "`journalctl --user -u headspace-watcher`",
            ),
            (Manager::Agents, "failed", &kickstart, "its log file"),
        ] {
            let unit = Unit {
                manager,
                name: manager.watcher().into(),
                active_state: active_state.into(),
                ..Unit::default()
            };
            assert_eq!(
                (&*unit.how_to_start(), &*unit.where_it_logs()),
                (start, log)
            );
        }
    }
}
