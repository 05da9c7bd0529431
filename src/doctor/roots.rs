//! Claude Code's folders: whether they are there, are ours, can be read, and
//! what they hold.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{Instant, SystemTime},
};

use rustix::{
    fs::{Access, access},
    process::geteuid,
};

use super::{
    accounts::user_name,
    finding::{Finding, count, quoted},
};
use crate::dialect::{
    Place, Watched,
    claude::{place, session_of},
};

const CHECK: &str = "roots";

/// A root as it was found.
#[derive(Debug)]
pub struct Root {
    pub path: PathBuf,
    owner: io::Result<u32>,
    has_projects: io::Result<bool>,
    /// What lies below its `projects`.
    pub transcripts: Vec<Transcript>,
    sessions: usize,
    /// Folders and files that cannot be read.
    unreadable: Vec<PathBuf>,
    /// Only registered sessions are counted.
    is_narrow: bool,
    /// Not everything was seen: the time was over.
    is_partial: bool,
}

#[derive(Debug, Clone)]
pub struct Transcript {
    pub path: PathBuf,
    pub size: u64,
    pub modified: SystemTime,
}

/// Looks through a root until `end`.
pub fn collect(path: &Path, end: Instant) -> Root {
    let mut root = Root::new(path, fs::metadata(path).map(|metadata| metadata.uid()));
    let projects = path.join("projects");
    root.has_projects = match fs::read_dir(&projects) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    };
    if matches!(root.has_projects, Ok(true)) {
        root.walk(&projects.canonicalize().unwrap_or(projects), end);
    }
    root
}

impl Root {
    pub fn new(path: &Path, owner: io::Result<u32>) -> Root {
        Root {
            path: path.to_owned(),
            owner,
            has_projects: Ok(true),
            transcripts: Vec::new(),
            sessions: 0,
            unreadable: Vec::new(),
            is_narrow: false,
            is_partial: false,
        }
    }

    /// What no watcher reads is none of our business, and may not be stored.
    pub fn leave_out_unwatched(&mut self, watched: &Watched) {
        if *watched == Watched::All {
            return;
        }
        let projects = self.path.join("projects");
        let projects = projects.canonicalize().unwrap_or(projects);
        self.transcripts.retain(|transcript| {
            let relative = transcript.path.strip_prefix(&projects).ok();
            let session = relative.and_then(session_of);
            session.is_some_and(|session| watched.includes(session))
        });
        let is_session = |one: &&Transcript| {
            let relative = one.path.strip_prefix(&projects).unwrap_or(&one.path);
            place(relative) == Place::Session
        };
        self.sessions = self.transcripts.iter().filter(is_session).count();
        self.is_narrow = true;
    }

    /// No link is followed, as the watcher does not.
    fn walk(&mut self, projects: &Path, end: Instant) {
        let mut open = vec![projects.to_owned()];
        while let Some(folder) = open.pop() {
            if Instant::now() > end {
                self.is_partial = true;
                return;
            }
            let Ok(entries) = fs::read_dir(&folder) else {
                self.unreadable.push(folder);
                continue;
            };
            for entry in entries.flatten() {
                self.take(projects, &entry, &mut open);
            }
        }
    }

    fn take(&mut self, projects: &Path, entry: &fs::DirEntry, open: &mut Vec<PathBuf>) {
        let path = entry.path();
        let Ok(metadata) = entry.metadata() else {
            return;
        };
        match place(path.strip_prefix(projects).unwrap_or(&path)) {
            Place::Folder if metadata.is_dir() => open.push(path),
            found @ (Place::Session | Place::Subagent(_)) if metadata.is_file() => {
                self.sessions += usize::from(found == Place::Session);
                if access(&path, Access::READ_OK).is_err() {
                    self.unreadable.push(path.clone());
                }
                self.transcripts.push(Transcript {
                    path,
                    size: metadata.len(),
                    modified: metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH),
                });
            }
            _ => {}
        }
    }
}

pub fn judge<'a>(roots: impl IntoIterator<Item = &'a Root>) -> Vec<Finding> {
    let us = geteuid().as_raw();
    let mut findings: Vec<Finding> = roots
        .into_iter()
        .flat_map(|root| judge_root(root, us))
        .collect();
    if findings.is_empty() {
        let found = "there is no folder of Claude Code's to watch";
        let fix = "name it in claude.roots in the settings";
        findings.push(Finding::failed(CHECK, found, fix));
    }
    findings
}

