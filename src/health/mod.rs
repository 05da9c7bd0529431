//! Whether a watcher runs, what supervises it, and if none runs, why.
//!
//! In: the lock, the supervisor and the unit of this machine ([`Local`]), the
//! watchers' rows ([`Beat`]), the time.
//! Out: [`Watcher`] and the reasons why it is not as it should be.
//!
//! Each of the three has a blind spot. The lock shows at once whether our own
//! watcher's process lives, not whether it works. Its row shows that it works,
//! late, and only while the database answers; of watchers on other machines
//! there is nothing else. The unit shows why nothing runs and whether that will
//! change, but may not be readable.
//!
//! Promises
//! - the judgement is a pure function: nothing is read here
//! - every combination of the three has one verdict and at most one reason
//!
//! Not here: asking for the unit (`supervise`), the rows (`store::read`), the
//! verdict over the whole web process (`web`).

mod evidence;
#[cfg(test)]
mod tests;

pub use evidence::{Beat, Local, beat};

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::supervise::{
    Holder,
    unit::{End, Unit},
};

/// A watcher that has not written its row for this long is not taken for alive.
const FRESH_SECONDS: f64 = 30.0;

#[derive(Debug, Serialize, JsonSchema)]
pub struct Watcher {
    pub running: bool,
    supervisor: &'static str,
    unit: Option<String>,
    active_state: Option<String>,
    sub_state: Option<String>,
    since: Option<String>,
    restarts: Option<i64>,
    result: Option<String>,
    main_pid: Option<i64>,
    pub beat_age_seconds: Option<f64>,
}

/// One line, for `headspace status`.
impl fmt::Display for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.running {
            "running"
        } else {
            "not running"
        })?;
        f.write_str(&numbered(self.main_pid))?;
        match &self.unit {
            Some(unit) => write!(f, ", {unit} ({}): ", self.supervisor)?,
            None if self.supervisor == "none" => {}
            None => write!(f, ", {} supervisor", self.supervisor)?,
        }
        if let (Some(active), Some(sub)) = (&self.active_state, &self.sub_state) {
            write!(f, "{active}, {sub}")?;
        }
        if let Some(restarts) = self.restarts {
            write!(f, ", {restarts} restarts")?;
        }
        if let Some(since) = &self.since {
            write!(f, ", since {since}")?;
        }
        match self.beat_age_seconds {
            Some(age) => write!(f, ", reported {age:.0} s ago"),
            None => Ok(()),
        }
    }
}

/// How the watcher of this state folder is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Own {
    Works,
    /// Its process lives and does not report.
    Silent,
    Gone,
}

/// `beats` is nothing when the database does not answer.
pub fn judge(
    local: &Local,
    beats: Option<&[Beat]>,
    now: Timestamp,
    reasons: &mut Vec<String>,
) -> Watcher {
    let rows = beats.unwrap_or_default();
    let row = rows.iter().find(|beat| local.owns(beat));
    let own = own(local, row, beats.is_some(), now);
    let others: Vec<&Beat> = rows
        .iter()
        .filter(|beat| !local.owns(beat) && is_fresh(beat))
        .collect();
    reasons.extend(why_not(own, local, row, !others.is_empty()));
    let own_row = row.filter(|_| own == Own::Works);
    let alive = own_row.into_iter().chain(others.iter().copied());
    reasons.extend(alive.filter(|beat| beat.state == "degraded").map(degraded));
    let running = own == Own::Works || !others.is_empty();
    describe(local, row.or(others.first().copied()), running)
}

fn own(local: &Local, row: Option<&Beat>, is_readable: bool, now: Timestamp) -> Own {
    let (pid, age_seconds) = match local.holder {
        Holder::Process { pid, age_seconds } => (pid, age_seconds),
        Holder::Free => return Own::Gone,
        Holder::Unknown if row.is_some_and(is_fresh) => return Own::Works,
        Holder::Unknown => match supervised(local, now) {
            Some(process) => process,
            None => return Own::Gone,
        },
    };
    match !is_readable || works(pid, age_seconds, row) {
        true => Own::Works,
        false => Own::Silent,
    }
}

/// Whether the process `pid`, alive for `age_seconds`, does its work: it reports,
/// or it is too young to have reported.
pub fn works(pid: i64, age_seconds: f64, row: Option<&Beat>) -> bool {
    let reports = row.is_some_and(|row| row.pid == pid && is_fresh(row));
    reports || age_seconds < FRESH_SECONDS
}

/// The process that must have the lock, if that cannot be read, and its age.
fn supervised(local: &Local, now: Timestamp) -> Option<(i64, f64)> {
    let unit = local.unit.as_ref().filter(|unit| unit.is("active"));
    let (pid, since) = match (unit, local.shell) {
        (Some(unit), _) => (unit.main_pid?, unit.since),
        (None, shell) => shell.map(|shell| (shell.watcher, shell.since))?,
    };
    let age = since.map_or(0.0, |since| now.duration_since(since).as_secs_f64());
    Some((pid, age))
}

pub fn is_fresh(beat: &Beat) -> bool {
    beat.age_seconds < FRESH_SECONDS && beat.state != "stopped"
}

