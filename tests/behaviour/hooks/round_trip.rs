//! In and out again is the same file, to the byte, however it is written.

use std::{collections::BTreeMap, fs, os::unix::fs::MetadataExt, path::Path};

use super::{commands, done, folders, ours, read, samples};
use crate::support::headspace::{Headspace, Kind};

#[test]
fn what_people_have_in_their_settings_is_there_again_to_the_byte() {
    let mut headspace = Headspace::on(Kind::Sqlite);
    let samples = samples::all();
    assert!(samples.len() >= 40);
    let roots = folders(&mut headspace, &samples);
    done(&headspace, &["install"]);
    for (root, sample) in roots.iter().zip(&samples) {
        let settings = read(&root.join("settings.json"));
        assert_eq!(ours(&settings, "Stop"), 1, "{sample:?} became\n{settings}");
        assert_eq!(ours(&settings, "CwdChanged"), 1, "{settings}");
        if !sample.trim_start_matches('\u{feff}').trim().is_empty() {
            for event in ["Stop", "PreToolUse", "SessionStart", "WorktreeCreate"] {
                let mut expected = commands(sample, event);
                let found = commands(&settings, event);
                let added = found.len() - expected.len();
                expected.extend(found[found.len() - added..].to_vec());
                assert_eq!(found, expected, "{sample:?} became\n{settings}");
            }
        }
        let kept = read(&root.join("settings.json.headspace-backup"));
        assert_eq!(kept, *sample);
    }
    let before: Vec<_> = roots.iter().map(|root| tree(root)).collect();
    let said = done(&headspace, &["install"]);
    assert_eq!(
        said.matches("nothing to change").count(),
        samples.len(),
        "{said}"
    );
    let again: Vec<_> = roots.iter().map(|root| tree(root)).collect();
    assert_eq!(again, before, "a second installation writes nothing");
    done(&headspace, &["uninstall"]);
    for (root, sample) in roots.iter().zip(&samples) {
        assert_eq!(read(&root.join("settings.json")), *sample);
        let entries = fs::read_dir(root).expect("a folder").count();
        assert_eq!(entries, 1, "no trace is left");
    }
}

#[test]
fn without_the_backup_all_that_says_something_is_there_again() {
    let mut headspace = Headspace::on(Kind::Sqlite);
    // What is empty and what is nothing look alike without it.
    let is_plain = |text: &String| {
        let spaceless: String = text.split_whitespace().collect();
        let odd = ["[]", "{}", "null", "\"hooks\":[]"];
        spaceless.len() > 3 && !odd.iter().any(|odd| spaceless.contains(odd))
    };
    let samples: Vec<String> = samples::all().into_iter().filter(is_plain).collect();
    assert!(samples.len() >= 40, "{}", samples.len());
    let roots = folders(&mut headspace, &samples);
    done(&headspace, &["install"]);
    for root in &roots {
        fs::remove_file(root.join("settings.json.headspace-backup")).expect("removed");
    }
    done(&headspace, &["uninstall"]);
    for (root, sample) in roots.iter().zip(&samples) {
        assert_eq!(read(&root.join("settings.json")), *sample);
    }
}

/// Each entry with what would show that it was written.
fn tree(folder: &Path) -> BTreeMap<String, (u64, i64, i64, Vec<u8>)> {
    let entries = fs::read_dir(folder).expect("a folder");
    let facts = |entry: fs::DirEntry| {
        let metadata = entry.metadata().expect("its facts");
        let content = fs::read(entry.path()).expect("its content");
        let name = entry.file_name().into_string().expect("a name");
        let at = (metadata.ino(), metadata.mtime(), metadata.mtime_nsec());
        (name, (at.0, at.1, at.2, content))
    };
    entries
        .map(|entry| facts(entry.expect("an entry")))
        .collect()
}
