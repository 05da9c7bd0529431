//! The CLI's processes that run, as its registry names them.

use std::{fs, io::Read, path::Path};

use serde::Deserialize;

use super::Version;
use crate::process;

const MAX_ENTRY_BYTES: u64 = 256 * 1024;

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

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    pid: u32,
    session_id: String,
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    proc_start: Option<String>,
    #[serde(default)]
    pid_domain: Option<String>,
}

impl Entry {
    fn is_foreign(&self) -> bool {
        let domain = self.pid_domain.as_deref();
        !domain.is_none_or(process::is_of_this_machine)
    }

    fn is_over(&self) -> bool {
        !self.is_foreign() && !process::lives(self.pid, self.proc_start.as_deref())
    }
}

/// Those of one folder of the CLI, without those that are known to be over.
pub fn running(root: &Path) -> Vec<Running> {
    let entries = fs::read_dir(root.join("sessions")).into_iter().flatten();
    let mut found: Vec<Running> = entries
        .filter_map(|entry| read(&entry.ok()?.path()))
        .filter(|entry| !entry.is_over())
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

/// The entry of one process. Nothing but `<pid>.json` is opened: beside it are keys.
fn read(path: &Path) -> Option<Entry> {
    let name = path.file_name()?.to_str()?.strip_suffix(".json")?;
    let pid: u32 = name.parse().ok()?;
    // A pipe would wait for ever.
    let is_file = fs::symlink_metadata(path).is_ok_and(|found| found.is_file());
    let path = is_file.then_some(path)?;
    let mut text = String::new();
    let file = fs::File::open(path).ok()?;
    file.take(MAX_ENTRY_BYTES).read_to_string(&mut text).ok()?;
    let entry: Entry = serde_json::from_str(&text).ok()?;
    (entry.pid == pid).then_some(entry)
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
