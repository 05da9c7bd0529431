//! The watcher: whether it lives, works, and is the one that belongs to us.

use jiff::Timestamp;

use super::finding::{Finding, size};
use crate::{
    health::{self, Beat},
    store::read::WatcherRow,
    supervise::Holder,
};

const CHECK: &str = "watcher";

/// What is known of the watcher of this state folder.
#[derive(Debug)]
pub struct WatcherFacts<'a> {
    pub holder: Holder,
    pub row: Row<'a>,
    pub now: Timestamp,
    /// The command that starts it here.
    pub start: &'a str,
    pub restarts: usize,
    pub most_restarts: u32,
}

/// Its row; an error if the database could not be asked.
pub type Row<'a> = Result<Option<&'a WatcherRow>, ()>;

pub fn judge(facts: &WatcherFacts<'_>) -> Vec<Finding> {
    let mut findings = vec![life(facts)];
    if let Ok(Some(row)) = facts.row
        && facts.holder != Holder::Free
    {
        findings.extend(version(row, facts.start));
    }
    findings.extend(crashes(facts));
    findings
}

fn life(facts: &WatcherFacts<'_>) -> Finding {
    let (pid, age) = match facts.holder {
        Holder::Process { pid, age_seconds } => (pid, age_seconds),
        Holder::Free => {
            let found = "no watcher is running: what happens now is recorded when one starts";
            return Finding::warning(CHECK, found, facts.start);
        }
        Holder::Unknown => return Finding::unchecked(CHECK, "its lock cannot be read"),
    };
    let Ok(row) = facts.row else {
        let found = format!("runs (pid {pid}); what it reports is in the database");
        return Finding::note(CHECK, found);
    };
    let beat = row.map(|row| health::beat(row.clone(), facts.now));
    let own = row.zip(beat.as_ref()).filter(|(row, _)| row.pid == pid);
    let works = health::works(pid, age, beat.as_ref());
    match own {
        Some((row, beat)) if works => reported(row, beat),
        None if works => Finding::ok(CHECK, format!("has just started (pid {pid})")),
        own => Finding::failed(
            CHECK,
            silent(pid, own.map(|(_, beat)| beat)),
            restart(pid, facts.start),
        ),
    }
}

fn silent(pid: i64, beat: Option<&Beat>) -> String {
    match beat {
        None => format!("pid {pid} holds the lock and has never reported to this database"),
        Some(beat) if beat.state == "stopped" => {
            format!("pid {pid} holds the lock and has stopped its work")
        }
        Some(beat) => format!("pid {pid} has not reported for {:.0} s", beat.age_seconds),
    }
}

fn reported(row: &WatcherRow, beat: &Beat) -> Finding {
    let (pid, silent) = (row.pid, beat.age_seconds);
    if row.state == "degraded" {
        let why = row.reason.as_deref().unwrap_or("it does not say why");
        let fix = "put that right; it recovers by itself, and nothing is lost meanwhile";
        return Finding::warning(CHECK, format!("degraded: {why}"), fix);
    }
    let behind = match row.bytes_behind {
        ..=0 => "nothing behind".into(),
        bytes => format!("{} behind", size(bytes.unsigned_abs())),
    };
    Finding::ok(
        CHECK,
        format!("runs (pid {pid}), reported {silent:.0} s ago, {behind}"),
    )
}

fn restart(pid: i64, start: &str) -> String {
    format!("kill -9 {pid}; what looks after it starts it again, else: {start}")
}

fn version(row: &WatcherRow, start: &str) -> Option<Finding> {
    let ours = env!("CARGO_PKG_VERSION");
    (row.version != ours).then(|| {
        let found = format!(
            "the watcher is version {}, this program is {ours}",
            row.version
        );
        Finding::warning(
            CHECK,
            found,
            format!(
                "kill {}; then, if nothing starts it again: {start}",
                row.pid
            ),
        )
    })
}

