//! What the records said so far that later ones need.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::Path,
};

use crate::event::Timestamp;

use super::{detail::Detail, git, record::Record};

/// How many unknown record types are counted each for itself.
const MAX_UNKNOWN: usize = 100;

/// What the records said so far, whatever file they stood in.
#[derive(Default)]
pub struct Context {
    /// Unknown record types, with how often each was read.
    unknown: BTreeMap<String, u64>,
    /// The least time of sessions that had not named their folder yet.
    pub nameless: HashMap<String, Timestamp>,
    pub projects: HashMap<String, KnownFolder>,
    /// Sessions that the store has, whatever made them known.
    stored: HashSet<String>,
    /// The greatest time among the records of each file that was read from its
    /// start, by the file's name.
    pub reached: HashMap<String, Timestamp>,
    repositories: HashMap<String, git::Repository>,
}

#[derive(Clone)]
pub struct KnownFolder {
    pub path: String,
    pub working_directory: Option<String>,
}

impl Context {
    /// Unknown types are counted, not errors: the format is free to grow.
    pub fn count_unknown<D: Detail>(&mut self, record: &Record<D>) {
        let Some(mut kind) = record.unknown_type() else {
            return;
        };
        kind.truncate(kind.floor_char_boundary(64));
        if self.unknown.len() < MAX_UNKNOWN || self.unknown.contains_key(&kind) {
            *self.unknown.entry(kind).or_default() += 1;
        }
    }

    pub fn unknown(&self) -> &BTreeMap<String, u64> {
        &self.unknown
    }

    /// Forgets what the repositories looked like, so that they are read anew.
    pub fn forget_repositories(&mut self) {
        self.repositories.clear();
    }

    /// The first folder a session names is its project, the latest where it works.
    pub fn learn(&mut self, session: &str, cwd: Option<&str>) {
        let Some(cwd) = cwd.filter(|cwd| !cwd.is_empty()) else {
            return;
        };
        match self.projects.get_mut(session) {
            Some(project) if project.working_directory.as_deref() == Some(cwd) => {}
            Some(project) => project.working_directory = Some(cwd.to_owned()),
            None => {
                let project = KnownFolder {
                    path: cwd.to_owned(),
                    working_directory: Some(cwd.to_owned()),
                };
                self.projects.insert(session.to_owned(), project);
            }
        }
    }

    /// The store has this session, or has it before what is read next.
    pub fn note_stored(&mut self, session: &str) {
        self.stored.insert(session.to_owned());
    }

    /// Whether what is shown of a session finds its row.
    pub fn has(&self, session: &str) -> bool {
        self.stored.contains(session)
    }

    /// Another database may have other sessions.
    pub fn forget_stored(&mut self) {
        self.stored.clear();
    }

    pub fn begun(&mut self, session: &str, at: Timestamp) {
        let least = self.nameless.entry(session.to_owned()).or_insert(at);
        *least = at.min(*least);
    }

    /// A turn must have a session, even one that has not named its folder
    /// since we look. If it was registered before, that project stays.
    pub fn assume(&mut self, session: &str) {
        let unknown = || KnownFolder {
            path: "unknown".into(),
            working_directory: None,
        };
        self.projects
            .entry(session.to_owned())
            .or_insert_with(unknown);
    }

    pub fn repository(&mut self, path: &str) -> &git::Repository {
        self.repositories
            .entry(path.to_owned())
            .or_insert_with(|| git::describe(Path::new(path)))
    }
}
