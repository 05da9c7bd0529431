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
fn wrong_settings_exit_with_1_and_a_service_with_78_so_that_it_stays_away() {
    let mut headspace = Headspace::on(Kind::Sqlite);
    headspace.set("HEADSPACE_WEB__LISTEN", "nowhere");
    for (code, arguments) in [
        (78, &["web"][..]),
        (78, &["watch"]),
        (1, &["watch", "--once"]),
        (1, &["up"]),
        (1, &["status"]),
        (1, &["events"]),
        (1, &["config", "check"]),
    ] {
        let output = headspace.run(arguments);
        let errors = errors(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {errors}");
        assert!(errors.contains("web.listen"), "{arguments:?}: {errors}");
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
            "explain",
            "export",
            "go",
            "hook",
            "hooks",
            "install",
            "line",
            "man",
            "migrate",
            "next",
            "rebuild",
            "resume",
            "schema",
            "show",
            "start",
            "status",
            "uninstall",
            "up",
            "verify",
            "wait",
            "watch",
            "web",
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
