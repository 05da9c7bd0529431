//! Which files are transcripts.
//!
//! Below a root's `projects`: `<project>/<name>.jsonl` is a session's,
//! `agent-<id>.jsonl` there or anywhere below `<session>/subagents` a
//! subagent's. Nothing else is read: other files there are no transcripts.

use std::path::Path;

use crate::dialect::Place;

/// How far below `projects` transcripts may lie.
const MAX_DEPTH: usize = 8;

/// Decides by the path's parts below `projects`.
pub fn place(relative: &Path) -> Place {
    let parts: Vec<&str> = relative.iter().filter_map(|part| part.to_str()).collect();
    let Some(name) = parts.last() else {
        return Place::Folder;
    };
    match (parts.len(), name.strip_suffix(".jsonl")) {
        (2, Some(stem)) => match stem.strip_prefix("agent-") {
            Some(id) => Place::Subagent(id.to_owned()),
            None => Place::Session,
        },
        (4.., Some(stem)) if parts[2] == "subagents" => match stem.strip_prefix("agent-") {
            Some(id) => Place::Subagent(id.to_owned()),
            None => Place::Nothing,
        },
        (_, Some(_)) => Place::Nothing,
        (1 | 2, None) => Place::Folder,
        (3..=MAX_DEPTH, None) if parts[2] == "subagents" => Place::Folder,
        _ => Place::Nothing,
    }
}

/// The session that a transcript is of, as far as its path says: that of a
/// subagent's file beside the sessions' says nothing.
pub fn session_of(relative: &Path) -> Option<&str> {
    let part = |n: usize| relative.iter().nth(n)?.to_str();
    match place(relative) {
        Place::Session => part(1)?.strip_suffix(".jsonl"),
        Place::Subagent(_) if part(2) == Some("subagents") => part(1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transcripts_are_known_from_what_lies_beside_them() {
        let agent = |id: &str| Place::Subagent(id.into());
        for (path, expected) in [
            ("", Place::Folder),
            ("-p", Place::Folder),
            ("stray.jsonl", Place::Nothing),
            ("-p/a1.jsonl", Place::Session),
            ("-p/agent-7.jsonl", agent("7")),
            ("-p/memory", Place::Folder),
            ("-p/memory/x.jsonl", Place::Nothing),
            ("-p/a1", Place::Folder),
            ("-p/a1/tool-results", Place::Nothing),
            ("-p/a1/subagents", Place::Folder),
            ("-p/a1/subagents/agent-7.jsonl", agent("7")),
            ("-p/a1/subagents/agent-7.meta.json", Place::Folder),
            ("-p/a1/subagents/workflows/wf_1", Place::Folder),
            ("-p/a1/subagents/workflows/wf_1/agent-8.jsonl", agent("8")),
            (
                "-p/a1/subagents/workflows/wf_1/journal.jsonl",
                Place::Nothing,
            ),
        ] {
            assert_eq!(place(Path::new(path)), expected, "{path}");
        }
    }

    #[test]
    fn a_path_names_the_session_it_is_of() {
        let of = |path| session_of(Path::new(path));
        assert_eq!(of("-p/a1.jsonl"), Some("a1"));
        assert_eq!(of("-p/a1/subagents/agent-7.jsonl"), Some("a1"));
        assert_eq!(
            of("-p/a1/subagents/workflows/wf_1/agent-8.jsonl"),
            Some("a1")
        );
        for path in [
            "-p/agent-7.jsonl",
            "-p/a1",
            "-p/a1/subagents",
            "-p/a1/x.jsonl",
        ] {
            assert_eq!(of(path), None, "{path}");
        }
    }
}