fn judge_root(root: &Root, us: u32) -> Vec<Finding> {
    use io::ErrorKind::{NotADirectory, NotFound};
    let shown = root.path.display();
    let (owner, has_projects) = match (&root.owner, &root.has_projects) {
        (Ok(owner), Ok(has_projects)) => (*owner, *has_projects),
        (Err(error), _) if error.kind() == NotFound => {
            let found = format!("{shown} does not exist");
            let fix = "start Claude Code once, or name its folder in claude.roots in the settings";
            return vec![Finding::warning(CHECK, found, fix)];
        }
        (_, Err(error)) if error.kind() == NotADirectory => {
            let found = format!("{shown} is not a folder");
            let fix = "name Claude Code's folder in claude.roots in the settings";
            return vec![Finding::failed(CHECK, found, fix)];
        }
        (Err(error), _) | (_, Err(error)) => {
            let found = format!("{shown} cannot be read: {error}");
            return vec![Finding::failed(CHECK, found, make_readable(&root.path))];
        }
    };
    let mut findings = vec![content(root, has_projects)];
    if owner != us {
        findings.push(foreign(root, owner, us));
    }
    findings.extend(unreadable(&root.unreadable));
    findings
}

fn content(root: &Root, has_projects: bool) -> Finding {
    let shown = root.path.display();
    if !has_projects {
        let found = format!("{shown} has no projects/ yet; it is watched for");
        return Finding::note(CHECK, found);
    }
    let agents = root.transcripts.len() - root.sessions;
    let found = format!(
        "{shown} holds {} and {}",
        match root.is_narrow {
            true => count(root.sessions, "registered session", "registered sessions"),
            false => count(root.sessions, "session", "sessions"),
        },
        count(agents, "file of a subagent", "files of subagents"),
    );
    match root.is_partial {
        true => Finding::note(
            CHECK,
            format!("{found}, and more than could be counted in time"),
        ),
        false => Finding::ok(CHECK, found),
    }
}

fn foreign(root: &Root, owner: u32, us: u32) -> Finding {
    let (owner, us) = (user_name(owner), user_name(us));
    let found = format!(
        "{} belongs to {owner}, and this is {us}",
        root.path.display()
    );
    let fix = "run headspace as the user whose sessions these are";
    Finding::warning(CHECK, found, format!("{fix}: sudo -u {owner} headspace up"))
}

fn unreadable(paths: &[PathBuf]) -> Option<Finding> {
    let first = paths.first()?;
    let number = count(paths.len(), "file or folder", "files and folders");
    let found = format!("{number} cannot be read, such as {}", first.display());
    Some(Finding::failed(CHECK, found, make_readable(first)))
}

fn make_readable(path: &Path) -> String {
    let us = geteuid().as_raw();
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.uid() == us => format!("chmod -R u+rX {}", quoted(path)),
        _ => format!("sudo chown -R {} {}", user_name(us), quoted(path)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Severity;
    use std::time::Duration;

    #[test]
    fn sessions_are_counted_as_the_watcher_sees_them_as_far_as_there_is_time() {
        let dir = tempfile::tempdir().unwrap();
        let agents = dir.path().join("projects/-p/a/subagents");
        fs::create_dir_all(&agents).unwrap();
        for name in [
            "../../a.jsonl",
            "../../b.jsonl",
            "agent-1.jsonl",
            "../../notes.txt",
        ] {
            fs::write(agents.join(name), "12").unwrap();
        }
        let look = |end| judge(&[collect(dir.path(), end)]).remove(0);
        let found = look(Instant::now() + Duration::from_secs(60));
        let said = "holds 2 sessions and 1 file of a subagent";
        assert!(
            found.state == Severity::Ok && found.found.ends_with(said),
            "{found:?}"
        );
        let late = look(Instant::now() - Duration::from_secs(1));
        assert_eq!(late.state, Severity::Note, "{late:?}");
        assert_eq!(judge(&[])[0].state, Severity::Failed);
    }
}
