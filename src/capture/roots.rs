//! The roots: where to look, and what the kernel's hints mean there.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
    time::{Instant, SystemTime},
};

use crate::{
    dialect::{
        Place, Watched,
        claude::{place, session_of},
    },
    spool::Spool,
    tail::{Snapshot, Tail},
};

use super::{
    hints::Hints,
    queue::Queue,
    scan::{self, Listings},
};

/// Claude Code's folders, each with its `projects`, and the intake spool.
pub struct Roots {
    projects: Vec<PathBuf>,
    spool: Spool,
    pub watched: Watched,
    listings: Listings,
    /// Folders and files that cannot be read; each is reported once.
    unreadable: HashSet<PathBuf>,
}

impl Roots {
    /// Resolves links in the roots once: below them none are followed.
    pub fn new(roots: &[PathBuf], spool: Spool) -> Roots {
        let mut projects: Vec<PathBuf> = roots.iter().map(|root| projects_of(root)).collect();
        projects.sort();
        projects.dedup();
        Roots {
            projects,
            spool,
            watched: Watched::All,
            listings: Listings::default(),
            unreadable: HashSet::new(),
        }
    }

    /// What a path is to us.
    pub fn place(&self, path: &Path) -> Place {
        if self.spool.holds(path) {
            return Place::Spool;
        }
        // What does not lie below one root may lie below the next.
        let below = |projects: &PathBuf| path.strip_prefix(projects).ok();
        match self.projects.iter().find_map(below) {
            Some(relative) if self.is_watched(relative) => place(relative),
            _ => Place::Nothing,
        }
    }

    /// A folder may hold what is watched.
    fn is_watched(&self, relative: &Path) -> bool {
        match (&self.watched, place(relative)) {
            (Watched::Registered(_), Place::Session | Place::Subagent(_)) => {
                session_of(relative).is_some_and(|session| self.watched.includes(session))
            }
            _ => true,
        }
    }

    /// Asks the kernel for hints about every folder there is.
    pub fn watch_all(&mut self, hints: &mut Hints, now: SystemTime) {
        self.watch_spool(hints);
        for projects in &self.projects {
            if !projects.is_dir() {
                watch_nearest(projects, hints);
            }
            // What cannot be read is reported by the scan that reads.
            scan::scan(projects, projects, &mut self.listings, now, &mut |folder| {
                hints.watch(folder);
            });
        }
    }

    /// Looks everywhere: watches every folder, queues every file that has
    /// changed since its last look, oldest first.
    pub fn scan_all(&mut self, hints: &mut Hints, tail: &Tail, queue: &mut Queue, now: SystemTime) {
        for projects in self.projects.clone() {
            if !projects.is_dir() {
                watch_nearest(&projects, hints);
            }
            self.scan(&projects, &projects, hints, tail, queue, now);
        }
        for path in tail.vanished() {
            queue.push_backlog(path, 0);
        }
        self.watch_spool(hints);
        self.next_segment(tail)
            .into_iter()
            .for_each(|segment| queue.push_live(segment));
    }

    fn watch_spool(&mut self, hints: &mut Hints) {
        if let Err(error) = self.spool.prepare() {
            let folder = self.spool.folder().to_owned();
            self.cannot_read(&folder, &error);
        }
        hints.watch(self.spool.folder());
    }

    /// The oldest segment that was not taken in to its end: one after the other
    /// they are read in the order of their lines, and before all history.
    fn next_segment(&mut self, tail: &Tail) -> Option<PathBuf> {
        self.segments().into_iter().find(|path| {
            let size = fs::symlink_metadata(path).map_or(0, |found| found.len());
            size > tail.offset(path).unwrap_or(0)
        })
    }

    /// None if the folder cannot be read, which is logged; the next pass tries again.
    fn segments(&mut self) -> Vec<PathBuf> {
        let folder = self.spool.folder().to_owned();
        match self.spool.segments() {
            Ok(segments) => {
                self.can_read(&folder);
                segments
            }
            Err(error) => {
                self.cannot_read(&folder, &error);
                Vec::new()
            }
        }
    }

