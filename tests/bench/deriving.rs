//! A catch-up with what states, calls and costs are derived from, or without it: for
//! `deriving.py`, which compares the two. The program itself cannot do without.
//!
//!   deriving ROOT STATE DATABASE-URL with|without
//!   deriving ROOT STATE - with|without              reads and translates, and stores nothing
//!
//! The same loop, the same lines, events, positions and archive; what lines show beside
//! events is left out at the first place that knows of it.

use std::{env, fs, path::Path, time::Duration};

use headspace::{
    capture::{Capture, Options, Rhythm, Schedule, reread},
    dialect::{Place, claude},
    event::Timestamp,
    spool::Spool,
    store::{Database, Writer},
    tail::{Position, file},
};
use tokio_util::sync::CancellationToken;

const MAX_LINE_BYTES: u64 = 64 * 1024 * 1024;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [root, state, url, way] = &arguments[..] else {
        // As `cargo bench` of everything starts it.
        return eprintln!("usage: deriving ROOT STATE DATABASE-URL with|without");
    };
    let (root, state, evidence) = (Path::new(root), Path::new(state), way == "with");
    match url.strip_prefix("sqlite:") {
        Some(path) => catch_up(root, state, Database::Sqlite(path.into()), evidence),
        None if url == "-" => println!("{} entries", read_all(&root.join("projects"), evidence)),
        None => catch_up(root, state, Database::Postgres(url.clone()), evidence),
    }
}

fn catch_up(root: &Path, state: &Path, database: Database, evidence: bool) {
    let options = Options {
        roots: vec![root.to_owned()],
        spool: Spool::of(state),
        max_line_bytes: MAX_LINE_BYTES,
        inactivity_timeout: Duration::from_secs(5400),
        reconcile_interval: Duration::from_secs(60),
        schedule: Schedule {
            attempts: 3,
            delay: Duration::from_millis(100),
        },
        archive: matches!(database, Database::Sqlite(_)),
        evidence,
        once: true,
        registered_only: false,
        hooks: true,
        state_dir: state.to_string_lossy().into_owned(),
        wake: Box::new(|| {}),
        rhythm: Rhythm::within(None),
    };
    let mut capture = Capture::new(options, Writer::new(database, "bench".into()));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(async {
        let read = capture.run_once(&CancellationToken::new(), |_| {}).await;
        read.expect("everything is taken in");
        capture.close().await;
    });
}

/// How many entries all files have.
fn read_all(folder: &Path, evidence: bool) -> usize {
    let mut entries = 0;
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            entries += read_all(&path, evidence);
            continue;
        }
        let file = fs::File::open(&path).expect("a file");
        let offset = file.metadata().expect("its size").len();
        let identity = file::identity(&file, offset).expect("its bytes");
        let limits = claude::Limits {
            max_events: 512,
            max_line_bytes: MAX_LINE_BYTES,
            alone: false,
            evidence,
            now: Timestamp::now(),
        };
        let upto = Position { offset, identity };
        let count = |some: Vec<_>| entries += some.len();
        reread(&path, &Place::Session, &upto, limits, count).expect("it is read");
    }
    entries
}
