//! What was read of transcripts is kept, and given back byte for byte.

mod export;
mod kept;
mod merged;
mod replaced;
mod verified;

use std::{fs, path::Path, process::Output};

use crate::support::headspace::{Headspace, Kind};

/// With an archive on both databases.
fn with_archive(kind: Kind) -> Headspace {
    let mut headspace = Headspace::on(kind);
    headspace.set("HEADSPACE_ARCHIVE__MODE", "full");
    headspace
}

/// The session's own file, as it is given back.
fn exported(headspace: &Headspace, session: &str) -> Vec<u8> {
    let output = headspace.run(&["export", "--raw", session]);
    assert!(output.status.success(), "{session}: {}", errors(&output));
    output.stdout
}

/// All files of a session, with their names.
fn exported_all(headspace: &Headspace, session: &str) -> Vec<(String, Vec<u8>)> {
    let folder = tempfile::tempdir().expect("a folder");
    let to = folder.path().to_str().expect("UTF-8");
    let output = headspace.run(&["export", "--raw", session, "--to", to]);
    assert!(output.status.success(), "{session}: {}", errors(&output));
    contents(folder.path())
}

/// Every file below a folder with its bytes, in the order of their names.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let names = crate::support::transcripts::files(folder);
    let read = names.into_iter().map(|name| {
        let bytes = fs::read(folder.join(&name)).expect("a file");
        (name.to_string_lossy().into_owned(), bytes)
    });
    read.collect()
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Fails with few words where the texts are long.
fn assert_same(what: &str, found: &[u8], expected: &[u8]) {
    let differs = found.iter().zip(expected).position(|(a, b)| a != b);
    let (lengths, differs) = ((found.len(), expected.len()), differs);
    assert!(
        found == expected,
        "{what}: lengths {lengths:?}, differs at {differs:?}"
    );
}
