//! What is wrong with the hooks of a folder.

use super::{
    super::finding::{Finding, count},
    CHECK,
};
use crate::{hooks::Look, show::age, store::read::HookRow};

const INSTALL: &str = "headspace hooks install";

pub fn judge(looks: &[Look], received: Option<&[HookRow]>, now: jiff::Timestamp) -> Vec<Finding> {
    let of_each = |look| of_settings(look, received, now);
    looks.iter().map(of_each).collect()
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
