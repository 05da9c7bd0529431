//! What `verify` found, and how it is printed.

use serde::Serialize;

use super::say;
use crate::telemetry::visible;

#[derive(Debug, Default, Serialize)]
pub struct VerifyReport {
    pub files: u64,
    /// Those of them that are gone and were read from the archive.
    pub archived: u64,
    pub turns: u64,
    /// Files that changed since they were read, or hold something newer.
    pub not_read_yet: u64,
    /// Files that are gone; their events stay, and cannot be compared.
    pub gone: u64,
    /// Files with a checkpoint that are below none of the roots now.
    pub elsewhere: u64,
    pub findings: Vec<Mismatch>,
}

#[derive(Debug, Serialize, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mismatch {
    pub kind: &'static str,
    pub path: String,
    pub offset: Option<u64>,
    pub event_id: Option<i64>,
    pub what: String,
}

impl Mismatch {
    /// A line that has no event, or not the one it should have.
    pub fn at(path: &str, offset: u64, kind: &'static str, what: &str) -> Mismatch {
        Mismatch {
            kind,
            path: path.into(),
            offset: Some(offset),
            event_id: None,
            what: what.into(),
        }
    }

    fn print(&self) {
        let offset = self.offset.map_or(String::new(), |at| format!(":{at}"));
        let event = self.event_id;
        let event = event.map_or(String::new(), |id| format!(" event {id}:"));
        let (path, what) = (visible(&self.path), visible(&self.what));
        say!("{:8} {path}{offset}{event} {what}", self.kind);
    }
}

impl VerifyReport {
    pub fn print(&self) {
        self.findings.iter().for_each(Mismatch::print);
        let VerifyReport { files, turns, .. } = self;
        let count = self.findings.len();
        say!("{files} files, {turns} turns compared, {count} findings");
        for (files, what) in [
            (
                self.archived,
                "of them are gone and were read from the archive",
            ),
            (
                self.not_read_yet,
                "changed since they were read: the watcher will read them again",
            ),
            (
                self.elsewhere,
                "are below none of the claude.roots and were not read",
            ),
            (
                self.gone,
                "are gone; their events stay and cannot be compared",
            ),
        ] {
            if files > 0 {
                say!("{files} files {what}");
            }
        }
    }
}
