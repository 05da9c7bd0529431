//! A project's repository, read from its own files. No `git` is run: the
//! folder belongs to another author, and its settings could name programs to start.

use std::{
    io::{self, Read},
    path::{Path, PathBuf},
};

const MAX_BYTES: u64 = 256 * 1024;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Repository {
    pub remote: Option<String>,
    pub branch: Option<String>,
}

/// What is known of the repository `folder` stands in; nothing outside one.
pub fn describe(folder: &Path) -> Repository {
    if !folder.is_absolute() {
        return Repository::default();
    }
    let Some(git) = folder.ancestors().find_map(git_folder) else {
        return Repository::default();
    };
    let common = common_folder(&git);
    Repository {
        remote: small_file(&common.join("config")).and_then(|config| origin(&config)),
        branch: small_file(&git.join("HEAD")).and_then(|head| branch(&head)),
    }
}

/// `.git` is a folder, or in a worktree or submodule a file that names one.
fn git_folder(folder: &Path) -> Option<PathBuf> {
    let git = folder.join(".git");
    if git.is_dir() {
        return Some(git);
    }
    let target = small_file(&git)?;
    let target = target.strip_prefix("gitdir:")?.trim();
    Some(folder.join(target))
}

/// A worktree's own folder names the one it shares with the others.
fn common_folder(git: &Path) -> PathBuf {
    match small_file(&git.join("commondir")) {
        Some(common) => git.join(common.trim()),
        None => git.to_owned(),
    }
}

fn branch(head: &str) -> Option<String> {
    let branch = head.trim().strip_prefix("ref: refs/heads/")?;
    Some(branch.to_owned())
}

/// The URL of the remote `origin`, without a password in it.
fn origin(config: &str) -> Option<String> {
    let mut in_origin = false;
    for line in config.lines().map(str::trim) {
        if line.starts_with('[') {
            in_origin = line.replace(' ', "") == r#"[remote"origin"]"#;
        } else if in_origin && let Some(url) = line.strip_prefix("url") {
            return url
                .trim_start()
                .strip_prefix('=')
                .map(|url| without_password(url.trim()));
        }
    }
    None
}

fn without_password(url: &str) -> String {
    match url
        .split_once("://")
        .and_then(|(scheme, rest)| Some((scheme, rest.split_once('@')?)))
    {
        Some((scheme, (user, host))) if !user.contains('/') => format!("{scheme}://{host}"),
        _ => url.to_owned(),
    }
}

/// Git's own files are small; anything else is not read.
fn small_file(path: &Path) -> Option<String> {
    let (file, snapshot) = crate::tail::file::open(path).ok()??;
    if snapshot.size > MAX_BYTES {
        return None;
    }
    io::read_to_string(file.take(MAX_BYTES)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn write(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn a_folder_inside_a_repository_has_its_remote_and_branch() {
        let dir = tempfile::tempdir().unwrap();
        let git = dir.path().join(".git");
        write(&git.join("HEAD"), "ref: refs/heads/feature/x\n");
        write(
            &git.join("config"),
            "[core]\n\turl = no\n[remote \"origin\"]\n\turl = https://me:secret@example.test/a.git\n",
        );
        let inner = dir.path().join("src/deep");
        fs::create_dir_all(&inner).unwrap();
        assert_eq!(
            describe(&inner),
            Repository {
                remote: Some("https://example.test/a.git".into()),
                branch: Some("feature/x".into()),
            }
        );
    }

    #[test]
    fn a_worktree_has_its_own_branch_and_the_common_remote() {
        let dir = tempfile::tempdir().unwrap();
        let main = dir.path().join("main/.git");
        write(
            &main.join("config"),
            "[remote \"origin\"]\nurl=git@example.test:a.git\n",
        );
        write(&main.join("worktrees/w/HEAD"), "ref: refs/heads/w\n");
        write(&main.join("worktrees/w/commondir"), "../..\n");
        let tree = dir.path().join("w");
        write(&tree.join(".git"), "gitdir: ../main/.git/worktrees/w\n");
        assert_eq!(
            describe(&tree),
            Repository {
                remote: Some("git@example.test:a.git".into()),
                branch: Some("w".into()),
            }
        );
    }

    #[test]
    fn outside_a_repository_and_on_no_branch_there_is_nothing() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(describe(&dir.path().join("gone")), Repository::default());
        write(
            &dir.path().join(".git/HEAD"),
            "4b825dc642cb6eb9a060e54bf8d69288fbee4904\n",
        );
        assert_eq!(describe(dir.path()), Repository::default());
    }
}
