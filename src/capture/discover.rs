//! Which files are transcripts.
//!
//! Below a root's `projects`: `<project>/<name>.jsonl` is a session's,
//! `agent-<id>.jsonl` there or anywhere below `<session>/subagents` a
//! subagent's. Nothing else is read: other files there are no transcripts.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use crate::tail::file::Snapshot;

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

/// What folders held when they were last read. One that has not changed since
/// is not read again: reading a watched folder makes the kernel tell us so.
#[derive(Debug, Default)]
pub struct Listings(HashMap<PathBuf, Listing>);

#[derive(Debug)]
struct Listing {
    /// The folder as it was read; nothing if it may have changed in that moment.
    read_at: Option<Snapshot>,
    files: Vec<PathBuf>,
    folders: Vec<PathBuf>,
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
pub fn scan(
    projects: &Path,
    start: &Path,
    listings: &mut Listings,
    visit_folder: &mut dyn FnMut(&Path),
) -> Found {
    let mut found = Found::default();
    let mut open = vec![start.to_owned()];
    while let Some(folder) = open.pop() {
        // Told first, read after: whatever appears in between shows in one of the two.
        visit_folder(&folder);
        match listings.of(projects, &folder) {
            Ok(listing) => {
                open.extend_from_slice(&listing.folders);
                found.files.extend_from_slice(&listing.files);
                found.folders.push(folder);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => found.unreadable.push((folder, error)),
        }
    }
    found
}

impl Listings {
    fn of(&mut self, projects: &Path, folder: &Path) -> io::Result<&Listing> {
        let now = Snapshot::of(&fs::metadata(folder)?);
        let known = self.0.get(folder).and_then(|listing| listing.read_at);
        if known != Some(now) {
            self.0.remove(folder);
            let settled = now.is_settled(SystemTime::now());
            let listing = Listing::read(projects, folder, settled.then_some(now))?;
            self.0.insert(folder.to_owned(), listing);
        }
        Ok(&self.0[folder])
    }
}

impl Listing {
    fn read(projects: &Path, folder: &Path, read_at: Option<Snapshot>) -> io::Result<Listing> {
        let (mut files, mut folders) = (Vec::new(), Vec::new());
        for entry in fs::read_dir(folder)?.flatten() {
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            let path = entry.path();
            let relative = path.strip_prefix(projects).unwrap_or(&path);
            match place(relative) {
                Place::Folder if kind.is_dir() => folders.push(path),
                Place::Session | Place::Subagent(_) if kind.is_file() => files.push(path),
                _ => {}
            }
        }
        Ok(Listing {
            read_at,
            files,
            folders,
        })
    }
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
        let mut listings = Listings::default();
        let mut found = scan(projects, projects, &mut listings, &mut |_| visited += 1);
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
        fs::write(session.join("agent-8.jsonl"), "").unwrap();
        fs::remove_file(projects.join("-p/a1.jsonl")).unwrap();
        let again = scan(projects, projects, &mut listings, &mut |_| {});
        assert_eq!(again.files.len(), 2, "{:?}", again.files);
    }
}
