//! The kernel's notifications: hints where to look, never what happened.
//!
//! Folders are watched one by one, each before it is read, so a file that
//! appears while its folder is new is seen by one of the two. Hints are kept
//! in a bounded set; when it is full, or the kernel's own queue overflows, the
//! hint is “look everywhere”.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

const MAX_HINTS: usize = 4096;

/// What the kernel has hinted at since the last [`Hints::take`].
#[derive(Debug, Default)]
pub struct Changed {
    pub paths: HashSet<PathBuf>,
    /// Hints were lost: look everywhere.
    pub everywhere: bool,
}

impl Changed {
    /// Too many are “look everywhere”.
    pub fn add(&mut self, paths: impl IntoIterator<Item = PathBuf>) {
        self.paths.extend(paths);
        if self.paths.len() > MAX_HINTS {
            self.paths.clear();
            self.everywhere = true;
        }
    }
}

pub struct Hints {
    watcher: Option<RecommendedWatcher>,
    shared: Arc<Inbox>,
    watched: HashSet<PathBuf>,
    /// Why some folders are not watched, if any are not.
    blind: Option<String>,
}

#[derive(Default)]
struct Inbox {
    changed: Mutex<Changed>,
    bell: Notify,
}

impl Hints {
    /// Starts without any folder; a kernel that gives no watcher is survived
    /// by looking everywhere often.
    pub fn new() -> Hints {
        let shared = Arc::new(Inbox::default());
        let for_handler = shared.clone();
        let handler = move |event: notify::Result<notify::Event>| for_handler.take_in(event);
        let (watcher, blind) = match notify::recommended_watcher(handler) {
            Ok(watcher) => (Some(watcher), None),
            Err(error) => (None, Some(error.to_string())),
        };
        Hints {
            watcher,
            shared,
            watched: HashSet::new(),
            blind,
        }
    }

    /// Watches a folder, unless it is watched already.
    pub fn watch(&mut self, folder: &Path) {
        let Some(watcher) = &mut self.watcher else {
            return;
        };
        if self.watched.contains(folder) {
            return;
        }
        match watcher.watch(folder, RecursiveMode::NonRecursive) {
            Ok(()) => {
                self.watched.insert(folder.to_owned());
            }
            // It will be found again if it comes back.
            Err(error) if is_gone(&error) => {}
            Err(error) => {
                if self.blind.is_none() {
                    let folder = folder.display();
                    tracing::warn!(
                        %folder, %error,
                        "cannot watch a folder, {folder}: {error}; looking at all files every \
                         second instead (raise fs.inotify.max_user_watches)"
                    );
                }
                self.blind = Some(error.to_string());
            }
        }
    }

    /// Watches one file, to hear when it is replaced, moved or deleted: anew each
    /// time, as another file may stand under the path.
    pub fn watch_file(&mut self, file: &Path) {
        if let Some(watcher) = &mut self.watcher {
            // Without it the next tick finds out.
            let _ = watcher.unwatch(file);
            let _ = watcher.watch(file, RecursiveMode::NonRecursive);
        }
    }

    /// Forgets folders that are gone, so that they are watched anew when they return.
    pub fn forget_gone(&mut self) {
        let Some(watcher) = &mut self.watcher else {
            return;
        };
        self.watched.retain(|folder| {
            let there = folder.is_dir();
            if !there {
                // Gone already: the kernel has dropped the watch by itself.
                let _ = watcher.unwatch(folder);
            }
            there
        });
    }

    /// Forgets what was watched at and below a folder that came, went or was
    /// renamed: the watches there, if any are left, are another folder's.
    pub fn forget_below(&mut self, folder: &Path) {
        let Some(watcher) = &mut self.watcher else {
            return;
        };
        self.watched.retain(|watched| {
            let below = watched.starts_with(folder);
            if below {
                // Gone already: the kernel has dropped the watch by itself.
                let _ = watcher.unwatch(watched);
            }
            !below
        });
    }

    /// Why not all folders are watched; nothing if they are.
    pub fn blind(&self) -> Option<&str> {
        self.blind.as_deref()
    }

    /// Waits until there is something to take.
    pub async fn hinted(&self) {
        self.shared.bell.notified().await;
    }

    pub fn take(&self) -> Changed {
        std::mem::take(&mut *self.shared.lock())
    }
}

impl Inbox {
    fn take_in(&self, event: notify::Result<notify::Event>) {
        {
            let mut changed = self.lock();
            match event {
                // Our own reading makes these.
                Ok(event) if matches!(event.kind, EventKind::Access(_)) => return,
                Ok(event) if event.need_rescan() || event.paths.is_empty() => {
                    changed.everywhere = true;
                }
                Ok(event) => changed.add(event.paths),
                Err(_) => changed.everywhere = true,
            }
        }
        self.bell.notify_one();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Changed> {
        self.changed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_gone(error: &notify::Error) -> bool {
    match &error.kind {
        notify::ErrorKind::PathNotFound => true,
        notify::ErrorKind::Io(error) => error.kind() == std::io::ErrorKind::NotFound,
        _ => false,
    }
}
