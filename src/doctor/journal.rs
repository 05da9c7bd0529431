//! The journal: whether it outlives a restart of the machine, and whether this
//! user may read what system services write.

use std::path::Path;

use super::{
    ask::{our_groups, user_name},
    finding::Finding,
};

const CHECK: &str = "journal";
/// Members of these may read the system's journal.
const READERS: [&str; 3] = ["systemd-journal", "adm", "wheel"];

#[derive(Debug, Clone)]
pub struct Facts {
    /// systemd is PID 1 here.
    pub is_there: bool,
    pub is_persistent: bool,
    pub user: String,
    pub is_reader: bool,
}

pub fn look() -> Facts {
    let us = rustix::process::geteuid();
    let groups = our_groups();
    Facts {
        is_there: Path::new("/run/systemd/system").is_dir(),
        is_persistent: Path::new("/var/log/journal").is_dir(),
        user: user_name(us.as_raw()),
        is_reader: us.is_root() || groups.iter().any(|group| READERS.contains(&group.as_str())),
    }
}

pub fn judge(facts: &Facts) -> Vec<Finding> {
    if !facts.is_there {
        let why = "systemd does not run this system; logs go to where headspace was started";
        return vec![Finding::unchecked(CHECK, why)];
    }
    let mut findings = Vec::new();
    if !facts.is_persistent {
        let found = "the journal is kept in memory and gone after a restart of the machine";
        let fix = "sudo mkdir -p /var/log/journal && sudo systemctl restart systemd-journald";
        findings.push(Finding::note(CHECK, found).with_fix(fix));
    }
    if !facts.is_reader {
        let found = format!("{} may not read what system services log", facts.user);
        let fix = format!(
            "sudo usermod -aG systemd-journal {}, then log in again",
            facts.user
        );
        findings.push(Finding::note(CHECK, found).with_fix(fix));
    }
    if findings.is_empty() {
        findings.push(Finding::ok(CHECK, "is kept on disk, and may be read"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::State::{Note, Ok};

    #[test]
    fn the_journal_is_kept_and_may_be_read_or_it_is_said_how() {
        let facts = |is_there, is_persistent, is_reader| Facts {
            is_there,
            is_persistent,
            user: "me".into(),
            is_reader,
        };
        for (facts, states, fix) in [
            (facts(false, false, false), &[Note][..], ""),
            (facts(true, true, true), &[Ok], ""),
            (
                facts(true, false, true),
                &[Note],
                "mkdir -p /var/log/journal",
            ),
            (
                facts(true, true, false),
                &[Note],
                "usermod -aG systemd-journal me",
            ),
            (facts(true, false, false), &[Note, Note], "mkdir"),
        ] {
            let found = judge(&facts);
            assert_eq!(
                found.iter().map(|one| one.state).collect::<Vec<_>>(),
                states,
                "{facts:?}"
            );
            assert!(
                found[0].fix.as_deref().unwrap_or("").contains(fix),
                "{found:?}"
            );
        }
    }
}
