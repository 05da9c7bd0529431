//! What is laid out for a package is the tree's own, byte for byte.

use std::{collections::BTreeSet, fs, path::Path};

use crate::support::packages::{contents_of, staged};

const PROGRAM: &str = "-rwxr-xr-x";
const FILE: &str = "-rw-r--r--";

#[test]
fn programs_can_be_run_and_all_else_can_be_read() {
    let contents = contents_of(&staged());
    for (path, mode) in &contents {
        let is_program =
            ["usr/bin/headspace", "usr/lib/headspace/run-watcher.sh"].contains(&path.as_str());
        assert_eq!(mode, if is_program { PROGRAM } else { FILE }, "{path}");
    }
    for path in [
        "usr/bin/headspace",
        "usr/share/man/man1/headspace.1",
        "usr/share/bash-completion/completions/headspace",
        "usr/share/doc/headspace/examples/config.yaml",
    ] {
        assert!(contents.contains_key(path), "{path}: {contents:?}");
    }
}

#[test]
fn units_are_the_shipped_ones() {
    for kind in ["system", "user"] {
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("systemd")
            .join(kind);
        let staged = staged().join("usr/lib/systemd").join(kind);
        assert_eq!(texts(&staged), texts(&shipped));
    }
}

fn texts(folder: &Path) -> BTreeSet<(String, String)> {
    let entries = fs::read_dir(folder).expect("a folder");
    let texts: BTreeSet<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .map(|path| {
            let name = path.file_name().expect("a name").to_string_lossy();
            (name.into_owned(), fs::read_to_string(&path).expect("text"))
        })
        .collect();
    assert!(!texts.is_empty(), "{}", folder.display());
    texts
}
