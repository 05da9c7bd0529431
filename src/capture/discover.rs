//! Which files are transcripts.
//!
//! Below a root's `projects`: `<project>/<name>.jsonl` is a session's,
//! `agent-<id>.jsonl` there or anywhere below `<session>/subagents` a
//! subagent's. Nothing else is read: other files there are no transcripts.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// How far below `projects` transcripts may lie.
const MAX_DEPTH: usize = 8;

/// What a path below `projects` is to us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    Session,
    /// A subagent's transcript, with its id.
    Subagent(String),
    /// A folder in which transcripts may appear.
    Folder,
    Nothing,
}

/// What one pass over a root found.
#[derive(Debug, Default)]
pub struct Found {
    pub folders: Vec<PathBuf>,
    pub files: Vec<PathBuf>,
    /// Folders that could not be read, with the reason.
    pub unreadable: Vec<(PathBuf, io::Error)>,
}

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

/// Finds what is below `start`, which is `projects` or a folder in it.
/// Symbolic links are not followed: what they point to inside the root is
/// found by its own name, and what is outside is none of ours.
pub fn scan(projects: &Path, start: &Path, visit_folder: &mut dyn FnMut(&Path)) -> Found {
    let mut found = Found::default();
    let mut open = vec![start.to_owned()];
    while let Some(folder) = open.pop() {
        // Told first, read after: whatever appears in between shows in one of the two.
        visit_folder(&folder);
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => {
                found.unreadable.push((folder, error));
                continue;
            }
        };
        for entry in entries.flatten() {
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            let path = entry.path();
            let relative = path.strip_prefix(projects).unwrap_or(&path);
            match place(relative) {
                Place::Folder if kind.is_dir() => open.push(path),
                Place::Session | Place::Subagent(_) if kind.is_file() => found.files.push(path),
                _ => {}
            }
        }
        found.folders.push(folder);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transcripts_are_told_from_what_lies_beside_them() {
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
    fn a_scan_finds_every_transcript_and_follows_no_link() {
        let dir = tempfile::tempdir().unwrap();
        let projects = dir.path();
        let session = projects.join("-p/a1/subagents");
        fs::create_dir_all(&session).unwrap();
        fs::write(session.join("agent-7.jsonl"), "").unwrap();
        fs::write(projects.join("-p/a1.jsonl"), "").unwrap();
        std::os::unix::fs::symlink(projects, projects.join("-p/loop")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", projects.join("-p/out.jsonl")).unwrap();
        let mut visited = 0;
        let mut found = scan(projects, projects, &mut |_| visited += 1);
        found.files.sort();
        assert_eq!(
            found.files,
            [
                projects.join("-p/a1/subagents/agent-7.jsonl"),
                projects.join("-p/a1.jsonl")
            ]
        );
        assert_eq!(visited, found.folders.len());
        assert_eq!(found.folders.len(), 4);
    }
}
