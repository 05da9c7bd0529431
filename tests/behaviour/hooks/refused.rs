//! A file that is not understood is left alone, and it is said where it is wrong.

use std::fs;

use super::{done, failed, folders, ours, read, with_settings};
use crate::support::headspace::{Headspace, Kind};

#[test]
fn what_is_wrong_is_named_by_line_and_column_and_nothing_is_touched() {
    for (text, place) in [
        (
            "{\n  // mine\n  \"model\": \"opus\"\n}\n",
            "line 2, column 3: key must be a string",
        ),
        (
            "{\n  \"model\": \"opus\",\n}\n",
            "line 3, column 1: key must be a string",
        ),
        (
            "{\n  \"hooks\": []\n}\n",
            "line 2, column 12: hooks: expected an object",
        ),
        (
            "{\"hooks\": {\"Stop\": {}}}",
            "line 1, column 20: hooks.Stop: expected a list",
        ),
        ("[]", "line 1, column 1: expected an object"),
    ] {
        let (headspace, path) = with_settings(text);
        for command in ["install", "uninstall"] {
            let is_list = place.contains("hooks.Stop") && command == "uninstall";
            let said = match is_list {
                true => done(&headspace, &[command]),
                false => failed(&headspace, &[command]),
            };
            assert!(
                is_list || said.contains(place),
                "{place:?} is not in {said}"
            );
            assert_eq!(read(&path), text);
        }
        assert_eq!(fs::read_dir(headspace.root()).expect("there").count(), 2);
    }
}

#[test]
fn bytes_that_are_no_text_are_named_too() {
    let (headspace, path) = with_settings("");
    fs::write(&path, b"{\n\"a\": \"\xff\"}").expect("written");
    let said = failed(&headspace, &["install"]);
    assert!(
        said.contains("is not UTF-8 text: line 2, column 7"),
        "{said}"
    );
}

#[test]
fn one_wrong_file_does_not_keep_the_others_from_their_hooks() {
    let mut headspace = Headspace::on(Kind::Sqlite);
    let texts = ["{}", "{,}", "{}"].map(str::to_owned);
    let roots = folders(&mut headspace, &texts);
    failed(&headspace, &["install"]);
    let found = roots.iter().map(|root| read(&root.join("settings.json")));
    let found: Vec<usize> = found
        .map(|text| {
            if text == "{,}" {
                9
            } else {
                ours(&text, "Stop")
            }
        })
        .collect();
    assert_eq!(found, [1, 9, 1]);
}

#[test]
fn what_is_no_file_is_refused_at_once() {
    let (headspace, path) = with_settings("");
    fs::remove_file(&path).expect("removed");
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mkfifoat(rustix::fs::CWD, &path, mode).expect("a pipe");
    let said = failed(&headspace, &["install"]);
    assert!(said.contains("is no file"), "{said}");
    fs::remove_file(&path).expect("removed");
    std::os::unix::fs::symlink("nowhere", &path).expect("a link");
    let said = failed(&headspace, &["install"]);
    assert!(said.contains("settings.json: No such file"), "{said}");
}
