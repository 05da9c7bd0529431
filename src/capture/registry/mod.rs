//! The session registry: `<root>/sessions/<pid>.json`, one file a process of the
//! CLI, rewritten when what it does changes.
//!
//! In: hints of the kernel where to look, ends of processes; what the log has of them.
//! Out: a line of the spool for each change.
//!
//! Promises
//! - a change is appended once, in the order it was seen
//! - a process that is gone is noticed although its file stays, without looking
//!   again and again
//! - a process that is hidden from us lives until the kernel says that it ended
//! - nothing but `<pid>.json` is opened: the keys beside it are never read
//! - a process that is in another session than before left the one before
//!
//! Not here: what a change means for a session (`derive`).

mod appender;
mod observer;

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use tokio::{
    sync::mpsc,
    task::{AbortHandle, JoinSet},
};

use crate::{
    process::{
        self,
        entry::{pid_of, read},
    },
    spool::{Observation, Spool},
    store::{OpenSession, Process},
};

use super::hints::Hints;
use appender::append_all;
use observer::Observer;

/// Changes that wait for a spool that cannot be written. Behind them nothing is
/// read: a later pass finds each file as it is by then.
const MAX_WAITING: usize = 1024;

pub struct Registry {
    folders: Vec<PathBuf>,
    host: String,
    observer: Observer,
    /// One waits for the end of each process that has a file.
    ends: JoinSet<PathBuf>,
    waiting: HashMap<PathBuf, AbortHandle>,
    news: mpsc::Sender<Observation>,
    /// It was logged that processes are hidden from us.
    said_hidden: bool,
}

impl Registry {
    /// Appends to the spool from now on, in a task of its own: its disk may be slow.
    pub fn start(roots: &[PathBuf], spool: Spool, host: String) -> Registry {
        let (news, changes) = mpsc::channel(MAX_WAITING);
        tokio::spawn(append_all(spool, host.clone(), changes));
        Registry {
            host,
            folders: roots.iter().map(|root| sessions_of(root)).collect(),
            observer: Observer::default(),
            ends: JoinSet::new(),
            waiting: HashMap::new(),
            news,
            said_hidden: false,
        }
    }

    /// Asks the kernel for hints, and reads everything.
    pub fn look_at_all(&mut self, hints: &mut Hints) {
        for folder in self.folders.clone() {
            hints.watch(if folder.is_dir() {
                &folder
            } else {
                parent(&folder)
            });
            let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
            for entry in entries {
                self.look(&entry.path());
            }
        }
        let missing: Vec<PathBuf> = self
            .observer
            .files()
            .filter(|file| !file.exists())
            .cloned()
            .collect();
        missing.iter().for_each(|file| self.removed(file));
    }

    /// Takes a hint; whether it was one for the registry.
    pub fn hinted(&mut self, path: &Path, hints: &mut Hints) -> bool {
        if self.folders.iter().any(|folder| folder == path) {
            self.look_at_all(hints);
            return true;
        }
        let is_ours = self
            .folders
            .iter()
            .any(|folder| path.parent() == Some(folder));
        if is_ours {
            self.look(path);
        }
        is_ours
    }

    /// Waits until a process ends, and takes that in. Never ends without one.
    pub async fn process_ended(&mut self) {
        loop {
            match self.ends.join_next().await {
                Some(Ok(file)) => return self.ended(&file),
                // Its file was removed first.
                Some(Err(_)) => {}
                None => return std::future::pending().await,
            }
        }
    }

    fn look(&mut self, file: &Path) {
        if pid_of(file).is_none() || self.is_full() {
            return;
        }
        match read(file) {
            Some(bytes) => {
                let news = self.observer.read(file, &bytes);
                self.pass_on(news);
                self.wait_for_end(file);
            }
            None => self.removed(file),
        }
    }