/// What is wrong with our own watcher. That none runs here is no fault where one
/// runs elsewhere; that its supervisor cannot keep it running always is one.
fn why_not(own: Own, local: &Local, row: Option<&Beat>, elsewhere: bool) -> Option<String> {
    let unit = local.unit.as_ref();
    let in_trouble = unit.is_some_and(is_in_trouble);
    let pid = numbered(local.holder.pid());
    match own {
        Own::Works if in_trouble && !owns_holder(local) => Some(format!(
            "the watcher{pid} runs outside its unit: {}",
            state_of(unit?, local)
        )),
        Own::Works => None,
        Own::Silent => Some(silent(local, row)),
        Own::Gone if !elsewhere => Some(match cause(local) {
            Some(cause) => format!("no watcher is running: {cause}"),
            None if local.holder == Holder::Unknown => {
                "there is no sign of a watcher, and its lock cannot be read".into()
            }
            None => "no watcher is running".into(),
        }),
        Own::Gone if in_trouble || local.shell.is_some() => {
            Some(format!("no watcher is running here: {}", cause(local)?))
        }
        Own::Gone => None,
    }
}

fn cause(local: &Local) -> Option<String> {
    match (&local.unit, local.shell) {
        (Some(unit), _) => Some(state_of(unit, local)),
        (None, shell) => shell.map(|shell| {
            let pid = shell.pid;
            format!("its shell supervisor (pid {pid}) starts it again")
        }),
    }
}

fn is_in_trouble(unit: &Unit) -> bool {
    let is_broken = matches!(&*unit.load_state, "bad-setting" | "error");
    unit.is("failed") || unit.is_restarting() || is_broken
}

/// Whether the unit's process is the one that holds the lock.
fn owns_holder(local: &Local) -> bool {
    let unit_pid = local.unit.as_ref().and_then(|unit| unit.main_pid);
    unit_pid.is_some() && (local.holder.pid() == unit_pid || local.holder == Holder::Unknown)
}

fn silent(local: &Local, row: Option<&Beat>) -> String {
    let unit_pid = local.unit.as_ref().and_then(|unit| unit.main_pid);
    let shell_pid = local.shell.map(|shell| shell.watcher);
    let pid = local.holder.pid().or(unit_pid).or(shell_pid);
    let process = format!("though its process{} lives", numbered(pid));
    match row.filter(|row| Some(row.pid) == pid) {
        Some(row) if row.state == "stopped" => {
            format!("the watcher has stopped its work, {process}")
        }
        Some(row) => format!(
            "the watcher has not reported for {:.0} s, {process}",
            row.age_seconds
        ),
        None => format!("the watcher has never reported, {process}"),
    }
}

/// The unit's state, with what to do where something can be done.
fn state_of(unit: &Unit, local: &Local) -> String {
    let name = &unit.name;
    let ended = unit.how_it_ended();
    let cause = ended
        .or(unit.result.clone())
        .unwrap_or("it does not say why".into());
    match &*unit.active_state {
        _ if unit.is_restarting() => format!("{name} is being restarted after {cause}"),
        "failed" if unit.ended == Some(End::Exit(78)) => {
            format!("{name} failed: {cause}; see {}", unit.where_it_logs())
        }
        "failed" if unit.has_given_up() => format!(
            "{name} failed too often, the last time with {cause}; {}",
            unit.how_to_start()
        ),
        "failed" => format!("{name} failed: {cause}; {}", unit.how_to_start()),
        "inactive" if unit.load_state != "loaded" => format!("{name} is {}", unit.load_state),
        "inactive" => format!("{name} is stopped; {}", unit.how_to_start()),
        "activating" => format!("{name} is being started"),
        "deactivating" => format!("{name} is being stopped"),
        "active" => format!(
            "{name} is active{}, but not on {}",
            numbered(unit.main_pid),
            local.state_dir
        ),
        state => format!("{name} is {state} ({})", unit.sub_state),
    }
}

fn numbered(pid: Option<i64>) -> String {
    pid.map_or(String::new(), |pid| format!(" (pid {pid})"))
}

fn degraded(beat: &Beat) -> String {
    let why = beat.reason.as_deref().unwrap_or("it does not say why");
    format!("the watcher on {} is degraded: {why}", beat.host)
}

/// A unit is shown when it runs our watcher, or when it could and nothing does.
fn describe(local: &Local, row: Option<&Beat>, running: bool) -> Watcher {
    let shown = local.holder.pid().is_none() || owns_holder(local);
    let unit = local.unit.as_ref().filter(|_| shown);
    let since = match (unit, local.shell) {
        (Some(unit), _) => unit.since,
        (None, shell) => shell.and_then(|shell| shell.since),
    };
    let started_by_row = || row.map(|row| row.started_at.clone());
    Watcher {
        running,
        supervisor: match (unit, local.shell) {
            (Some(unit), _) => unit.manager.supervisor(),
            (None, Some(_)) => "shell",
            (None, None) => "none",
        },
        unit: unit.map(|unit| unit.name.clone()),
        active_state: unit.map(|unit| unit.active_state.clone()),
        sub_state: unit.map(|unit| unit.sub_state.clone()),
        since: since
            .map(|since| format!("{since:.6}"))
            .or_else(started_by_row),
        restarts: match unit {
            Some(unit) => unit.restarts,
            None => local.shell.map(|shell| shell.restarts),
        },
        result: unit.and_then(|unit| unit.result.clone()),
        main_pid: local.holder.pid().or(unit.and_then(|unit| unit.main_pid)),
        beat_age_seconds: row.map(|row| row.age_seconds),
    }
}