    /// A segment was read to its end: the next one's turn. Those that were taken
    /// in are removed, but for the newest.
    pub fn end_of_segment(&mut self, ended: &Path, tail: &Tail, queue: &mut Queue, now: Instant) {
        let segments = self.segments();
        let older = segments.len().saturating_sub(1);
        for path in &segments[..older] {
            let Some(taken) = tail.offset(path) else {
                continue;
            };
            if let Err(error) = self.spool.remove(path, taken, now) {
                let path = path.display();
                tracing::debug!(%path, %error, "cannot remove a segment of the spool yet");
            }
        }
        let next = self.next_segment(tail);
        next.filter(|next| next != ended)
            .into_iter()
            .for_each(|next| queue.push_live(next));
    }

    /// Takes a hint: a transcript is queued as live, a folder is looked through.
    pub fn hinted(
        &mut self,
        path: &Path,
        hints: &mut Hints,
        tail: &Tail,
        queue: &mut Queue,
        now: SystemTime,
    ) {
        match self.place(path) {
            Place::Session | Place::Subagent(_) => queue.push_live(path.to_owned()),
            Place::Spool => self
                .next_segment(tail)
                .into_iter()
                .for_each(|segment| queue.push_live(segment)),
            Place::Folder if is_folder(path) => {
                hints.forget_below(path);
                if let Some(projects) = self.root_of(path) {
                    self.scan(&projects, path, hints, tail, queue, now);
                }
            }
            Place::Folder => hints.forget_below(path),
            // Above a root that was missing: perhaps it has come.
            Place::Nothing => {
                for projects in self.projects.clone() {
                    if projects.starts_with(path) {
                        watch_nearest(&projects, hints);
                        self.scan(&projects, &projects, hints, tail, queue, now);
                    }
                }
            }
        }
    }

    /// Notes that something cannot be read; says so once.
    pub fn cannot_read(&mut self, path: &Path, error: &std::io::Error) {
        if self.unreadable.insert(path.to_owned()) {
            let path = path.display();
            tracing::warn!(
                %path, %error,
                "cannot read {path}: {error}; it is tried again, and read when it may be"
            );
        }
    }

    /// Notes that a path could be read.
    pub fn can_read(&mut self, path: &Path) {
        if self.unreadable.remove(path) {
            let path = path.display();
            tracing::info!(%path, "{path} can be read now");
        }
    }

    fn scan(
        &mut self,
        projects: &Path,
        start: &Path,
        hints: &mut Hints,
        tail: &Tail,
        queue: &mut Queue,
        now: SystemTime,
    ) {
        let found = scan::scan(projects, start, &mut self.listings, now, &mut |folder| {
            hints.watch(folder);
        });
        for (folder, error) in &found.unreadable {
            self.cannot_read(folder, error);
        }
        for folder in &found.folders {
            self.can_read(folder);
        }
        let mut changed: Vec<(SystemTime, PathBuf, u64)> = Vec::new();
        for path in found.files {
            if self.place(&path) == Place::Nothing {
                continue;
            }
            let Ok(metadata) = fs::symlink_metadata(&path) else {
                continue;
            };
            if !tail.is_quiet(&path, &Snapshot::of(&metadata)) {
                let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                changed.push((modified, path, metadata.len()));
            }
        }
        changed.sort();
        for (_, path, size) in changed {
            let bytes = if tail.is_known(&path) { 0 } else { size };
            queue.push_backlog(path, bytes);
        }
    }

    fn root_of(&self, path: &Path) -> Option<PathBuf> {
        self.projects
            .iter()
            .find(|projects| path.starts_with(projects))
            .cloned()
    }
}

fn projects_of(root: &Path) -> PathBuf {
    let projects = root.join("projects");
    let resolved: std::io::Result<_> = projects
        .canonicalize()
        .or_else(|_| Ok(root.canonicalize()?.join("projects")));
    resolved.unwrap_or(projects)
}

/// Whether a path is a folder and no link to one: the kernel knows one watch a
/// folder, and would name its files by the link from then on.
fn is_folder(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|file| file.is_dir())
}

/// A root that does not exist yet shows in the nearest folder that does.
fn watch_nearest(projects: &Path, hints: &mut Hints) {
    if let Some(folder) = projects.ancestors().skip(1).find(|folder| folder.is_dir()) {
        hints.watch(folder);
    }
}
