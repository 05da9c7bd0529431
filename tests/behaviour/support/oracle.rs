//! The oracle: `tests/oracle`, which shares no code with headspace, says what
//! was lost, doubled, invented or altered.

use std::{fs, path::Path, process::Command};

use serde_json::Value;

use super::headspace::{Headspace, Store};

/// Fails unless the database holds what the transcripts hold, each fact once,
/// and nothing else.
pub fn assert_clean(headspace: &Headspace) {
    assert_none(&findings(&headspace.store, &[&headspace.root()], &[]));
}

/// The same where files were cut, rewritten or deleted after they were read:
/// what is gone from them may still be stored.
pub fn assert_clean_with_extra(headspace: &Headspace) {
    assert_none(&findings(
        &headspace.store,
        &[&headspace.root()],
        &["--allow-extra"],
    ));
}

/// The same where hooks and sessions were sent as well: each `{"hook": …}` or
/// `{"session": …}`, with `"maybe": true` if it was not answered.
pub fn assert_clean_with_sent(headspace: &Headspace, sent: &[Value]) {
    let lines: String = sent.iter().map(|sent| format!("{sent}\n")).collect();
    let file = headspace.dir().join("sent.jsonl");
    fs::write(&file, lines).expect("a list of what was sent");
    let options = ["--sent", file.to_str().expect("UTF-8")];
    assert_none(&findings(&headspace.store, &[&headspace.root()], &options));
}

/// Fails unless the database holds exactly what was counted in the real
/// transcripts by hand; `root` is where they lie.
pub fn assert_expected(store: &Store, root: &Path) {
    let expected = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/EXPECTED.json");
    let mut command = oracle("expected", store);
    command.args(["--expected", expected, "--root"]).arg(root);
    assert_none(&answer(command));
}

/// What is wrong, a line each.
pub fn findings(store: &Store, roots: &[&Path], options: &[&str]) -> Vec<String> {
    let mut command = oracle("check", store);
    command.args(options);
    for root in roots {
        command.arg("--root").arg(root);
    }
    answer(command)
}

/// Fails unless every reader saw the log as it is; `frames` is what they got.
pub fn assert_stream(store: &Store, frames: &Path, types: Option<&str>) {
    let mut command = oracle("stream", store);
    command.arg("--frames").arg(frames);
    if let Some(types) = types {
        command.args(["--types", types]);
    }
    assert_none(&answer(command));
}

/// Fails unless this command line of the oracle finds nothing.
pub fn assert_says_nothing(oracle: Command) {
    assert_none(&answer(oracle));
}

fn oracle(mode: &str, store: &Store) -> Command {
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle/oracle.py");
    let mut command = Command::new("python3");
    command.args([program, mode, "--database", &store.url()]);
    command
}

fn answer(mut command: Command) -> Vec<String> {
    let output = command.output().expect("python3 runs the oracle");
    let said = String::from_utf8_lossy(&output.stdout);
    match output.status.code() {
        Some(0) => Vec::new(),
        Some(1) => said.lines().map(str::to_owned).collect(),
        _ => panic!(
            "the oracle cannot say: {}",
            String::from_utf8_lossy(&output.stderr)
        ),
    }
}

fn assert_none(findings: &[String]) {
    let shown: Vec<_> = findings.iter().take(20).map(String::as_str).collect();
    assert!(
        findings.is_empty(),
        "the oracle found\n{}",
        shown.join("\n")
    );
}
