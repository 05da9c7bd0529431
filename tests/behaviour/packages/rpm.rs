//! The RPM package: built by rpmbuild around the program, and linted.

use std::process::Command;

use crate::support::packages::{contents_of, lines_of, rpm, run, staged};

#[test]
fn it_holds_what_every_package_holds() {
    let list = "[%{FILEMODES:perms} %{FILENAMES}\n]";
    let said = run(query().args(["--queryformat", list]));
    let files: String = said
        .lines()
        .filter(|line| line.starts_with('-'))
        .map(|line| line.replacen(" /", " ", 1) + "\n")
        .collect();
    assert_eq!(lines_of(&files), contents_of(&staged()));
}

#[test]
fn its_scripts_are_accepted_by_a_plain_shell() {
    for tag in ["POSTIN", "PREUN", "POSTUN"] {
        let script = run(query().args(["--queryformat", &format!("%{{{tag}}}")]));
        assert!(script.contains("systemctl"), "{tag}: {script}");
        run(Command::new("dash").args(["-n", "-c", &script]));
    }
}

#[test]
fn rpmlint_finds_nothing_that_is_not_explained() {
    let mut command = Command::new("rpmlint");
    command.args(["--rpmlintrc", "packaging/rpm/rpmlintrc"]);
    let said = run(command.arg("packaging/rpm/headspace.spec").arg(rpm("")));
    assert!(said.contains("0 errors, 0 warnings"), "{said}");
}

fn query() -> Command {
    let mut command = Command::new("rpm");
    command.args(["--query", "--package"]).arg(rpm(""));
    command
}
