//! What is wrong with the hooks of a folder, and whose state cannot be told.

use std::collections::BTreeMap;

use super::{
    super::finding::{Finding, count},
    CHECK,
};
use crate::{
    hooks::{Look, Version},
    show::age,
    store::read::HookRow,
};

const INSTALL: &str = "headspace hooks install";
const REGISTRY: &str = "registry";

pub fn judge(looks: &[Look], received: Option<&[HookRow]>, now: jiff::Timestamp) -> Vec<Finding> {
    let of_each = |look| {
        let mut findings = vec![of_settings(look, received, now)];
        findings.extend(of_running(look));
        findings
    };
    looks.iter().flat_map(of_each).collect()
}

fn of_settings(look: &Look, received: Option<&[HookRow]>, now: jiff::Timestamp) -> Finding {
    let shown = look.settings.display();
    let entries = match &look.entries {
        Ok(entries) => entries,
        Err(error) => {
            let fix = "correct it there; Claude Code passes over such a file, too";
            return Finding::warning(CHECK, error.clone(), fix);
        }
    };
    if entries.is_empty() {
        let found = format!("{shown} has no hook of ours; permissions and ends show later");
        return Finding::note(CHECK, found).with_fix(INSTALL);
    }
    if look.is_disabled {
        let found = format!("{shown} switches all hooks off (disableAllHooks)");
        return Finding::warning(CHECK, found, "take disableAllHooks out of it");
    }
    if let Some(program) = &look.gone {
        let found = format!("the hooks in {shown} call {program}, which is not there");
        return Finding::warning(CHECK, found, INSTALL);
    }
    if !look.missing.is_empty() {
        let found = format!("in {shown} there is no hook of {}", look.missing.join(", "));
        return Finding::warning(CHECK, found, INSTALL);
    }
    let number = count(entries.len(), "hook is", "hooks are");
    let ours = |row: &&HookRow| entries.iter().any(|entry| entry.event == row.hook_type);
    let newest = received.map(|rows| rows.iter().find(ours));
    let came = match newest {
        None => String::new(),
        Some(None) => "; none came yet".into(),
        Some(Some(row)) => {
            let ago = age(&row.last_received_at, now).words();
            format!("; the last one, {}, came {ago} ago", row.hook_type)
        }
    };
    Finding::ok(CHECK, format!("{number} in {shown}{came}"))
}

/// What the processes of each version say of themselves.
fn of_running(look: &Look) -> Vec<Finding> {
    let mut versions: BTreeMap<Option<Version>, (usize, usize, &str)> = BTreeMap::new();
    for one in &look.running {
        let (all, silent, session) = versions.entry(one.version).or_default();
        *all += 1;
        // One that has just started says nothing yet.
        let is_silent = !one.has_status && one.version < Some(Version::WITH_STATUS);
        if is_silent {
            *silent += 1;
            *session = &one.session;
        }
    }
    let has_hooks = look
        .entries
        .as_ref()
        .is_ok_and(|entries| !entries.is_empty());
    let of_version =
        |(version, (all, silent, session)): (&Option<Version>, &(usize, usize, &str))| {
            let version = version.map_or("of unknown version".to_owned(), |version| {
                version.to_string()
            });
            let sessions = count(*all, "process", "processes");
            let claude = format!("{sessions} of claude {version}");
            match (*silent, has_hooks && !look.is_disabled) {
                (0, _) => Finding::ok(
                    REGISTRY,
                    format!("{claude}: what it does is in its registry"),
                ),
                (_, true) => Finding::note(
                    REGISTRY,
                    format!("{claude}: its registry does not say what it does; its hooks do"),
                ),
                (_, false) => Finding::warning(
                    REGISTRY,
                    format!(
                        "{claude}: whether it waits cannot be told, such as of session {session}; \
                     its registry does not say it before {}, and there are no hooks",
                        Version::WITH_STATUS
                    ),
                    format!("{INSTALL}, or update Claude Code"),
                ),
            }
        };
    versions.iter().map(of_version).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        doctor::Severity,
        hooks::{Running, entries, look, wanted},
    };

    fn with(version: (u32, u32, u32), has_status: bool, has_hooks: bool) -> (Severity, String) {
        let folder = tempfile::tempdir().unwrap();
        let mut look = look(folder.path(), None);
        if has_hooks {
            look.entries = Ok(entries(&wanted(false, None), "headspace hook"));
        }
        look.running.push(Running {
            pid: 7,
            session: "s-1".into(),
            version: Some(Version(version.0, version.1, version.2)),
            has_status,
        });
        let finding = of_running(&look).remove(0);
        (finding.state, finding.found)
    }

    #[test]
    fn a_session_that_nothing_speaks_of_is_named() {
        assert_eq!(with((2, 1, 329), true, false).0, Severity::Ok);
        // Its first entry has no status yet.
        assert_eq!(with((2, 1, 329), false, false).0, Severity::Ok);
        assert_eq!(with((2, 1, 113), false, true).0, Severity::Note);
        let (state, found) = with((2, 1, 113), false, false);
        assert_eq!(state, Severity::Warning);
        assert!(
            found.contains("s-1") && found.contains("2.1.113"),
            "{found}"
        );
    }
}