fn crashes(facts: &WatcherFacts<'_>) -> Option<Finding> {
    let (restarts, most) = (facts.restarts, facts.most_restarts);
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

    const NOW: &str = "2026-11-21T12:00:00Z";

    fn row(pid: i64, beat_at: &str, state: &str) -> WatcherRow {
        WatcherRow {
            id: 1,
            host: "h".into(),
            state_dir: "/s".into(),
            pid,
            version: env!("CARGO_PKG_VERSION").into(),
            started_at: "2026-11-21T11:00:00.000000Z".into(),
            beat_at: beat_at.into(),
            last_write_at: None,
            events_written: 0,
            duplicates: 0,
            failed_writes: 0,
            retries: 0,
            rejected: 0,
            bytes_behind: 0,
            sessions: 0,
            state: state.into(),
            reason: Some("the disk is full".into()),
        }
    }

    fn facts<'a>(holder: Holder, row: Row<'a>) -> WatcherFacts<'a> {
        WatcherFacts {
            holder,
            row,
            now: NOW.parse().unwrap(),
            start: "headspace up",
            restarts: 0,
            most_restarts: 5,
        }
    }

    fn held(age_seconds: f64) -> Holder {
        Holder::Process {
            pid: 7,
            age_seconds,
        }
    }

    #[test]
    fn the_lock_decides_whether_it_runs_and_the_row_how() {
        let fresh = row(7, "2026-11-21T11:59:55.000000Z", "running");
        let stale = row(7, "2026-11-21T11:59:00.000000Z", "running");
        let before = row(6, "2026-11-21T11:59:59.000000Z", "running");
        let degraded = row(7, "2026-11-21T11:59:55.000000Z", "degraded");
        let stopped = row(7, "2026-11-21T11:59:55.000000Z", "stopped");
        let table: [(Holder, Row, Severity, &str); 12] = [
            (
                held(600.0),
                Ok(Some(&stopped)),
                Failed,
                "has stopped its work",
            ),
            (
                Holder::Free,
                Ok(Some(&fresh)),
                Warning,
                "no watcher is running",
            ),
            (Holder::Free, Err(()), Warning, "no watcher is running"),
            (Holder::Unknown, Ok(Some(&fresh)), Note, "not checked"),
            (
                held(600.0),
                Ok(Some(&fresh)),
                Fine,
                "pid 7), reported 5 s ago, nothing behind",
            ),
            (held(600.0), Err(()), Note, "in the database"),
            (
                held(600.0),
                Ok(Some(&stale)),
                Failed,
                "has not reported for 60 s",
            ),
            (held(5.0), Ok(Some(&stale)), Fine, "runs"),
            (held(5.0), Ok(None), Fine, "just started"),
            (held(5.0), Ok(Some(&before)), Fine, "just started"),
            (held(600.0), Ok(Some(&before)), Failed, "never reported"),
            (
                held(600.0),
                Ok(Some(&degraded)),
                Warning,
                "degraded: the disk is full",
            ),
        ];
        for (holder, row, state, said) in table {
            let found = judge(&facts(holder, row));
            assert_eq!(found.len(), 1, "{found:?}");
            assert_eq!(found[0].state, state, "{holder:?} {row:?}");
            assert!(found[0].found.contains(said), "{found:?}");
        }
    }

    #[test]
    fn another_version_is_reported_while_it_runs() {
        let mut old = row(7, "2026-11-21T11:59:55.000000Z", "running");
        old.version = "0.0.1".into();
        assert_eq!(judge(&facts(held(60.0), Ok(Some(&old))))[1].state, Warning);
        assert_eq!(judge(&facts(Holder::Free, Ok(Some(&old)))).len(), 1);
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
            let facts = WatcherFacts {
                restarts: number,
                ..facts(Holder::Free, Ok(None))
            };
            assert_eq!(crashes(&facts).map(|found| found.state), state, "{number}");
        }
    }
}
