//! A transcript through the dialect and the fold, line by line.

use std::{fs, path::Path};

use headspace::{
    derive::state::{Input, OpenFacts, View, evidence},
    dialect::{
        Place,
        claude::{Batch, Context, Limits},
    },
    event::{Entry, Timestamp, What},
    tail::{Consumer, Line, lines},
};

/// What each line of a session's file says of the session, by line.
pub fn inputs(path: &Path) -> Vec<Vec<Input>> {
    let lines = fs::read(path).unwrap().split(|byte| *byte == b'\n').count();
    let mut by_line = vec![Vec::new(); lines];
    for (line, entry) in entries_by_line(path, Place::Session) {
        if let What::Evidence(shown) = entry.what {
            by_line[line].extend(evidence(&shown));
        }
    }
    by_line
}

/// What the dialect makes of a file, with the number of the line, from 0.
pub fn entries_by_line(path: &Path, place: Place) -> Vec<(usize, Entry)> {
    let text = fs::read(path).unwrap();
    let mut starts = vec![0];
    starts.extend(
        text.iter()
            .enumerate()
            .filter(|(_, byte)| **byte == b'\n')
            .map(|(at, _)| at + 1),
    );
    let numbered = entries(path, place).into_iter().map(|entry| {
        let line = starts.partition_point(|start| *start as u64 <= entry.offset) - 1;
        (line, entry)
    });
    numbered.collect()
}

/// What is shown after each line, and the rule behind it.
pub fn views(path: &Path) -> Vec<(View, u8)> {
    let mut facts = OpenFacts::default();
    let mut views = Vec::new();
    for inputs in inputs(path) {
        for input in inputs {
            facts.apply(&input);
        }
        views.push((facts.view().clone(), facts.because()));
    }
    views
}

fn entries(path: &Path, place: Place) -> Vec<Entry> {
    let limits = Limits {
        max_events: usize::MAX,
        max_line_bytes: u64::MAX,
        alone: false,
        evidence: true,
        now: Timestamp::UNIX_EPOCH,
    };
    let file = fs::File::open(path).unwrap();
    let size = file.metadata().unwrap().len();
    let mut context = Context::default();
    let (mut entries, mut from) = (Vec::new(), 0);
    while from < size {
        let mut batch = Batch::new(path, place.clone(), &mut context, limits);
        let mut buffer = Vec::new();
        let mut next = size;
        let take = |line: Line<'_>| {
            let end = line.offset + line.length;
            let flow = batch.line(line)?;
            if flow.is_break() {
                next = end;
            }
            Ok(flow)
        };
        lines::read(&file, from, size, u64::MAX, &mut buffer, take).unwrap();
        entries.extend(batch.finish());
        from = next;
    }
    entries
}
