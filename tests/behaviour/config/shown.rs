//! What is in force can be seen, and what is shipped is what is in force.

use std::{fs, path::Path};

use crate::support::headspace::{Headspace, Kind};

#[test]
fn the_settings_are_shown_with_their_source_and_without_the_password() {
    let mut headspace = Headspace::on(Kind::Sqlite);
    let file = headspace.dir().join("settings.yaml");
    fs::write(&file, "watch: {reconcile_interval_seconds: 7}\n").expect("written");
    for url in [
        "postgres://me:geheim@host/db",
        "postgres://host/db?user=me&password=geheim",
    ] {
        headspace.set("HEADSPACE_DATABASE__URL", url);
        let output = headspace.run(&[
            "--config",
            file.to_str().expect("UTF-8"),
            "--log-level",
            "warn",
            "config",
            "show",
        ]);
        let shown = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(
            shown.contains("***") && !shown.contains("geheim"),
            "{shown}"
        );
        for (key, source) in [
            ("reconcile_interval_seconds: 7", "settings.yaml"),
            ("level: \"warn\"", "--log-level"),
            ("url: ", "HEADSPACE_DATABASE__URL"),
            ("write_retry_attempts: 3", "default"),
        ] {
            let line = shown
                .lines()
                .find(|line| line.trim_start().starts_with(key));
            assert!(
                line.is_some_and(|line| line.contains(source)),
                "{key} {source}: {shown}"
            );
        }
    }
}

#[test]
fn what_is_shown_can_be_loaded_again() {
    let headspace = Headspace::on(Kind::Sqlite);
    let show = |arguments: &[&str]| {
        let output = headspace.run(arguments);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let first = show(&["config", "show"]);
    let file = headspace.dir().join("again.yaml");
    fs::write(&file, &first).expect("written");
    let again = show(&["--config", file.to_str().expect("UTF-8"), "config", "show"]);
    let values = |text: &str| -> Vec<String> {
        text.lines()
            .map(|line| line.split("  # ").next().unwrap_or(line).to_owned())
            .collect()
    };
    assert_eq!(values(&again), values(&first));
}

#[test]
fn the_commented_settings_file_is_valid_and_holds_the_defaults() {
    let headspace = Headspace::on(Kind::Sqlite);
    let shipped = repository().join("config/config.yaml");
    let show = |arguments: &[&str]| {
        let mut command = headspace.command(arguments);
        command
            .env_remove("HEADSPACE_DATABASE__URL")
            .env_remove("HEADSPACE_CLAUDE__ROOTS");
        let output = command.output().expect("it runs");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let shown = String::from_utf8(output.stdout).expect("UTF-8");
        let values: Vec<String> = shown
            .lines()
            .map(|line| line.split("  # ").next().unwrap_or(line).to_owned())
            .collect();
        values
    };
    let file = shipped.to_str().expect("UTF-8");
    assert_eq!(
        show(&["--config", file, "config", "show"]),
        show(&["config", "show"])
    );
}

#[test]
fn the_schemas_in_the_repository_are_those_the_program_prints() {
    let headspace = Headspace::on(Kind::Sqlite);
    let folder = headspace.dir().join("schema");
    fs::create_dir(&folder).expect("a folder");
    let written = headspace.run(&["schema", "--write", folder.to_str().expect("UTF-8")]);
    assert!(
        written.status.success(),
        "{}",
        String::from_utf8_lossy(&written.stderr)
    );
    let committed = repository().join("config/schema");
    assert_eq!(names(&folder), names(&committed));
    for name in names(&folder) {
        let [fresh, kept] = [&folder, &committed]
            .map(|folder| fs::read_to_string(folder.join(&name)).expect("a file"));
        assert!(
            fresh == kept,
            "config/schema/{name} is not what `headspace schema` prints"
        );
        let event_type = name.trim_end_matches(".json");
        let printed = headspace.run(&["schema", event_type]);
        assert_eq!(String::from_utf8_lossy(&printed.stdout), kept);
    }
    assert_eq!(names(&folder).len(), 7);
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder").flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
