//! Every command has a manual page, and it renders without a complaint.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
};

use crate::support::headspace::{Headspace, Kind};

#[test]
fn every_command_has_a_page_that_anybody_may_read() {
    let headspace = Headspace::on(Kind::Sqlite);
    let pages = written(&headspace);
    let names: BTreeSet<String> = fs::read_dir(pages.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let mut expected = BTreeSet::from(["headspace.1".to_owned()]);
    expect_below(&headspace, &[], &mut expected);
    assert!(expected.contains("headspace-config-show.1"));
    assert_eq!(names, expected);
    for name in names {
        let mode = fs::metadata(pages.path().join(&name))
            .unwrap()
            .permissions();
        assert_eq!(mode.mode() & 0o777, 0o644, "{name}");
    }
}

#[test]
fn pages_render_without_warnings() {
    let headspace = Headspace::on(Kind::Sqlite);
    let pages = written(&headspace);
    for entry in fs::read_dir(pages.path()).unwrap() {
        let path = entry.unwrap().path();
        let (text, warnings) = rendered(&path);
        assert_eq!(warnings, "", "{}", path.display());
        assert!(text.contains("SYNOPSIS"), "{}: {text}", path.display());
    }
}

#[test]
fn a_page_holds_the_examples_of_the_help_line_by_line() {
    let headspace = Headspace::on(Kind::Sqlite);
    let pages = written(&headspace);
    for command in ["events", "up"] {
        let page = pages.path().join(format!("headspace-{command}.1"));
        let (page, _) = rendered(&page);
        let help = printed(&headspace, &[command, "--help"]);
        let (_, examples) = help.split_once("Examples:\n").expect("examples");
        assert!(page.contains("EXAMPLES"), "{page}");
        for line in examples.lines() {
            assert!(page.contains(line.trim()), "{line}\n{page}");
        }
    }
    let (program, _) = rendered(&pages.path().join("headspace.1"));
    for section in ["EXIT STATUS", "FILES", "ENVIRONMENT"] {
        assert!(program.contains(section), "{section}\n{program}");
    }
}

#[test]
fn one_page_is_printed_by_its_words() {
    let headspace = Headspace::on(Kind::Sqlite);
    let pages = written(&headspace);
    for (words, file) in [
        (&["man"][..], "headspace.1"),
        (&["man", "config", "show"], "headspace-config-show.1"),
    ] {
        let page = fs::read_to_string(pages.path().join(file)).unwrap();
        assert_eq!(printed(&headspace, words), page);
    }
    let output = headspace.run(&["man", "dinner"]);
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        errors.contains("headspace has no command dinner"),
        "{errors}"
    );
}

/// Adds the pages that the commands in a help text, and those below, must have.
fn expect_below(headspace: &Headspace, words: &[&str], pages: &mut BTreeSet<String>) {
    let help = printed(headspace, &[words, &["--help"]].concat());
    let Some((_, list)) = help.split_once("Commands:\n") else {
        return;
    };
    for name in list
        .lines()
        .take_while(|line| line.starts_with("  "))
        .filter(|line| !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
    {
        let below = [words, &[name]].concat();
        pages.insert(format!("headspace-{}.1", below.join("-")));
        expect_below(headspace, &below, pages);
    }
}

fn written(headspace: &Headspace) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let output = headspace.run(&["man", "--write", folder.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    folder
}

fn printed(headspace: &Headspace, words: &[&str]) -> String {
    let output = headspace.run(words);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The page as a wide terminal shows it, and what groff has to say about it.
fn rendered(page: &Path) -> (String, String) {
    let Output { stdout, stderr, .. } = Command::new("groff")
        .args(["-man", "-Tutf8", "-P-cbou", "-ww", "-rLL=200n", "-rHY=0"])
        .arg(page)
        .output()
        .expect("groff");
    (
        // Code is in plain minus signs, whatever the page's hyphens look like.
        String::from_utf8_lossy(&stdout).replace(['−', '‐'], "-"),
        String::from_utf8_lossy(&stderr).into_owned(),
    )
}
