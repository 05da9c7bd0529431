//! Finds the transcripts below a root.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use crate::{
    dialect::{Place, claude::place},
    tail::file::Snapshot,
};

/// What one pass over a root found.
#[derive(Debug, Default)]
pub struct Listed {
    pub folders: Vec<PathBuf>,
    pub files: Vec<PathBuf>,
    /// Folders that could not be read, with the reason.
    pub unreadable: Vec<(PathBuf, io::Error)>,
}

/// What folders held when they were last read. One that has not changed since
/// is not read again: reading a watched folder is itself a notification.
#[derive(Debug, Default)]
pub struct Listings(HashMap<PathBuf, Listing>);

#[derive(Debug)]
struct Listing {
    /// The folder as it was read; nothing if it may have changed in that moment.
    read_at: Option<Snapshot>,
    files: Vec<PathBuf>,
    folders: Vec<PathBuf>,
}

/// Finds what is below `start`, which is `projects` or a folder in it.
/// Symbolic links are not followed: what they point to inside the root is
/// found by its own name, and what is outside is none of ours.
pub fn scan(
    projects: &Path,
    start: &Path,
    listings: &mut Listings,
    now: SystemTime,
    visit_folder: &mut dyn FnMut(&Path),
) -> Listed {
    let mut found = Listed::default();
    let mut open = vec![start.to_owned()];
    while let Some(folder) = open.pop() {
        // Shown first, read after: whatever appears in between shows in one of the two.
        visit_folder(&folder);
        match listings.of(projects, &folder, now) {
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
    fn of(&mut self, projects: &Path, folder: &Path, now: SystemTime) -> io::Result<&Listing> {
        let snapshot = Snapshot::of(&fs::metadata(folder)?);
        let known = self.0.get(folder).and_then(|listing| listing.read_at);
        if known != Some(snapshot) {
            self.0.remove(folder);
            let settled = snapshot.is_settled(now);
            let listing = Listing::read(projects, folder, settled.then_some(snapshot))?;
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
        let mut found = scan(
            projects,
            projects,
            &mut listings,
            SystemTime::now(),
            &mut |_| visited += 1,
        );
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
        let again = scan(
            projects,
            projects,
            &mut listings,
            SystemTime::now(),
            &mut |_| {},
        );
        assert_eq!(again.files.len(), 2, "{:?}", again.files);
    }
}
