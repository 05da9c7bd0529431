//! Which readings of the registry say something new: pure.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use crate::{process::Entry, spool::Observation};

/// What each file said last.
#[derive(Debug, Default)]
pub struct Observer {
    entries: HashMap<PathBuf, Known>,
}

#[derive(Debug)]
struct Known {
    entry: Entry,
    /// The session it was in when it last said what it does.
    session: Option<String>,
    /// Its process is over, although the file stays.
    gone: bool,
}

impl Observer {
    /// Takes in what a file says. Half-written it says nothing, and what it
    /// said before counts.
    pub fn read(&mut self, file: &Path, bytes: &[u8]) -> Vec<Observation> {
        let Some(entry) = Entry::parse(file, bytes) else {
            return Vec::new();
        };
        let known = self.entries.get(file);
        if known.is_some_and(|known| known.gone && known.entry == entry) {
            return Vec::new();
        }
        // Without a status it is no evidence yet.
        let known = known.filter(|known| !known.gone);
        let before = known.and_then(|known| observed(&known.entry));
        let says = observed(&entry);
        let same = known.filter(|known| known.entry.proc_start == entry.proc_start);
        let session = same.and_then(|known| known.session.clone());
        let left = session
            .clone()
            .filter(|session| says.is_some() && *session != entry.session_id)
            .map(|session| left(&entry, session));
        let session = match &says {
            Some(_) => Some(entry.session_id.clone()),
            None => session,
        };
        let gone = false;
        let known = Known {
            entry,
            session,
            gone,
        };
        self.entries.insert(file.to_owned(), known);
        // The session it is in now is known before the one it came from is left.
        let news = says.filter(|news| before.as_ref() != Some(news));
        news.into_iter().chain(left).collect()
    }

    /// What is to be said of a process that the log has in a session: nothing if it is
    /// there, or may be.
    pub fn compare(
        &self,
        session: &str,
        pid: u32,
        started: Option<&str>,
        lives: impl FnOnce() -> bool,
    ) -> Option<Observation> {
        let mut entries = self.entries.values();
        let is_it = |entry: &Entry| {
            entry.pid == pid && (started.is_none() || entry.proc_start.as_deref() == started)
        };
        match entries.find(|known| is_it(&known.entry)) {
            Some(Known { gone: true, .. }) => None,
            Some(Known {
                entry,
                session: now,
                ..
            }) => {
                let elsewhere = now.as_deref().is_some_and(|now| now != session);
                elsewhere.then(|| left(entry, session.to_owned()))
            }
            None => (!lives()).then(|| Observation {
                claude_session_id: session.to_owned(),
                status: Observation::GONE.into(),
                pid,
                waiting_for: None,
                process_started: started.map(str::to_owned),
                working_directory: None,
                successor: None,
                status_updated_at: None,
            }),
        }
    }

