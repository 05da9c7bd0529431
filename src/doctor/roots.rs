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
use crate::dialect::claude::{Place, place};

const CHECK: &str = "roots";

/// A root as it was found.
#[derive(Debug)]
pub struct Root {
    pub path: PathBuf,
    pub at: At,
    /// What lies below its `projects`.
    pub inputs: Inputs,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum At {
    Missing,
    NotAFolder,
    Unreadable(String),
    /// There, without `projects` so far.
    Empty {
        owner: u32,
    },
    Readable {
        owner: u32,
    },
}

#[derive(Debug, Default)]
pub struct Inputs {
    pub transcripts: Vec<Transcript>,
    pub sessions: usize,
    /// Folders and files that cannot be read.
    pub unreadable: Vec<PathBuf>,
    /// Not everything was seen: the time was over.
    pub is_partial: bool,
}

#[derive(Debug, Clone)]
pub struct Transcript {
    pub path: PathBuf,
    pub size: u64,
    pub modified: SystemTime,
}

/// Looks through a root until `end`.
pub fn collect(path: &Path, end: Instant) -> Root {
    let at = at(path);
    let inputs = match at {
        At::Readable { .. } => inputs(path, end),
        _ => Inputs::default(),
    };
    Root {
        path: path.to_owned(),
        at,
        inputs,
    }
}

fn at(path: &Path) -> At {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return At::Missing,
        Err(error) => return At::Unreadable(error.to_string()),
    };
    if !metadata.is_dir() {
        return At::NotAFolder;
    }
    let owner = metadata.uid();
    match fs::read_dir(path.join("projects")) {
        Ok(_) => At::Readable { owner },
        Err(error) if error.kind() == io::ErrorKind::NotFound => At::Empty { owner },
        Err(error) => At::Unreadable(error.to_string()),
    }
}

/// Below `projects` no link is followed, as the watcher does not.
fn inputs(root: &Path, end: Instant) -> Inputs {
    let mut inputs = Inputs::default();
    let projects = root.join("projects");
    let projects = projects.canonicalize().unwrap_or(projects);
    let mut open = vec![projects.clone()];
    while let Some(folder) = open.pop() {
        if Instant::now() > end {
            inputs.is_partial = true;
            break;
        }
        let Ok(entries) = fs::read_dir(&folder) else {
            inputs.unreadable.push(folder);
            continue;
        };
        for entry in entries.flatten() {
            inputs.take(&projects, &entry, &mut open);
        }
    }
    inputs
}

impl Inputs {
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
    let mut roots = roots.into_iter().peekable();
    if roots.peek().is_none() {
        return vec![Finding::failed(
            CHECK,
            "there is no folder of Claude Code's to watch",
            "name it in claude.roots in the settings",
        )];
    }
    roots.flat_map(|root| judge_root(root, us)).collect()
}

fn judge_root(root: &Root, us: u32) -> Vec<Finding> {
    let shown = root.path.display();
    let owner = match &root.at {
        At::Missing => {
            let found = format!("{shown} does not exist");
            let fix = "start Claude Code once, or name its folder in claude.roots in the settings";
            return vec![Finding::warning(CHECK, found, fix)];
        }
        At::NotAFolder => {
            let found = format!("{shown} is not a folder");
            let fix = "name Claude Code's folder in claude.roots in the settings";
            return vec![Finding::failed(CHECK, found, fix)];
        }
        At::Unreadable(error) => {
            let found = format!("{shown} cannot be read: {error}");
            return vec![Finding::failed(CHECK, found, readable(&root.path))];
        }
        At::Empty { owner } | At::Readable { owner } => *owner,
    };
    let mut findings = vec![held(root)];
    if owner != us {
        findings.push(foreign(root, owner, us));
    }
    findings.extend(unreadable(&root.inputs));
    findings
}

fn held(root: &Root) -> Finding {
    let shown = root.path.display();
    let inputs = &root.inputs;
    if matches!(root.at, At::Empty { .. }) {
        let found = format!("{shown} has no projects/ yet; it is watched for");
        return Finding::note(CHECK, found);
    }
    let agents = inputs.transcripts.len() - inputs.sessions;
    let found = format!(
        "{shown} holds {} and {}",
        count(inputs.sessions, "session", "sessions"),
        count(agents, "file of a subagent", "files of subagents"),
    );
    match inputs.is_partial {
        true => Finding::note(
            CHECK,
            format!("{found}, and more than could be counted in time"),
        ),
        false => Finding::ok(CHECK, found),
    }
}

fn foreign(root: &Root, owner: u32, us: u32) -> Finding {
    let (owner, us) = (user_name(owner), user_name(us));
    Finding::warning(
        CHECK,
        format!(
            "{} belongs to {owner}, and this is {us}",
            root.path.display()
        ),
        format!("run headspace as the user whose sessions these are: sudo -u {owner} headspace up"),
    )
}

fn unreadable(inputs: &Inputs) -> Option<Finding> {
    let first = inputs.unreadable.first()?;
    let found = format!(
        "{} cannot be read, such as {}",
        count(
            inputs.unreadable.len(),
            "file or folder",
            "files and folders"
        ),
        first.display()
    );
    Some(Finding::failed(CHECK, found, readable(first)))
}

fn readable(path: &Path) -> String {
    let us = geteuid().as_raw();
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.uid() == us => format!("chmod -R u+rX {}", quoted(path)),
        _ => format!("sudo chown -R {} {}", user_name(us), quoted(path)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Severity;

    fn root(at: At) -> Root {
        Root {
            path: "/home/me/.claude".into(),
            at,
            inputs: Inputs::default(),
        }
    }

    #[test]
    fn each_root_has_its_verdict_and_its_way_out() {
        use Severity::{Failed, Note, Ok, Warning};
        for (at, us, states) in [
            (At::Missing, 7, &[Warning][..]),
            (At::NotAFolder, 7, &[Failed]),
            (At::Unreadable("Permission denied".into()), 7, &[Failed]),
            (At::Empty { owner: 7 }, 7, &[Note]),
            (At::Readable { owner: 7 }, 7, &[Ok]),
            (At::Readable { owner: 7 }, 0, &[Ok, Warning]),
        ] {
            let found = judge_root(&root(at.clone()), us);
            let found: Vec<Severity> = found.iter().map(|finding| finding.state).collect();
            assert_eq!(found, states, "{at:?}");
        }
        assert_eq!(judge(&[])[0].state, Failed);
    }

    #[test]
    fn sessions_are_counted_as_the_watcher_sees_them() {
        let dir = tempfile::tempdir().unwrap();
        let project = dir.path().join("projects/-p");
        fs::create_dir_all(project.join("a/subagents")).unwrap();
        for name in [
            "a.jsonl",
            "b.jsonl",
            "a/subagents/agent-1.jsonl",
            "notes.txt",
        ] {
            fs::write(project.join(name), "12").unwrap();
        }
        let found = collect(
            dir.path(),
            Instant::now() + std::time::Duration::from_secs(60),
        );
        assert_eq!(found.inputs.sessions, 2);
        assert_eq!(found.inputs.transcripts.len(), 3);
        assert!(!found.inputs.is_partial);
        let said = &judge(&[found])[0].found;
        assert!(
            said.ends_with("holds 2 sessions and 1 file of a subagent"),
            "{said}"
        );
        let late = collect(
            dir.path(),
            Instant::now() - std::time::Duration::from_secs(1),
        );
        assert!(late.inputs.is_partial);
    }
}
