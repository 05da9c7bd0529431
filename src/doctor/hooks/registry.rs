//! Whose state cannot be told, and why: what the CLI's registry says depends on its
//! version, and some processes are in none.

use std::collections::{BTreeMap, HashSet};

use super::super::finding::{Finding, count};
use crate::hooks::{Look, Running, Version};

const CHECK: &str = "registry";

/// `open` are the sessions of this machine that are not over, as far as that is known.
pub fn judge(looks: &[Look], open: &[String]) -> Vec<Finding> {
    let mut findings: Vec<Finding> = looks.iter().flat_map(of_versions).collect();
    let running = || looks.iter().flat_map(|look| &look.running);
    let foreign: Vec<&str> = running()
        .filter(|one| one.is_foreign)
        .map(|one| one.session.as_str())
        .collect();
    findings.extend(foreign.first().map(|session| {
        let number = count(foreign.len(), "process", "processes");
        let found = format!(
            "{number} of another container or machine, such as of session {session}: whether \
             it lives cannot be seen from here"
        );
        Finding::note(CHECK, found)
    }));
    let known: HashSet<&str> = running().map(|one| one.session.as_str()).collect();
    let unknown: Vec<&String> = open
        .iter()
        .filter(|session| !known.contains(session.as_str()))
        .collect();
    findings.extend(unknown.first().map(|session| {
        let number = count(unknown.len(), "open session has", "open sessions have");
        let found = format!(
            "{number} no process in a registry, such as {session}: an end without a hook shows \
             by silence alone, and a wait not at all"
        );
        Finding::note(CHECK, found)
    }));
    findings
}

/// What the processes of each version say of themselves.
fn of_versions(look: &Look) -> Vec<Finding> {
    let mut versions: BTreeMap<Option<Version>, Vec<&Running>> = BTreeMap::new();
    for one in look.running.iter().filter(|one| !one.is_foreign) {
        versions.entry(one.version).or_default().push(one);
    }
    let entries = look.entries.as_deref().unwrap_or_default();
    let has_hooks = !entries.is_empty() && !look.is_disabled;
    let of_version = |(version, all)| of_version(version, all, has_hooks);
    versions.into_iter().map(of_version).collect()
}

fn of_version(version: Option<Version>, all: Vec<&Running>, has_hooks: bool) -> Finding {
    let named = version.map_or("of unknown version".to_owned(), |version| {
        version.to_string()
    });
    let processes = count(all.len(), "process", "processes");
    let claude = format!("{processes} of claude {named}");
    // One that has just started says nothing yet.
    let is_silent = |one: &&&Running| !one.has_status && one.version < Some(Version::WITH_STATUS);
    match (all.iter().find(is_silent), has_hooks) {
        (None, _) => Finding::ok(CHECK, format!("{claude}: what it does is in its registry")),
        (Some(_), true) => Finding::note(
            CHECK,
            format!("{claude}: its registry does not say what it does; its hooks do"),
        ),
        (Some(one), false) => Finding::warning(
            CHECK,
            format!(
                "{claude}: whether it waits cannot be told, such as of session {}; its registry \
                 does not say it before {}, and there are no hooks",
                one.session,
                Version::WITH_STATUS
            ),
            "headspace hooks install, or update Claude Code",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        doctor::Severity,
        hooks::{entries, look, wanted},
    };

    fn one(version: Version, has_status: bool) -> Running {
        Running {
            pid: 7,
            session: "s-1".into(),
            version: Some(version),
            has_status,
            is_foreign: false,
        }
    }

    fn with(one: Running, has_hooks: bool, open: &[&str]) -> Vec<(Severity, String)> {
        let folder = tempfile::tempdir().unwrap();
        let mut look = look(folder.path(), None);
        if has_hooks {
            look.entries = Ok(entries(&wanted(false, None), "headspace hook"));
        }
        look.running.push(one);
        let open: Vec<String> = open.iter().map(|session| (*session).to_owned()).collect();
        let findings = judge(&[look], &open).into_iter();
        findings
            .map(|finding| (finding.state, finding.found))
            .collect()
    }

    #[test]
    fn a_session_that_nothing_speaks_of_is_named() {
        let (old, new) = (Version(2, 1, 113), Version(2, 1, 329));
        let state = |one, has_hooks| with(one, has_hooks, &["s-1"])[0].0;
        assert_eq!(state(one(new, true), false), Severity::Ok);
        // Its first entry has no status yet.
        assert_eq!(state(one(new, false), false), Severity::Ok);
        assert_eq!(state(one(old, false), true), Severity::Note);
        let found = with(one(old, false), false, &["s-1"]);
        assert_eq!((found.len(), found[0].0), (1, Severity::Warning));
        assert!(
            found[0].1.contains("s-1") && found[0].1.contains("2.1.113"),
            "{found:?}"
        );
    }

    #[test]
    fn sessions_of_elsewhere_and_of_nowhere_are_named() {
        let mut elsewhere = one(Version(2, 1, 329), true);
        elsewhere.is_foreign = true;
        let found = with(elsewhere, true, &["s-1", "s-2", "s-3"]);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            found[0].1.starts_with("1 process of another container"),
            "{found:?}"
        );
        assert!(
            found[1].1.starts_with("2 open sessions have no process"),
            "{found:?}"
        );
        assert!(found[1].1.contains("s-2"), "{found:?}");
    }
}
