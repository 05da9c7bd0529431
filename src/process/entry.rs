//! What a process of the CLI says of itself: `<root>/sessions/<pid>.json`, the CLI's
//! registry.

use std::{fs, io::Read, path::Path};

use serde::Deserialize;

use super::is_of_this_machine;

/// An entry is a few hundred bytes; what is longer is none.
const MAX_ENTRY_BYTES: u64 = 256 * 1024;

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
    pub version: Option<String>,
    #[serde(default)]
    pub cwd: Option<String>,
    #[serde(default)]
    pub status: Option<String>,
    #[serde(default)]
    pub waiting_for: Option<String>,
    #[serde(default)]
    pub status_updated_at: Option<i64>,
    /// Older versions say only this.
    #[serde(default)]
    pub updated_at: Option<i64>,
}

impl Entry {
    /// What these bytes of a file say; nothing if they are half of it, or of another process.
    pub fn parse(file: &Path, bytes: &[u8]) -> Option<Entry> {
        let entry: Entry = serde_json::from_slice(bytes).ok()?;
        let is_its = pid_of(file) == Some(entry.pid) && !entry.session_id.is_empty();
        is_its.then_some(entry)
    }

    /// Its pid counts in another container, or on another machine.
    pub fn is_foreign(&self) -> bool {
        let domain = self.pid_domain.as_deref();
        !domain.is_none_or(is_of_this_machine)
    }
}

/// The pid that names a file of the registry; nothing for any other file, the
/// keys beside it above all.
pub fn pid_of(file: &Path) -> Option<u32> {
    let name = file.file_name()?.to_str()?.strip_suffix(".json")?;
    let is_number = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| name.parse().ok())?
}

/// What the file has, if it is a file of the registry and of ordinary size.
pub fn read(file: &Path) -> Option<Vec<u8>> {
    pid_of(file)?;
    // A pipe would wait for ever.
    let is_file = fs::symlink_metadata(file).is_ok_and(|found| found.is_file());
    let opened = is_file.then(|| fs::File::open(file).ok())??;
    let mut bytes = Vec::new();
    opened.take(MAX_ENTRY_BYTES).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_named_by_a_pid_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let said = |name: &str| {
            let file = folder.path().join(name);
            fs::write(&file, "{}").unwrap();
            (pid_of(&file), read(&file).is_some())
        };
        assert_eq!(said("22300.json"), (Some(22300), true));
        for name in [
            "22300.ab12.key",
            "x.json",
            ".json",
            "-1.json",
            "22300.json.tmp",
            "99999999999.json",
        ] {
            assert_eq!(said(name), (None, false), "{name}");
        }
    }

    #[test]
    fn an_entry_is_of_the_process_that_names_its_file() {
        let parse = |text: &str| Entry::parse(Path::new("/r/sessions/7.json"), text.as_bytes());
        let entry = parse(r#"{"pid":7,"sessionId":"s","later":{"field":1}}"#).unwrap();
        assert_eq!((entry.pid, &*entry.session_id), (7, "s"));
        assert!(!entry.is_foreign());
        for text in [
            "",
            r#"{"pid":7,"sessionId":"s""#,
            r#"{"pid":8,"sessionId":"s"}"#,
            r#"{"pid":7,"sessionId":""}"#,
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
