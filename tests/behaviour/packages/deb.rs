//! The Debian package: what is in it, and what Debian's own lint says.

use std::process::Command;

use crate::support::packages::{Contents, VERSION, contents_of, deb, lines_of, run, staged};

#[test]
fn it_holds_what_every_package_holds() {
    assert_eq!(listed(), expected());
}

/// What is staged, by Debian's names.
fn expected() -> Contents {
    let mut all = contents_of(&staged());
    let plain = "-rw-r--r--".to_owned();
    // Debian has the licence's text itself.
    all.remove("usr/share/licenses/headspace/LICENSE");
    all.remove("usr/share/doc/headspace/CHANGELOG.md");
    for path in [
        "usr/share/doc/headspace/copyright",
        "usr/share/doc/headspace/changelog.gz",
        "usr/share/doc/headspace/changelog.Debian.gz",
        "usr/share/lintian/overrides/headspace",
    ] {
        all.insert(path.to_owned(), plain.clone());
    }
    all.into_iter()
        .map(|(path, mode)| {
            let path = path.replace("zsh/site-functions", "zsh/vendor-completions");
            let is_page = path.starts_with("usr/share/man/");
            (if is_page { path + ".gz" } else { path }, mode)
        })
        .collect()
}

#[test]
fn everything_in_it_is_roots() {
    for line in tar_lines() {
        assert!(
            line.contains(" 0/0 ") || line.contains(" root/root "),
            "{line}"
        );
    }
}

#[test]
fn it_says_what_it_is_and_what_it_needs() {
    let package = deb(&format!("{VERSION}-1"));
    let field = |name: &str| {
        let mut command = Command::new("dpkg-deb");
        run(command.arg("--field").arg(&package).arg(name))
            .trim()
            .to_owned()
    };
    assert_eq!(field("Package"), "headspace");
    assert_eq!(field("Version"), format!("{VERSION}-1"));
    assert!(
        field("Depends").starts_with("libc6 (>= "),
        "{}",
        field("Depends")
    );
    let newest = run(Command::new("dpkg-parsechangelog").args([
        "-l",
        "packaging/deb/changelog",
        "-S",
        "Version",
    ]));
    assert_eq!(newest.trim(), format!("{VERSION}-1"));
}

#[test]
fn lintian_finds_nothing_that_is_not_explained() {
    let mut command = Command::new("lintian");
    // An override that hides nothing is said too.
    command.args(["--allow-root", "--profile", "debian"]);
    command.args(["--display-level", ">=warning", "--fail-on", "none"]);
    command.args(["--tag-display-limit", "0"]);
    let said = run(command.arg(deb(&format!("{VERSION}-1"))));
    assert_eq!(said, "");
}

fn listed() -> Contents {
    let files = tar_lines().into_iter().filter(|line| line.starts_with('-'));
    let short = files.map(|line| {
        let mode = line.split_whitespace().next().expect("a mode");
        let (_, path) = line.split_once(" ./").expect("a path");
        format!("{mode} {path}\n")
    });
    lines_of(&short.collect::<String>())
}

fn tar_lines() -> Vec<String> {
    let mut command = Command::new("dpkg-deb");
    let said = run(command.arg("--contents").arg(deb(&format!("{VERSION}-1"))));
    said.lines().map(ToOwned::to_owned).collect()
}
