//! Which readings of the registry say something new: pure.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use crate::spool::Observation;

/// What the registry says of one process.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    pub pid: u32,
    pub session_id: String,
    /// When the process began, as the kernel counts it.
    #[serde(default)]
    pub proc_start: Option<String>,
    /// The machine and the process namespace in which the pid counts.
    #[serde(default)]
    pub pid_domain: Option<String>,
    #[serde(default)]
    cwd: Option<String>,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    waiting_for: Option<String>,
    #[serde(default)]
    status_updated_at: Option<i64>,
    /// Older versions say only this.
    #[serde(default)]
    updated_at: Option<i64>,
}

/// What each file said last.
#[derive(Debug, Default)]
pub struct Observer {
    entries: HashMap<PathBuf, Known>,
}

#[derive(Debug)]
struct Known {
    entry: Entry,
    /// Its process is over, although the file stays.
    gone: bool,
}

/// The pid that names a file of the registry; nothing for any other file, the
/// keys beside it above all.
pub fn pid_of(file: &Path) -> Option<u32> {
    let name = file.file_name()?.to_str()?.strip_suffix(".json")?;
    let is_number = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| name.parse().ok())?
}

impl Observer {
    /// Takes in what a file says. Half-written it says nothing, and what it
    /// said before counts.
    pub fn read(&mut self, file: &Path, bytes: &[u8]) -> Option<Observation> {
        let entry: Entry = serde_json::from_slice(bytes).ok()?;
        if pid_of(file) != Some(entry.pid) || entry.session_id.is_empty() {
            return None;
        }
        let known = self.entries.get(file);
        if known.is_some_and(|known| known.gone && known.entry == entry) {
            return None;
        }
        // Without a status it is no evidence yet.
        let before = known.filter(|known| !known.gone);
        let before = before.and_then(|known| known.entry.observed());
        let news = entry
            .observed()
            .filter(|news| before.as_ref() != Some(news));
        let known = Known { entry, gone: false };
        self.entries.insert(file.to_owned(), known);
        news
    }

    /// Takes in that a file was removed or its process is gone: once, until the
    /// file says something else.
    pub fn gone(&mut self, file: &Path) -> Option<Observation> {
        let known = self.entries.get_mut(file).filter(|known| !known.gone)?;
        known.gone = true;
        Some(Observation {
            status: Observation::GONE.into(),
            waiting_for: None,
            ..known.entry.observation()
        })
    }

    /// The file is no longer there.
    pub fn forget(&mut self, file: &Path) {
        self.entries.remove(file);
    }

    /// What a file said last, if its process was not gone since.
    pub fn entry(&self, file: &Path) -> Option<&Entry> {
        let known = self.entries.get(file).filter(|known| !known.gone);
        known.map(|known| &known.entry)
    }

    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        self.entries.keys()
    }
}

impl Entry {
    fn observed(&self) -> Option<Observation> {
        let is_known = |status: &str| ["busy", "shell", "idle", "waiting"].contains(&status);
        self.status
            .as_deref()
            .is_some_and(is_known)
            .then(|| self.observation())
    }

    fn observation(&self) -> Observation {
        Observation {
            claude_session_id: self.session_id.clone(),
            status: self.status.clone().unwrap_or_default(),
            pid: self.pid,
            waiting_for: self.waiting_for.clone(),
            process_started: self.proc_start.clone(),
            working_directory: self.cwd.clone(),
            status_updated_at: self.status_updated_at.or(self.updated_at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn entry(status: &str, at: i64) -> Vec<u8> {
        json!({"pid": 7, "sessionId": "s", "cwd": "/p", "procStart": "99", "status": status,
               "statusUpdatedAt": at, "later": {"field": 1}})
        .to_string()
        .into_bytes()
    }

    fn seven() -> &'static Path {
        Path::new("/r/sessions/7.json")
    }

    fn status(observation: Option<Observation>) -> Option<String> {
        observation.map(|observation| observation.status)
    }

    #[test]
    fn each_change_is_one_observation() {
        let mut observer = Observer::default();
        let mut read = |bytes: &[u8]| status(observer.read(seven(), bytes));
        assert_eq!(read(&entry("idle", 1)).as_deref(), Some("idle"));
        assert_eq!(read(&entry("idle", 1)), None);
        assert_eq!(read(&entry("busy", 2)).as_deref(), Some("busy"));
        // The same status, said anew: something happened in between.
        assert_eq!(read(&entry("busy", 3)).as_deref(), Some("busy"));
        let other = String::from_utf8(entry("busy", 3))
            .unwrap()
            .replace("\"s\"", "\"t\"");
        assert_eq!(
            read(other.as_bytes()).as_deref(),
            Some("busy"),
            "another session"
        );
    }

    #[test]
    fn half_a_file_and_no_status_say_nothing_and_the_last_reading_counts() {
        let mut observer = Observer::default();
        let whole = entry("waiting", 1);
        assert!(observer.read(seven(), &whole[..40]).is_none());
        assert!(
            observer
                .read(seven(), br#"{"pid":7,"sessionId":"s"}"#)
                .is_none()
        );
        assert!(
            observer.read(seven(), &entry("later", 1)).is_none(),
            "an unknown status"
        );
        assert!(
            observer
                .read(Path::new("/r/sessions/8.json"), &whole)
                .is_none(),
            "another process's file"
        );
        assert_eq!(
            status(observer.read(seven(), &whole)).as_deref(),
            Some("waiting")
        );
        assert!(observer.read(seven(), b"").is_none());
        let gone = observer.gone(seven()).unwrap();
        assert_eq!(
            (gone.status.as_str(), gone.claude_session_id.as_str()),
            ("gone", "s")
        );
        assert_eq!(gone.process_started.as_deref(), Some("99"));
        assert!(observer.gone(seven()).is_none(), "once");
        // A killed process leaves its file: read again, it says nothing new.
        assert!(observer.read(seven(), &whole).is_none());
        assert!(observer.gone(seven()).is_none(), "still once");
        assert!(
            observer.read(seven(), &entry("idle", 2)).is_some(),
            "the pid came again"
        );
    }

    #[test]
    fn only_files_named_by_a_pid_are_read() {
        let pid = |name: &str| pid_of(Path::new(name));
        assert_eq!(pid("/r/sessions/22300.json"), Some(22300));
        for name in [
            "22300.ab12.key",
            "x.json",
            ".json",
            "-1.json",
            "22300.json.tmp",
            "99999999999.json",
        ] {
            assert_eq!(pid(name), None, "{name}");
        }
    }
}
