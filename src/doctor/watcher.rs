//! The watcher: whether it lives and works, as `health` judges it, and how it is
//! put right.

use jiff::Timestamp;

use super::finding::Finding;
use crate::{
    config::Places,
    health::{self, Beat, Local},
    store::read::WatcherRow,
    supervise::{Holder, restarts_lately},
};

const CHECK: &str = "watcher";

/// What this machine shows of it.
pub struct Life {
    local: Local,
    restarts: usize,
    most_restarts: u32,
}

pub fn look(places: &Places, host: &str, most_restarts: u32) -> Life {
    let now = Timestamp::now().as_second().unsigned_abs();
    Life {
        local: Local::read(host, &places.state, &places.run),
        restarts: restarts_lately(&places.state, now),
        most_restarts,
    }
}

/// `rows` is nothing when the database does not answer; `start` is the command
/// that starts the watcher here.
pub fn judge(life: &Life, rows: Option<&[(WatcherRow, Beat)]>, start: &str) -> Vec<Finding> {
    let beats: Option<Vec<Beat>> =
        rows.map(|rows| rows.iter().map(|(_, beat)| beat.clone()).collect());
    let mut reasons = Vec::new();
    let judged = health::judge(
        &life.local,
        beats.as_deref(),
        Timestamp::now(),
        &mut reasons,
    );
    let reasons = reasons.into_iter();
    let mut findings: Vec<Finding> = reasons
        .map(|reason| wrong(life, beats.as_deref(), reason, start))
        .collect();
    if findings.is_empty() {
        findings.push(match beats {
            Some(_) => Finding::ok(CHECK, judged.to_string()),
            None => Finding::note(CHECK, format!("{judged}; its reports are in the database")),
        });
    }
    let mut own = rows.unwrap_or_default().iter();
    let own = own.find(|(_, beat)| life.local.owns(beat) && life.local.holder != Holder::Free);
    findings.extend(own.and_then(|(row, _)| version(row, start)));
    findings.extend(crashes(life.restarts, life.most_restarts));
    findings
}

fn wrong(life: &Life, beats: Option<&[Beat]>, reason: String, start: &str) -> Finding {
    let mut fresh = beats
        .unwrap_or_default()
        .iter()
        .filter(|beat| health::is_fresh(beat));
    match life.local.holder {
        _ if fresh.any(|beat| beat.state == "degraded") => {
            let fix = "put that right; it recovers by itself, and nothing is lost meanwhile";
            Finding::warning(CHECK, reason, fix)
        }
        Holder::Process { pid, .. } => Finding::failed(
            CHECK,
            reason,
            format!("kill -9 {pid}; if no service manager starts it again: {start}"),
        ),
        Holder::Free => Finding::warning(CHECK, reason, start),
        Holder::Unknown => Finding::unchecked(CHECK, reason),
    }
}

fn version(row: &WatcherRow, start: &str) -> Option<Finding> {
    let (theirs, ours) = (&row.version, env!("CARGO_PKG_VERSION"));
    (theirs != ours).then(|| {
        let found = format!("the watcher is version {theirs}, this program is {ours}");
        let pid = row.pid;
        let fix = format!("kill {pid}; then, if no service manager starts it again: {start}");
        Finding::warning(CHECK, found, fix)
    })
}

fn crashes(restarts: usize, most: u32) -> Option<Finding> {
    let found = format!("it was restarted {restarts} times within a minute; {most} are allowed");
    let fix = "find the cause in its log: journalctl -u headspace-watcher -p err";
    match restarts {
        0 | 1 => None,
        some if some as u64 >= u64::from(most) => Some(Finding::failed("restarts", found, fix)),
        _ => Some(Finding::warning("restarts", found, fix)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Severity::{self, Failed, Note, Ok as Fine, Warning};
    use crate::store::Counters;

    /// What the judge says is tested in `health`; here, how bad it is.
    #[test]
    fn each_verdict_has_its_severity_and_its_fix() {
        let beat = |age_seconds: f64, state: &str| Beat {
            host: "h".into(),
            state_dir: "/s".into(),
            pid: 7,
            started_at: "2026-11-21T11:00:00Z".into(),
            age_seconds,
            state: state.into(),
            reason: Some("the disk is full".into()),
            counters: Counters::default(),
        };
        let held = Holder::Process {
            pid: 7,
            age_seconds: 600.0,
        };
        let table: [(Holder, Option<Beat>, Severity, &str, &str); 5] = [
            (
                held,
                Some(beat(5.0, "running")),
                Fine,
                "running (pid 7)",
                "",
            ),
            (
                held,
                Some(beat(40.0, "running")),
                Failed,
                "not reported for 40 s",
                "kill -9 7",
            ),
            (
                held,
                Some(beat(5.0, "degraded")),
                Warning,
                "degraded: the disk",
                "by itself",
            ),
            (
                Holder::Free,
                Some(beat(5.0, "running")),
                Warning,
                "no watcher is",
                "headspace up",
            ),
            (held, None, Note, "in the database", ""),
        ];
        for (holder, beat, state, found, fix) in table {
            let mut life = look(&Places::default(), "h", 5);
            (life.local.holder, life.local.state_dir) = (holder, "/s".into());
            let rows = beat.map(|beat| vec![(row(), beat)]);
            let all = judge(&life, rows.as_deref(), "headspace up");
            let one = &all[0];
            assert_eq!((all.len(), one.state), (1, state), "{all:?}");
            assert!(one.found.contains(found), "{one:?}");
            assert!(
                one.fix.as_deref().unwrap_or_default().contains(fix),
                "{one:?}"
            );
        }
    }

    fn row() -> WatcherRow {
        WatcherRow {
            id: 1,
            host: "h".into(),
            state_dir: "/s".into(),
            pid: 7,
            version: env!("CARGO_PKG_VERSION").into(),
            started_at: "".into(),
            beat_at: "".into(),
            last_write_at: None,
            counters: Counters::default(),
            state: String::new(),
            reason: None,
        }
    }

    #[test]
    fn restarts_are_counted_against_their_limit() {
        for (number, state) in [
            (0, None),
            (1, None),
            (2, Some(Warning)),
            (4, Some(Warning)),
            (5, Some(Failed)),
        ] {
            let found = crashes(number, 5).map(|found| found.state);
            assert_eq!(found, state, "{number}");
        }
    }
}
