//! All that is kept for tests goes through one watcher into one database: its rows are
//! those that the log alone gives.

use std::{fs, path::Path, time::SystemTime};

use headspace::spool::{Body, Line, Spool};

use super::{
    children::assert_as_the_log,
    labels,
    recorded::{Stage, recordings},
};
use crate::support::{
    headspace::{Headspace, Kind, on_both},
    transcripts,
};

on_both! {
    fn the_rows_of_all_that_is_kept_for_tests_are_those_of_the_log(kind: Kind) {
        let headspace = Headspace::on(kind);
        let watcher = headspace.watch();
        let recordings = recordings();
        let mut stage = Stage::new(&headspace);
        let began = SystemTime::now();
        // At no pace: what the witnesses say comes as fast as it is read.
        for (number, recording) in recordings.iter().enumerate() {
            for entry in &recording.entries {
                stage.play(number, recording, &entry.what, began);
            }
        }
        drop((stage, watcher));
        send_samples(&headspace);
        copy_transcripts(&transcripts::real().join("projects"), &headspace);
        let labelled = labels::unpacked();
        copy_transcripts(&labelled.path().join("files"), &headspace);
        headspace.watch_once();
        for (what, least) in [("agents", 200), ("events", 2500), ("commands", 250), ("turns", 800)] {
            let found = headspace.store.number(&format!("SELECT count(*) FROM {what}"));
            assert!(found >= least, "{what}: {found}");
        }
        assert_as_the_log(&headspace);
    }
}

fn send_samples(headspace: &Headspace) {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/hooks/samples.jsonl");
    let spool = Spool::of(&headspace.state());
    for (second, hook) in fs::read_to_string(samples)
        .expect("samples")
        .lines()
        .enumerate()
    {
        let hook = Body::Hook {
            hook: serde_json::from_str(hook).expect("a hook"),
            sender: None,
            cut_from_bytes: None,
        };
        let at = format!("2026-11-21T00:30:{second:02}.000000Z");
        let line = Line::new(at, "here".into(), hook).to_json();
        let deadline = std::time::Instant::now() + crate::support::headspace::PATIENCE;
        spool.append(line.as_bytes(), deadline).expect("it is kept");
    }
}

fn copy_transcripts(from: &Path, headspace: &Headspace) {
    for name in transcripts::files(from) {
        let to = headspace.root().join("projects").join(&name);
        fs::create_dir_all(to.parent().expect("a folder")).expect("a folder");
        fs::copy(from.join(&name), to).expect("a copy");
    }
}
