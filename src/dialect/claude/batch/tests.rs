use std::{collections::BTreeMap, fs, mem::discriminant, path::PathBuf};

use super::*;
use crate::tail::lines;

fn transcripts(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            transcripts(&path, found);
        } else if path.extension().is_some_and(|kind| kind == "jsonl") {
            found.push(path);
        }
    }
}

fn entries(path: &Path, evidence: bool) -> Vec<Entry> {
    let limits = Limits {
        max_events: usize::MAX,
        max_line_bytes: u64::MAX,
        alone: false,
        evidence,
        now: Timestamp::UNIX_EPOCH,
    };
    let mut memory = Context::default();
    let mut batch = Batch::new(path, Place::Session, &mut memory, limits);
    let file = fs::File::open(path).unwrap();
    let size = file.metadata().unwrap().len();
    let mut buffer = Vec::new();
    let take = |line: Line<'_>| batch.line(line);
    lines::read(&file, 0, size, u64::MAX, &mut buffer, take).unwrap();
    batch.finish()
}

/// Asking for evidence changes nothing else, on real transcripts of many
/// versions; and these show every kind there is but the rarest.
#[test]
fn evidence_stands_beside_the_same_events() {
    let mut paths = Vec::new();
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/claude");
    transcripts(&data, &mut paths);
    assert!(!paths.is_empty());
    let mut kinds = BTreeMap::new();
    for path in paths {
        let plain = entries(&path, false);
        let (evidence, rest): (Vec<Entry>, Vec<Entry>) = entries(&path, true)
            .into_iter()
            .partition(|entry| matches!(entry.what, What::Evidence(_)));
        assert_eq!(format!("{rest:?}"), format!("{plain:?}"), "{path:?}");
        for entry in evidence {
            let What::Evidence(evidence) = entry.what else {
                unreachable!()
            };
            let name = format!("{:?}", discriminant(&evidence.shows));
            *kinds.entry(name).or_insert(0) += 1;
        }
    }
    assert!(kinds.len() >= 9, "{kinds:?}");
}

/// Its session shows where it comes from; what happened there happened once.
#[test]
fn evidence_in_a_copied_record_says_so() {
    let line = |fields: &str| {
        format!(
            r#"{{"type":"user","sessionId":"s","cwd":"/p","timestamp":"2026-11-21T00:00:00Z",{fields}
            "message":{{"content":"hi"}},"permissionMode":"plan"}}"#
        )
        .replace('\n', "")
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.jsonl");
    let copy = line(r#""forkedFrom":{"sessionId":"origin"},"#);
    fs::write(&path, format!("{copy}\n{}\n", line(""))).unwrap();
    let shown = entries(&path, true);
    let copied = shown.iter().filter_map(|entry| match &entry.what {
        What::Evidence(evidence) if matches!(evidence.shows, Shows::PermissionMode { .. }) => {
            Some(evidence.is_copied)
        }
        _ => None,
    });
    assert_eq!(copied.collect::<Vec<_>>(), [true, false]);
}
