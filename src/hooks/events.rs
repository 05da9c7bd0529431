//! The events whose hooks are ours, and since which version the CLI knows them.

use super::Version;

/// One hook, as it stands in the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hook {
    pub event: &'static str,
    pub matcher: Option<&'static str>,
    /// The CLI does not wait for it.
    pub is_async: bool,
    /// In seconds. The ends of sessions share a limit that is shorter anyway.
    pub timeout: Option<u32>,
    since: Version,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// What states and turns are found by.
    Needed,
    /// In place of the needed one of the same event: every call of a tool.
    Wider,
    /// Only for the record.
    Further,
}
use Kind::{Further, Needed, Wider};

/// Our hook ends within a second; this is for a machine that stands still.
const TIMEOUT: u32 = 5;
/// Tools whose call is a question to the user.
const ASKING: &str = "AskUserQuestion|ExitPlanMode";

/// Not among them: MessageDisplay, called many times in each reply;
/// WorktreeCreate, whose hook makes the worktree in place of the CLI;
/// WorktreeRemove, which belongs to it; FileChanged, which is called for no file
/// unless the matcher names it.
const HOOKS: [Hook; 32] = [
    hook("SessionStart", Version(1, 0, 62), Needed),
    hook("UserPromptSubmit", Version(1, 0, 54), Needed),
    // Under -p, the CLI ends before an asynchronous hook has done its work.
    sync("Stop", Version(1, 0, 38)),
    sync("StopFailure", Version(2, 1, 78)),
    hook("SubagentStart", Version(2, 0, 43), Needed),
    hook("SubagentStop", Version(1, 0, 41), Needed),
    Hook {
        timeout: None,
        ..sync("SessionEnd", Version(1, 0, 85))
    },
    hook("PermissionRequest", Version(2, 0, 45), Needed),
    hook("PermissionDenied", Version(2, 1, 89), Needed),
    hook("Notification", Version(1, 0, 38), Needed),
    asking("PreToolUse", Version(1, 0, 38)),
    asking("PostToolUse", Version(1, 0, 38)),
    asking("PostToolUseFailure", Version(2, 1, 33)),
    // The CLI shows a line for each of them to the person, however silent they are; the
    // transcript and SessionStart tell of a compaction as well.
    hook("PreCompact", Version(1, 0, 48), Further),
    hook("PostCompact", Version(2, 1, 76), Further),
    hook("Elicitation", Version(2, 1, 76), Needed),
    hook("CwdChanged", Version(2, 1, 83), Needed),
    hook("PreToolUse", Version(1, 0, 38), Wider),
    hook("PostToolUse", Version(1, 0, 38), Wider),
    hook("PostToolUseFailure", Version(2, 1, 33), Wider),
    hook("Setup", Version(2, 1, 10), Further),
    hook("TeammateIdle", Version(2, 1, 33), Further),
    hook("TaskCompleted", Version(2, 1, 33), Further),
    hook("ConfigChange", Version(2, 1, 49), Further),
    hook("InstructionsLoaded", Version(2, 1, 69), Further),
    hook("ElicitationResult", Version(2, 1, 76), Further),
    hook("TaskCreated", Version(2, 1, 84), Further),
    hook("DirectoryAdded", Version(2, 1, 219), Further),
    hook("PreModelSwitch", Version(2, 1, 251), Further),
    hook("PostModelSwitch", Version(2, 1, 251), Further),
    // Known to this version; an earlier one may know them too.
    hook("UserPromptExpansion", Version(2, 1, 219), Further),
    hook("PostToolBatch", Version(2, 1, 219), Further),
];

/// The hooks that a CLI of this version knows; of an unknown version, a new one.
pub fn wanted(all: bool, version: Option<Version>) -> Vec<Hook> {
    let chosen = chosen(all);
    chosen.filter(|hook| is_known(hook, version)).collect()
}

/// The hooks that wait for a newer version of the CLI.
pub fn later(all: bool, version: Option<Version>) -> Vec<(&'static str, Version)> {
    let chosen = chosen(all).filter(|hook| !is_known(hook, version));
    chosen.map(|hook| (hook.event, hook.since)).collect()
}

/// Where a hook stands among ours; one that is none of them stands behind all.
pub fn place(event: &str, matcher: Option<&str>) -> usize {
    let mut hooks = HOOKS.iter();
    let place = hooks.position(|hook| hook.event == event && hook.matcher == matcher);
    place.unwrap_or(HOOKS.len())
}

fn chosen(all: bool) -> impl Iterator<Item = Hook> {
    let is_chosen = move |hook: &Hook| match hook.kind {
        Further | Wider => all,
        Needed => !all || hook.matcher.is_none(),
    };
    HOOKS.into_iter().filter(is_chosen)
}

fn is_known(hook: &Hook, version: Option<Version>) -> bool {
    version.is_none_or(|version| version >= hook.since)
}

const fn hook(event: &'static str, since: Version, kind: Kind) -> Hook {
    Hook {
        event,
        matcher: None,
        is_async: true,
        timeout: Some(TIMEOUT),
        since,
        kind,
    }
}

const fn sync(event: &'static str, since: Version) -> Hook {
    Hook {
        is_async: false,
        ..hook(event, since, Needed)
    }
}

const fn asking(event: &'static str, since: Version) -> Hook {
    Hook {
        matcher: Some(ASKING),
        ..hook(event, since, Needed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(all: bool, version: Option<Version>) -> Vec<&'static str> {
        wanted(all, version).iter().map(|hook| hook.event).collect()
    }

    #[test]
    fn an_old_cli_gets_only_the_events_that_it_knows() {
        assert_eq!(wanted(false, None).len(), 15);
        assert_eq!(names(false, Some(Version(2, 1, 329))), names(false, None));
        let old = names(false, Some(Version(2, 1, 50)));
        for unknown in [
            "StopFailure",
            "PermissionDenied",
            "Elicitation",
            "CwdChanged",
        ] {
            assert!(!old.contains(&unknown), "{unknown}");
        }
        assert_eq!(old.len(), 11);
        let later = later(false, Some(Version(2, 1, 88)));
        assert_eq!(later, [("PermissionDenied", Version(2, 1, 89))]);
    }

    #[test]
    fn all_names_each_event_once_and_none_that_would_disturb() {
        let mut all = names(true, None);
        for never in [
            "MessageDisplay",
            "WorktreeCreate",
            "WorktreeRemove",
            "FileChanged",
        ] {
            assert!(!all.contains(&never), "{never}");
        }
        let number = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!((all.len(), number), (29, 29));
        assert!(names(false, None).iter().all(|event| all.contains(event)));
    }

    #[test]
    fn what_the_cli_would_show_to_the_person_is_asked_for() {
        for shown in ["PreCompact", "PostCompact"] {
            assert!(!names(false, None).contains(&shown), "{shown}");
            assert!(names(true, None).contains(&shown), "{shown}");
        }
    }

    #[test]
    fn what_must_not_be_lost_under_print_mode_is_waited_for() {
        let waited: Vec<&str> = wanted(true, None)
            .iter()
            .filter(|hook| !hook.is_async)
            .map(|hook| hook.event)
            .collect();
        assert_eq!(waited, ["Stop", "StopFailure", "SessionEnd"]);
    }
}
