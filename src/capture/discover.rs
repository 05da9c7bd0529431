//! Where the input is: hints of the kernel, and now and then a pass over all
//! folders, which finds what the hints missed.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use crate::{
    dialect::{Place, Watched},
    spool::Spool,
    store::OpenSession,
    tail::Tail,
};

use super::{
    clock::Now,
    hints::{Changed, Hints},
    queue::Queue,
    registry::Registry,
    roots::Roots,
};

/// How often everything is looked at when the kernel gives no hints.
const BLIND_RECONCILE: Duration = Duration::from_secs(1);

/// How soon everything is looked at after a file or folder is new. What was
/// looked at in the moment of its change must be looked at again; sooner than at
/// the next pass, as opening a watched file or folder is itself a notification.
const SETTLE: Duration = Duration::from_secs(2);

pub struct Discovery {
    roots: Roots,
    /// Nothing while only catching up: what a process does now is no history.
    registry: Option<Registry>,
    hints: Hints,
    /// Hints that were taken, and nothing was looked at yet.
    pending: Changed,
    /// A file that is not watched yet.
    to_watch: Option<PathBuf>,
    next_scan: Instant,
}

impl Discovery {
    pub fn new(roots: &[PathBuf], spool: Spool, now: Instant) -> Discovery {
        Discovery {
            roots: Roots::new(roots, spool),
            registry: None,
            hints: Hints::new(),
            pending: Changed::default(),
            to_watch: None,
            next_scan: now,
        }
    }

    /// Asks the kernel for hints about every folder there is.
    pub fn watch_all(&mut self, now: Now) {
        self.roots.watch_all(&mut self.hints, now.wall);
    }

    /// Asks for a hint when this file is replaced, moved or deleted, from the next wait on:
    /// while there is work, its own writes would be as many hints.
    pub fn watch_file(&mut self, file: &Path) {
        self.to_watch = Some(file.to_owned());
    }

    pub fn observes(&self) -> bool {
        self.registry.is_some()
    }

    /// Observes the registry from now on.
    pub fn observe(&mut self, mut registry: Registry) {
        registry.look_at_all(&mut self.hints);
        self.registry = Some(registry);
    }

    /// Waits until there is something to look at.
    pub async fn hinted(&mut self) {
        if let Some(file) = self.to_watch.take() {
            self.hints.watch_file(&file);
        }
        let registry = &mut self.registry;
        tokio::select! {
            () = self.hints.hinted() => {}
            () = async {
                match registry {
                    Some(registry) => registry.process_ended().await,
                    None => std::future::pending().await,
                }
            } => {}
        }
    }

    /// Takes in what the registry says now: it says nothing twice, and does not wait
    /// for a database that is away. The other hints are kept.
    pub fn look_at_registry(&mut self) {
        let mut changed = self.hints.take();
        if let Some(registry) = &mut self.registry {
            if changed.everywhere {
                registry.look_at_all(&mut self.hints);
            }
            changed
                .paths
                .retain(|path| !registry.hinted(path, &mut self.hints));
        }
        self.pending.everywhere |= changed.everywhere;
        self.pending.add(changed.paths);
    }

    /// Compares the processes of open sessions with those that are there; true if that
    /// was done for all of them.
    pub fn compare(&self, sessions: &[OpenSession]) -> bool {
        let registry = self.registry.as_ref();
        registry.is_none_or(|registry| registry.compare(sessions))
    }

    /// Queues what the hints name, and when it is time for it every file that
    /// changed since it was read; says whether it looked at all of them.
    pub fn look_around(
        &mut self,
        now: Now,
        every: Duration,
        tail: &Tail,
        queue: &mut Queue,
    ) -> bool {
        self.look_at_registry();
        let changed = std::mem::take(&mut self.pending);
        let everywhere = changed.everywhere || now.steady >= self.next_scan;
        if everywhere {
            self.hints.forget_gone();
            self.roots.scan_all(&mut self.hints, tail, queue, now.wall);
            self.next_scan = now.steady + every;
            if let Some(registry) = &mut self.registry {
                registry.look_at_all(&mut self.hints);
            }
        }
        for path in changed.paths {
            if self.place(&path) != Place::Nothing && !tail.is_known(&path) {
                self.next_scan = self.next_scan.min(now.steady + SETTLE);
            }
            self.roots
                .hinted(&path, &mut self.hints, tail, queue, now.wall);
        }
        // Also when it is a hint that led to a folder which cannot be watched.
        if self.hints.blind().is_some() || cfg!(target_os = "macos") {
            self.next_scan = self.next_scan.min(now.steady + BLIND_RECONCILE);
        }
        everywhere
    }

    /// Whose words are taken in.
    pub fn watched(&self) -> &Watched {
        &self.roots.watched
    }

    /// From now on these are watched; all files are looked at again.
    pub fn watch(&mut self, watched: Watched, now: Instant) {
        self.roots.watched = watched;
        self.scan_at_once(now);
    }

    /// A program registered a session: its file may be there already.
    pub fn registered(&mut self, session: &str, now: Instant) {
        if let Watched::Registered(sessions) = &mut self.roots.watched
            && sessions.insert(session.to_owned())
        {
            self.scan_at_once(now);
        }
    }

    /// Looks at everything at the next step.
    pub fn scan_at_once(&mut self, now: Instant) {
        self.next_scan = now;
    }

    pub fn next_scan(&self) -> Instant {
        self.next_scan
    }

    /// A segment of the spool was read to its end.
    pub fn end_of_segment(&mut self, path: &Path, tail: &Tail, queue: &mut Queue, now: Instant) {
        self.roots.end_of_segment(path, tail, queue, now);
    }

    /// What a path is to us.
    pub fn place(&self, path: &Path) -> Place {
        self.roots.place(path)
    }

    /// The transcript that a hook names, if it is there and among those we read.
    pub fn transcript(&self, named: &str) -> Option<String> {
        let path = Path::new(named).canonicalize().ok()?;
        let is_read = path.is_file() && self.place(&path) == Place::Session;
        is_read.then(|| path.to_string_lossy().into_owned())
    }

    /// Whether a path could be read; says once why it cannot.
    pub fn note_read<T>(&mut self, path: &Path, read: std::io::Result<T>) -> Option<T> {
        match read {
            Ok(found) => {
                self.roots.can_read(path);
                Some(found)
            }
            Err(error) => {
                self.roots.cannot_read(path, &error);
                None
            }
        }
    }

    /// Why not all folders are watched; nothing if they are.
    pub fn blind(&self) -> Option<&str> {
        self.hints.blind()
    }
}