    /// Takes in that a file was removed or its process is gone: once, until the
    /// file says something else.
    pub fn gone(&mut self, file: &Path) -> Option<Observation> {
        let known = self.entries.get_mut(file).filter(|known| !known.gone)?;
        known.gone = true;
        let session = known.session.as_ref();
        Some(Observation {
            claude_session_id: session.unwrap_or(&known.entry.session_id).clone(),
            status: Observation::GONE.into(),
            waiting_for: None,
            ..observation(&known.entry)
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

fn observed(entry: &Entry) -> Option<Observation> {
    let is_known = |status: &str| ["busy", "shell", "idle", "waiting"].contains(&status);
    let is_told = entry.status.as_deref().is_some_and(is_known);
    is_told.then(|| observation(entry))
}

/// Its process is no longer in that session, but in its own.
fn left(entry: &Entry, session: String) -> Observation {
    Observation {
        claude_session_id: session,
        status: Observation::GONE.into(),
        waiting_for: None,
        successor: Some(entry.session_id.clone()),
        // Whenever that is found out, it is one fact.
        status_updated_at: None,
        ..observation(entry)
    }
}

fn observation(entry: &Entry) -> Observation {
    Observation {
        claude_session_id: entry.session_id.clone(),
        status: entry.status.clone().unwrap_or_default(),
        pid: entry.pid,
        waiting_for: entry.waiting_for.clone(),
        process_started: entry.proc_start.clone(),
        successor: None,
        working_directory: entry.cwd.clone(),
        status_updated_at: entry.status_updated_at.or(entry.updated_at),
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

    fn status(observations: Vec<Observation>) -> Option<String> {
        let mut statuses = observations.into_iter().map(|said| said.status);
        let status = statuses.next();
        assert_eq!(statuses.next(), None);
        status
    }

    fn in_session(session: &str, entry: Vec<u8>) -> Vec<u8> {
        let entry = String::from_utf8(entry).unwrap();
        entry
            .replace("\"s\"", &format!("\"{session}\""))
            .into_bytes()
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
    }

    #[test]
    fn a_process_that_is_in_another_session_left_its_own() {
        let mut observer = Observer::default();
        observer.read(seven(), &entry("busy", 1));
        // Without a status the new one is not believed yet.
        let nowhere = br#"{"pid":7,"sessionId":"u","procStart":"99"}"#;
        assert!(observer.read(seven(), nowhere).is_empty());
        let said = observer.read(seven(), &in_session("t", entry("busy", 1)));
        let said: Vec<_> = said
            .iter()
            .map(|said| {
                (
                    &*said.claude_session_id,
                    &*said.status,
                    said.successor.as_deref(),
                )
            })
            .collect();
        assert_eq!(said, [("t", "busy", None), ("s", "gone", Some("t"))]);
        assert!(
            observer
                .read(seven(), &in_session("t", entry("busy", 1)))
                .is_empty()
        );
        assert!(observer.read(seven(), nowhere).is_empty());
        assert_eq!(observer.gone(seven()).unwrap().claude_session_id, "t");
    }

    #[test]
    fn what_the_log_has_of_a_process_is_compared_with_what_is_there() {
        let mut observer = Observer::default();
        observer.read(seven(), &entry("busy", 1));
        let compare = |session: &str, started, lives| {
            let found = observer.compare(session, 7, Some(started), || lives);
            found.map(|found| (found.status, found.successor))
        };
        let gone =
            |successor: Option<&str>| Some(("gone".to_owned(), successor.map(str::to_owned)));
        assert_eq!(compare("s", "99", false), None, "its file says so");
        assert_eq!(compare("old", "99", true), gone(Some("s")));
        assert_eq!(compare("old", "98", true), None, "it lives, without a file");
        assert_eq!(compare("old", "98", false), gone(None));
        observer.gone(seven());
        let known = observer.compare("s", 7, Some("99"), || false);
        assert!(known.is_none(), "that is said already");
    }

    #[test]
    fn half_a_file_and_no_status_say_nothing_and_the_last_reading_counts() {
        let mut observer = Observer::default();
        let whole = entry("waiting", 1);
        assert!(observer.read(seven(), &whole[..40]).is_empty());
        assert!(
            observer
                .read(seven(), br#"{"pid":7,"sessionId":"s"}"#)
                .is_empty()
        );
        assert!(
            observer.read(seven(), &entry("later", 1)).is_empty(),
            "an unknown status"
        );
        assert!(
            observer
                .read(Path::new("/r/sessions/8.json"), &whole)
                .is_empty(),
            "another process's file"
        );
        assert_eq!(
            status(observer.read(seven(), &whole)).as_deref(),
            Some("waiting")
        );
        assert!(observer.read(seven(), b"").is_empty());
        let gone = observer.gone(seven()).unwrap();
        assert_eq!(
            (gone.status.as_str(), gone.claude_session_id.as_str()),
            ("gone", "s")
        );
        assert_eq!(gone.process_started.as_deref(), Some("99"));
        assert!(observer.gone(seven()).is_none(), "once");
        // A killed process leaves its file: read again, it says nothing new.
        assert!(observer.read(seven(), &whole).is_empty());
        assert!(observer.gone(seven()).is_none(), "still once");
        assert!(
            !observer.read(seven(), &entry("idle", 2)).is_empty(),
            "the pid came again"
        );
    }
}