    /// A pid of another machine's home folder, or of a container, is not ours to judge.
    fn wait_for_end(&mut self, file: &Path) {
        let Some(entry) = self.observer.entry(file) else {
            return;
        };
        if self.waiting.contains_key(file) || entry.is_foreign() {
            return;
        }
        let (pid, started, ended) = (entry.pid, entry.proc_start.clone(), file.to_owned());
        let is_hidden = process::is_hidden(pid);
        let is_over = is_hidden && is_older_than_boot(file);
        let handle = self.ends.spawn(async move {
            if !is_over {
                process::ended(pid, started).await;
            }
            ended
        });
        self.waiting.insert(file.to_owned(), handle);
        if is_hidden && !std::mem::replace(&mut self.said_hidden, true) {
            tracing::info!(
                "/proc hides processes of the registry (ProtectProc=, hidepid=): their end is \
                 noticed, but not that another process has the number of one that ended unseen"
            );
        }
    }

    /// Compares the processes that the log has in its open sessions with those that are
    /// there: while this did not run, one may have ended, or gone on in another session.
    /// False if there was no room to say all of it.
    pub fn compare(&self, sessions: &[OpenSession]) -> bool {
        for session in sessions {
            let uuid = &session.session_uuid;
            let own = session.processes().iter().filter(|known| {
                let host = known.host.as_ref();
                host.is_none_or(|host| *host == self.host)
            });
            for Process { pid, started, .. } in own {
                if self.is_full() {
                    return false;
                }
                let started = started.as_deref();
                let lives = || process::lives(*pid, started) || process::is_hidden(*pid);
                self.pass_on(self.observer.compare(uuid, *pid, started, lives));
            }
        }
        true
    }

    /// The file may be another process's by now: then it is read anew.
    fn ended(&mut self, file: &Path) {
        self.waiting.remove(file);
        if self.is_full() {
            return;
        }
        let before = self
            .observer
            .entry(file)
            .map(|entry| entry.proc_start.clone());
        if let Some(bytes) = read(file) {
            let news = self.observer.read(file, &bytes);
            self.pass_on(news);
        }
        match self.observer.entry(file) {
            Some(entry) if Some(&entry.proc_start) != before.as_ref() => self.wait_for_end(file),
            _ => {
                let news = self.observer.gone(file);
                self.pass_on(news);
            }
        }
    }

    fn removed(&mut self, file: &Path) {
        if self.is_full() {
            return;
        }
        if let Some(waiting) = self.waiting.remove(file) {
            waiting.abort();
        }
        let news = self.observer.gone(file);
        self.observer.forget(file);
        self.pass_on(news);
    }

    /// Room for the changes that a look may bring: two of a reading, and an end.
    fn is_full(&self) -> bool {
        self.news.capacity() < 3
    }

    fn pass_on(&self, news: impl IntoIterator<Item = Observation>) {
        // There is room, and the receiver ends only with the runtime.
        news.into_iter()
            .for_each(|news| drop(self.news.try_send(news)));
    }
}

fn sessions_of(root: &Path) -> PathBuf {
    let root = root.canonicalize().unwrap_or_else(|_| root.to_owned());
    root.join("sessions")
}

fn parent(folder: &Path) -> &Path {
    folder.parent().unwrap_or(folder)
}

/// Whether a file was last written before the machine was started: its process is
/// over, whatever process has the number by now.
fn is_older_than_boot(file: &Path) -> bool {
    // Of a file that is gone its age decides nothing.
    let written = fs::metadata(file).and_then(|found| found.modified()).ok();
    let times = written.zip(process::booted());
    times.is_some_and(|(written, booted)| written < booted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn behind_a_full_queue_nothing_is_read_and_a_later_look_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let pid = std::process::id();
        let file = dir.path().join(format!("{pid}.json"));
        let says = |status: &str| {
            let entry = serde_json::json!({"pid": pid, "sessionId": "s", "status": status});
            fs::write(&file, entry.to_string()).unwrap();
        };
        let (news, mut changes) = mpsc::channel(3);
        let mut registry = Registry {
            folders: vec![dir.path().to_owned()],
            host: String::new(),
            observer: Observer::default(),
            ends: JoinSet::new(),
            waiting: HashMap::new(),
            news,
            said_hidden: false,
        };
        says("idle");
        registry.look(&file);
        says("busy");
        registry.look(&file);
        assert_eq!(changes.recv().await.unwrap().status, "idle");
        assert!(changes.try_recv().is_err(), "nothing was read");
        registry.look(&file);
        assert_eq!(changes.recv().await.unwrap().status, "busy");
    }
}
