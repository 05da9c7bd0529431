//! A catch-up with what states, calls and costs are derived from, or without it: for the
//! benchmark, which compares the two. The program itself cannot do without.
//!
//!   deriving ROOT STATE DATABASE-URL with|without
//!
//! The same loop, the same lines, events, positions and archive; what lines show beside
//! events is left out at the first place that knows of it.

use std::{env, path::PathBuf, time::Duration};

use headspace::{
    capture::{Capture, Options, Rhythm, Schedule},
    spool::Spool,
    store::{Database, Writer},
};
use tokio_util::sync::CancellationToken;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [root, state, url, evidence] = &arguments[..] else {
        // As `cargo bench` of everything starts it.
        return eprintln!("usage: deriving ROOT STATE DATABASE-URL with|without");
    };
    let database = match url.strip_prefix("sqlite:") {
        Some(path) => Database::Sqlite(path.into()),
        None => Database::Postgres(url.clone()),
    };
    let options = Options {
        roots: vec![PathBuf::from(root)],
        spool: Spool::of(state.as_ref()),
        max_line_bytes: 64 * 1024 * 1024,
        inactivity_timeout: Duration::from_secs(5400),
        reconcile_interval: Duration::from_secs(60),
        schedule: Schedule {
            attempts: 3,
            delay: Duration::from_millis(100),
        },
        archive: matches!(database, Database::Sqlite(_)),
        evidence: evidence == "with",
        once: true,
        registered_only: false,
        hooks: true,
        state_dir: state.clone(),
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
