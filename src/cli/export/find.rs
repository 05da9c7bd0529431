//! Which files belong to a session, and what they are called outside: pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::store::read::{ArchivedFile, SessionFile};

/// A file that was replaced keeps its row under this name, with the row's id.
pub const REPLACED: &str = "replaced:";

/// Why a session was not found.
#[derive(Debug, PartialEq, Eq)]
pub enum NotFound {
    Unknown,
    /// So many begin like that.
    Several(Vec<String>),
}

/// The one session whose file is called so, or begins so.
pub fn session(prefix: &str, files: &[ArchivedFile]) -> Result<String, NotFound> {
    let named = files.iter().filter_map(|file| session_of(path(file)));
    let found: BTreeSet<&str> = named.filter(|name| name.starts_with(prefix)).collect();
    if found.contains(prefix) {
        return Ok(prefix.to_owned());
    }
    let mut found = found.into_iter().map(str::to_owned);
    match (found.next(), found.next()) {
        (None, _) => Err(NotFound::Unknown),
        (Some(one), None) => Ok(one),
        (Some(one), Some(two)) => {
            let all = [one, two].into_iter().chain(found);
            Err(NotFound::Several(all.collect()))
        }
    }
}

/// The files of a session and of its subagents, each with a name of its own: where
/// the CLI would put it below a project's folder. The session's own file comes first.
pub fn files(
    session: &str,
    sessions: &[SessionFile],
    files: Vec<ArchivedFile>,
) -> Vec<(String, ArchivedFile)> {
    let of_session = |uuid: &str| parent(uuid) == session;
    let by_row = sessions.iter().filter(|(uuid, _)| of_session(uuid));
    let by_row: BTreeSet<&str> = by_row.filter_map(|(_, path)| path.as_deref()).collect();
    let mut files: Vec<ArchivedFile> = files
        .into_iter()
        .filter(|file| session_of(path(file)) == Some(session) || by_row.contains(path(file)))
        .collect();
    // Of two under one name, the one that was read last has it.
    files.sort_by(|a, b| (is_replaced(a), &b.updated_at).cmp(&(is_replaced(b), &a.updated_at)));
    let own = format!("{session}.jsonl");
    let mut taken: BTreeMap<String, ArchivedFile> = BTreeMap::new();
    for file in files {
        let mut name = name_of(session, path(&file));
        if is_replaced(&file) {
            name = format!("{name}.replaced-{}", file.checkpoint_id);
        } else if taken.contains_key(&name) {
            name = format!("{name}.copy-{}", file.checkpoint_id);
        }
        taken.insert(name, file);
    }
    let first = taken.remove_entry(&own);
    first.into_iter().chain(taken).collect()
}

/// The path that a file has, or had before it was replaced.
pub fn path(file: &ArchivedFile) -> &str {
    let replaced = file.path.strip_prefix(REPLACED);
    let path = replaced.and_then(|rest| rest.split_once(':'));
    path.map_or(&file.path, |(_, path)| path)
}

fn is_replaced(file: &ArchivedFile) -> bool {
    file.path.starts_with(REPLACED)
}

/// A subagent's session is `<parent's>/<agent id>`.
pub fn parent(session_uuid: &str) -> &str {
    session_uuid.split('/').next().unwrap_or(session_uuid)
}

/// What the path says: `…/<session>.jsonl`, `…/<session>/subagents/…`.
fn session_of(path: &str) -> Option<&str> {
    if let Some((before, _)) = path.split_once("/subagents/") {
        return before.rsplit('/').next();
    }
    let name = path.rsplit('/').next()?.strip_suffix(".jsonl")?;
    (!name.starts_with("agent-")).then_some(name)
}

fn name_of(session: &str, path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    match path.split_once("/subagents/") {
        Some((_, below)) => format!("{session}/subagents/{below}"),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(checkpoint_id: i64, path: &str) -> ArchivedFile {
        ArchivedFile {
            checkpoint_id,
            path: path.into(),
            offset: 1,
            rewrites: 0,
            updated_at: format!("2026-11-30T00:00:0{checkpoint_id}Z"),
        }
    }

    #[test]
    fn a_prefix_is_enough_if_only_one_session_begins_so() {
        let read = [
            file(1, "/p/q/ab-2.jsonl"),
            file(2, "/p/q/agent-7.jsonl"),
            file(3, "/p/q/ab-1/subagents/agent-8.jsonl"),
            file(4, "replaced:4:/p/q/b.jsonl"),
        ];
        let found = |prefix| session(prefix, &read);
        assert_eq!(found("ab-1"), Ok("ab-1".into()));
        assert_eq!(found("ab-2"), Ok("ab-2".into()));
        assert_eq!(found("b"), Ok("b".into()));
        assert_eq!(found("agent"), Err(NotFound::Unknown));
        let both = vec!["ab-1".into(), "ab-2".into()];
        assert_eq!(found("ab"), Err(NotFound::Several(both)));
    }

    #[test]
    fn a_session_has_its_file_those_of_its_subagents_and_what_these_replaced() {
        let rows = [
            ("s".into(), Some("/p/q/s.jsonl".into())),
            ("s/old".into(), Some("/p/q/agent-old.jsonl".into())),
            ("t/other".into(), Some("/p/q/agent-other.jsonl".into())),
        ];
        let read = vec![
            file(1, "replaced:1:/p/q/s.jsonl"),
            file(2, "/p/q/s.jsonl"),
            file(3, "/p/copy/s.jsonl"),
            file(4, "/p/q/s/subagents/agent-new.jsonl"),
            file(5, "/p/q/agent-old.jsonl"),
            file(6, "/p/q/agent-other.jsonl"),
            file(7, "/p/q/t.jsonl"),
        ];
        let found = files("s", &rows, read);
        let found: Vec<_> = found
            .iter()
            .map(|(name, file)| (name.as_str(), file.checkpoint_id))
            .collect();
        assert_eq!(
            found,
            [
                ("s.jsonl", 3),
                ("agent-old.jsonl", 5),
                ("s.jsonl.copy-2", 2),
                ("s.jsonl.replaced-1", 1),
                ("s/subagents/agent-new.jsonl", 4),
            ]
        );
    }
}
