//! The CLI's processes that run, as its registry names them.

use std::{fs, path::Path};

use super::Version;
use crate::process::{self, Entry, entry};

/// A process of the CLI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    pub pid: u32,
    pub session: String,
    pub version: Option<Version>,
    /// It says what it does.
    pub has_status: bool,
    /// Its pid counts in another container, or on another machine.
    pub is_foreign: bool,
}

fn is_over(entry: &Entry) -> bool {
    !entry.is_foreign() && !process::lives(entry.pid, entry.proc_start.as_deref())
}

/// Those of one folder of the CLI, without those that are known to be over.
pub fn running(root: &Path) -> Vec<Running> {
    let entries = fs::read_dir(root.join("sessions")).into_iter().flatten();
    let mut found: Vec<Running> = entries
        .filter_map(|entry| read(&entry.ok()?.path()))
        .filter(|entry| !is_over(entry))
        .map(|entry| Running {
            is_foreign: entry.is_foreign(),
            pid: entry.pid,
            session: entry.session_id,
            version: entry.version.as_deref().and_then(Version::parse),
            has_status: entry.status.is_some(),
        })
        .collect();
    found.sort_by_key(|running| running.pid);
    found
}

fn read(file: &Path) -> Option<Entry> {
    Entry::parse(file, &entry::read(file)?)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn what_is_no_file_is_passed_over() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("sessions");
        fs::create_dir(&folder).unwrap();
        // To open it would wait for a writer.
        let pipe = folder.join("7.json");
        assert!(Command::new("mkfifo").arg(pipe).status().unwrap().success());
        let pid = std::process::id();
        let entry = format!(r#"{{"pid":{pid},"sessionId":"s"}}"#);
        fs::write(folder.join(format!("{pid}.json")), entry).unwrap();
        let found = running(root.path());
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].session, "s");
    }
}
