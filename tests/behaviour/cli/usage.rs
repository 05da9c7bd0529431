//! Wrong usage is told apart from failure, and help shows how.

use std::process::Output;

use crate::support::headspace::{Headspace, Kind};

#[test]
fn wrong_usage_exits_with_2() {
    let headspace = Headspace::on(Kind::Sqlite);
    for arguments in [
        &["nonsense"][..],
        &["watch", "--sometimes"],
        &["events", "--limit", "many"],
        &["events", "--type"],
        &["up", "argument"],
        &["--config"],
        &[],
    ] {
        let output = headspace.run(arguments);
        assert_eq!(
            output.status.code(),
            Some(2),
            "{arguments:?}: {}",
            errors(&output)
        );
        assert!(
            errors(&output).contains("--help"),
            "{arguments:?}: {}",
            errors(&output)
        );
    }
}

#[test]
fn a_failure_exits_with_1_and_says_where_it_is() {
    let mut headspace = Headspace::on(Kind::Sqlite);
    headspace.set("HEADSPACE_WEB__LISTEN", "nowhere");
    for command in ["web", "up", "watch", "status", "events"] {
        let output = headspace.run(&[command]);
        assert_eq!(
            output.status.code(),
            Some(1),
            "{command}: {}",
            errors(&output)
        );
        assert!(
            errors(&output).contains("web.listen"),
            "{command}: {}",
            errors(&output)
        );
    }
}

#[test]
fn every_commands_help_has_an_example() {
    let headspace = Headspace::on(Kind::Sqlite);
    let help = said(&headspace.run(&["--help"]));
    let (_, rest) = help.split_once("Commands:").expect("the commands");
    let (list, _) = rest.split_once("Options:").expect("the options");
    let mut commands: Vec<&str> = list
        .lines()
        // Further lines of a description stand further to the right.
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    commands.sort();
    assert_eq!(
        commands,
        [
            "completions",
            "config",
            "doctor",
            "events",
            "man",
            "migrate",
            "schema",
            "status",
            "up",
            "verify",
            "watch",
            "web"
        ]
    );
    for command in commands {
        let output = headspace.run(&[command, "--help"]);
        assert_eq!(output.status.code(), Some(0));
        let help = said(&output);
        let (_, examples) = help
            .split_once("Examples:")
            .unwrap_or_else(|| panic!("{command}: {help}"));
        assert!(
            examples.contains(&format!(" {command}")),
            "{command}: {examples}"
        );
    }
    assert!(said(&headspace.run(&["--version"])).starts_with("headspace "));
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
