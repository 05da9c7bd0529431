//! Transcripts that Claude Code is about to delete, and that are not stored yet.
//! It deletes by age, when a session starts: `cleanupPeriodDays`, 30 by default.

use std::{
    fs,
    path::Path,
    time::{Duration, SystemTime},
};

use super::{
    finding::{Finding, count, quoted},
    roots::{Root, Transcript},
    stored::StoredOffsets,
};

const CHECK: &str = "transcripts";
const DEFAULT_DAYS: u64 = 30;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// What is due within this time is reported.
const SOON: Duration = Duration::from_secs(3 * 24 * 60 * 60);

/// What a root's `settings.json` says about cleaning up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    Days(u64),
    /// Claude Code refuses a zero; versions before 2.1.89 wrote no transcripts.
    Never,
    Unreadable,
}

pub fn period(root: &Path) -> Period {
    let Ok(text) = fs::read_to_string(root.join("settings.json")) else {
        return Period::Days(DEFAULT_DAYS);
    };
    read(&text)
}

fn read(settings: &str) -> Period {
    let Ok(settings) = serde_json::from_str::<serde_json::Value>(settings) else {
        return Period::Unreadable;
    };
    match settings.get("cleanupPeriodDays") {
        None => Period::Days(DEFAULT_DAYS),
        Some(days) => match days.as_u64() {
            Some(0) => Period::Never,
            Some(days) => Period::Days(days),
            None => Period::Unreadable,
        },
    }
}

pub fn judge(
    roots: &[(Root, Period)],
    stored: &Option<StoredOffsets>,
    now: SystemTime,
) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for (root, period) in roots {
        findings.extend(wrong_period(root, *period));
        if !root.transcripts.is_empty() {
            findings.push(judge_root(root, *period, stored, now));
        }
    }
    if findings.is_empty() {
        findings.push(Finding::note(CHECK, "there are no transcripts yet"));
    }
    findings
}

fn judge_root(
    root: &Root,
    period: Period,
    stored: &Option<StoredOffsets>,
    now: SystemTime,
) -> Finding {
    let days = match period {
        Period::Days(days) => days,
        Period::Never | Period::Unreadable => DEFAULT_DAYS,
    };
    let Some(offsets) = stored else {
        return Finding::unchecked(CHECK, "what is stored is only known to the database");
    };
    let unstored: Vec<&Transcript> = root
        .transcripts
        .iter()
        .filter(|file| file.size > offsets.get(&file.path).copied().unwrap_or(0))
        .collect();
    let mut due: Vec<&&Transcript> = unstored
        .iter()
        .filter(|file| is_due(file.modified, days, now))
        .collect();
    due.sort_by_key(|file| file.modified);
    match due.first() {
        None => Finding::ok(CHECK, at_rest(root, unstored.len(), days)),
        Some(oldest) => Finding::warning(
            CHECK,
            at_risk(due.len(), oldest, days, now),
            format!(
                "headspace watch --once stores them; \
                 \"cleanupPeriodDays\": 365 in {} keeps such files for a year",
                quoted(&root.path.join("settings.json"))
            ),
        ),
    }
}

fn is_due(modified: SystemTime, days: u64, now: SystemTime) -> bool {
    let days = u32::try_from(days).unwrap_or(u32::MAX);
    // A time in the future is no age yet.
    let age = now.duration_since(modified).unwrap_or_default();
    age.saturating_add(SOON) >= DAY.saturating_mul(days)
}

fn at_rest(root: &Root, unstored: usize, days: u64) -> String {
    let all = root.transcripts.len();
    let waiting = match unstored {
        0 => "all stored".to_owned(),
        some => format!("{some} not fully stored yet, none of them due soon"),
    };
    format!(
        "{} in {}, {waiting}; Claude Code deletes them after {days} days",
        count(all, "transcript", "transcripts"),
        root.path.display()
    )
}

fn at_risk(due: usize, oldest: &Transcript, days: u64, now: SystemTime) -> String {
    // As above: written in the future counts as written now.
    let age = now.duration_since(oldest.modified).unwrap_or_default();
    format!(
        "{} not fully stored will be deleted by Claude Code within 3 days (it keeps them for {days}); \
         the oldest, {}, was last written {} days ago",
        count(due, "transcript", "transcripts"),
        oldest.path.display(),
        age.as_secs() / DAY.as_secs()
    )
}

fn wrong_period(root: &Root, period: Period) -> Option<Finding> {
    let file = root.path.join("settings.json");
    let what = match period {
        Period::Days(_) => return None,
        Period::Never => {
            "cleanupPeriodDays is 0, with which Claude Code starts not at all or writes no transcripts"
        }
        Period::Unreadable => "cleanupPeriodDays cannot be understood; 30 days are assumed",
    };
    Some(Finding::warning(
        CHECK,
        format!("{}: {what}", file.display()),
        format!("write \"cleanupPeriodDays\": 30 into {}", quoted(&file)),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Severity::{Ok as Fine, Warning};

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + DAY * 20_000
    }

    /// A root whose files were last written so many days ago, 100 bytes each.
    fn root(ages: &[u32]) -> Root {
        let transcripts = ages.iter().map(|days| Transcript {
            path: format!("/r/projects/-p/{days}.jsonl").into(),
            size: 100,
            modified: now() - DAY * *days,
        });
        let mut root = Root::new(Path::new("/r"), Ok(7));
        root.transcripts = transcripts.collect();
        root
    }

    fn stored(offsets: &[(u32, u64)]) -> Option<StoredOffsets> {
        let path = |days: u32| format!("/r/projects/-p/{days}.jsonl").into();
        let offsets = offsets.iter();
        Some(offsets.map(|(days, upto)| (path(*days), *upto)).collect())
    }

    #[test]
    fn only_what_is_due_and_not_stored_is_at_risk() {
        for (ages, days, offsets, at_risk) in [
            (&[1, 26][..], 30, &[][..], None),
            (&[1, 27], 30, &[], Some("1 transcript ")),
            (&[1, 27, 90], 30, &[], Some("2 transcripts ")),
            (&[27], 30, &[(27, 100)], None),
            (&[27], 30, &[(27, 99)], Some("1 transcript ")),
            (&[27], 365, &[], None),
            (&[0], 1, &[], Some("1 transcript ")),
            (&[90], u64::MAX, &[], None),
        ] {
            let root = root(ages);
            let found = judge_root(&root, Period::Days(days), &stored(offsets), now());
            let case = format!("{ages:?} {days} {offsets:?}: {found:?}");
            assert_eq!(found.state, at_risk.map_or(Fine, |_| Warning), "{case}");
            let oldest = format!("{} days ago", ages.iter().max().unwrap());
            assert!(
                found.found.starts_with(at_risk.unwrap_or_default()),
                "{case}"
            );
            assert_eq!(found.found.ends_with(&oldest), at_risk.is_some(), "{case}");
        }
        let unknown = judge_root(&root(&[27]), Period::Days(30), &None, now());
        assert!(unknown.found.starts_with("not checked"), "{unknown:?}");
    }

    #[test]
    fn the_period_is_read_from_the_settings() {
        for (text, period) in [
            ("{}", Period::Days(30)),
            (
                r#"{"cleanupPeriodDays": 90, "model": "x"}"#,
                Period::Days(90),
            ),
            (r#"{"cleanupPeriodDays": 0}"#, Period::Never),
            (r#"{"cleanupPeriodDays": "long"}"#, Period::Unreadable),
            ("{", Period::Unreadable),
        ] {
            assert_eq!(read(text), period, "{text}");
        }
        assert!(wrong_period(&root(&[]), Period::Never).is_some());
    }
}
