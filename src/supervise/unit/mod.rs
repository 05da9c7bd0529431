//! The state of our units in a service manager.
//!
//! In: `systemctl show` and `launchctl print`, asked on demand.
//! Out: a [`Unit`], or that there is none, or why it is not known.
//!
//! Promises
//! - an answer comes within [`command::LIMIT`] for each manager asked, whatever
//!   the manager does; it is never an error that ends anything
//! - a manager that is surely not there costs no process
//! - what is not understood is left out, not guessed
//!
//! Not here: how often to ask (`web`), what to make of it (`web`, `doctor`).

pub mod command;
mod launchd;
mod systemd;

use jiff::Timestamp;

/// The watcher's unit under systemd.
pub const WATCHER: &str = "headspace-watcher.service";
/// The watcher's label under launchd.
pub const WATCHER_LABEL: &str = "com.headspace.watcher";

/// The service managers that may run our units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manager {
    /// systemd as PID 1.
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
#[derive(Debug, Clone, PartialEq)]
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
    match manager {
        Manager::System | Manager::User => systemd::query(manager, name).await,
        Manager::Agents | Manager::Daemons => launchd::query(manager, name).await,
    }
}

/// What is known of the watcher's unit: from the manager that runs the process
/// `holder`, if one does, else from the one that knows most.
pub async fn ask_for_watcher(holder: Option<i64>) -> Answer {
    let mut answers = Vec::new();
    for manager in managers() {
        let answer = query(manager, manager.watcher()).await;
        if settles(&answer, holder) {
            return answer;
        }
        answers.push(answer);
    }
    choose(answers)
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
    /// The watcher's name with this manager.
    pub fn watcher(self) -> &'static str {
        match self {
            Manager::System | Manager::User => WATCHER,
            Manager::Agents | Manager::Daemons => WATCHER_LABEL,
        }
    }

    /// How `/health` names it.
    pub fn supervisor(self) -> &'static str {
        match self {
            Manager::System | Manager::User => "systemd",
            Manager::Agents | Manager::Daemons => "launchd",
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
        match self.manager {
            Manager::System => systemd::how_to_start("systemctl", self),
            Manager::User => systemd::how_to_start("systemctl --user", self),
            Manager::Agents | Manager::Daemons => launchd::how_to_start(self),
        }
    }

    /// Where the lines are that it wrote.
    pub fn where_it_logs(&self) -> String {
        match self.manager {
            Manager::System => systemd::where_it_logs("journalctl", self),
            Manager::User => systemd::where_it_logs("journalctl --user", self),
            Manager::Agents | Manager::Daemons => "its log file".into(),
        }
    }

    /// It failed, and was restarted until its manager had enough of it.
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

/// Whether no other manager could know better. With nothing running, that is a
/// unit that is not merely inactive.
fn settles(answer: &Answer, holder: Option<i64>) -> bool {
    match answer {
        Answer::Known(unit) if holder.is_some() => unit.main_pid == holder,
        Answer::Known(unit) => !unit.is("inactive"),
        Answer::Absent | Answer::Unreadable(_) => false,
    }
}

/// The first of those that know most. A package installs the unit for
/// both managers, so one of them usually has nothing to say but “inactive”.
fn choose(answers: Vec<Answer>) -> Answer {
    answers
        .into_iter()
        .rev()
        .max_by_key(worth)
        .unwrap_or(Answer::Absent)
}

fn worth(answer: &Answer) -> u8 {
    match answer {
        Answer::Known(unit) if !unit.is("inactive") => 4,
        Answer::Known(unit) if unit.enabled => 3,
        Answer::Known(_) => 2,
        Answer::Absent => 1,
        Answer::Unreadable(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(manager: Manager, active_state: &str, enabled: bool) -> Answer {
        Answer::Known(Unit {
            manager,
            name: WATCHER.into(),
            load_state: "loaded".into(),
            active_state: active_state.into(),
            sub_state: "dead".into(),
            result: None,
            restarts: None,
            main_pid: None,
            since: None,
            ended: None,
            status: None,
            enabled,
        })
    }

    #[test]
    fn the_next_manager_is_asked_unless_it_could_not_know_better() {
        let runs = |pid| match known(Manager::User, "active", true) {
            Answer::Known(unit) => Answer::Known(Unit {
                main_pid: pid,
                ..unit
            }),
            other => other,
        };
        assert!(settles(&runs(Some(7)), Some(7)));
        assert!(!settles(&runs(Some(5)), Some(7)));
        assert!(!settles(&runs(None), Some(7)));
        assert!(settles(&known(Manager::User, "failed", false), None));
        assert!(!settles(&known(Manager::User, "inactive", true), None));
        assert!(!settles(&Answer::Absent, None));
    }

    #[test]
    fn the_answer_that_says_most_is_taken_and_among_equals_the_first() {
        use Manager::{System, User};
        let silent = || Answer::Unreadable("no bus".into());
        for (first, second, wanted) in [
            (
                known(User, "inactive", false),
                known(System, "failed", true),
                1,
            ),
            (
                known(User, "inactive", false),
                known(System, "inactive", true),
                1,
            ),
            (
                known(User, "inactive", false),
                known(System, "inactive", false),
                0,
            ),
            (
                known(User, "failed", false),
                known(System, "active", true),
                0,
            ),
            (silent(), known(System, "inactive", false), 1),
            (silent(), Answer::Absent, 1),
            (Answer::Absent, Answer::Absent, 0),
        ] {
            let answers = vec![first, second];
            assert_eq!(choose(answers.clone()), answers[wanted], "{answers:?}");
        }
    }
}
