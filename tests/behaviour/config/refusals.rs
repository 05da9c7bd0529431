//! A wrong setting is one clear line that names the key, and nothing is started.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, chown},
    process::{Command, Output},
};

use crate::support::headspace::{Headspace, Kind};

#[test]
fn a_wrong_settings_file_stops_everything_and_names_the_key() {
    for (text, parts) in [
        (
            "watch: {max_line_byte: 5000}",
            &[
                "watch.max_line_byte",
                "unknown",
                "did you mean max_line_bytes?",
            ][..],
        ),
        (
            "wtach: {max_line_bytes: 5000}",
            &["wtach", "unknown", "watch"],
        ),
        (
            "watch: {inactivity_timeout_seconds: soon}",
            &["watch.inactivity_timeout_seconds", "soon"],
        ),
        (
            "watch: {inactivity_timeout_seconds: 0}",
            &["watch.inactivity_timeout_seconds", "1 to 2592000"],
        ),
        (
            "event_system: {write_retry_attempts: [3]}",
            &["event_system.write_retry_attempts"],
        ),
        ("sse: 30", &["sse"]),
        (
            "database: {url: \"mysql://u:geheim@h/d\"}",
            &["database.url", "mysql"],
        ),
        (
            "database: {url: \"postgres://u:geheim@h:port/d\"}",
            &["database.url"],
        ),
        (
            "database: {url: \"sqlite:relative.db\"}",
            &["database.url", "absolute"],
        ),
        ("logging: {level: loud}", &["logging.level", "loud"]),
        ("claude: {roots: [\"../here\"]}", &["claude.roots"]),
        ("watch: {max_line_bytes: 5000", &["settings.yaml"]),
    ] {
        let headspace = Headspace::on(Kind::Sqlite);
        let file = headspace.dir().join("settings.yaml");
        fs::write(&file, text).expect("written");
        let file = file.to_str().expect("UTF-8");
        for rest in [
            &["watch"][..],
            &["watch", "--once"],
            &["migrate"],
            &["config", "check"],
            &["config", "show"],
        ] {
            // Nothing but the file decides: the test's own settings would win over it.
            let mut command = headspace.command(&[&["--config", file], rest].concat());
            command
                .env_remove("HEADSPACE_DATABASE__URL")
                .env_remove("HEADSPACE_CLAUDE__ROOTS");
            let output = command.output().expect("it runs");
            let line = refusal(&output);
            for part in parts.iter().chain(&["settings.yaml"]) {
                assert!(line.contains(part), "{text}: {part:?} is not in {line}");
            }
            assert!(!line.contains("geheim"), "{line}");
            assert!(
                !headspace.state().exists(),
                "{text}: {rest:?} has made the state folder"
            );
        }
    }
}

#[test]
fn a_wrong_variable_or_flag_is_named_too() {
    let headspace = Headspace::on(Kind::Sqlite);
    for (name, value, part) in [
        (
            "HEADSPACE_WATCH__MAX_LINE_BYTE",
            "5000",
            "HEADSPACE_WATCH__MAX_LINE_BYTE",
        ),
        (
            "HEADSPACE_EVENT_SYSTEM__WRITE_RETRY_ATTEMPTS",
            "many",
            "event_system.write_retry_attempts",
        ),
        ("HEADSPACE_CLAUDE__ROOTS", "[", "claude.roots"),
        ("HEADSPACE_DATABASE__URL", "postgres:geheim", "database.url"),
        ("HEADSPACE_LOGGING__FORMAT", "xml", "logging.format"),
        (
            "HEADSPACE_CONFIG",
            "/nowhere/at/all.yaml",
            "/nowhere/at/all.yaml",
        ),
    ] {
        let output = headspace
            .command(&["watch"])
            .env(name, value)
            .output()
            .expect("it runs");
        let line = refusal(&output);
        assert!(line.contains(part), "{name}: {line}");
        assert!(!line.contains("geheim"), "{line}");
        assert!(!headspace.state().join("headspace.db").exists());
    }
    for (flag, value) in [
        ("--log-level", "loud"),
        ("--database-url", "nonsense"),
        ("--config", "/nowhere.yaml"),
    ] {
        let line = refusal(&headspace.run(&[flag, value, "watch"]));
        assert!(line.contains(flag), "{flag}: {line}");
        assert!(!headspace.state().join("headspace.db").exists());
    }
}

#[test]
fn every_mistake_is_reported_at_once() {
    let headspace = Headspace::on(Kind::Sqlite);
    let file = headspace.dir().join("settings.yaml");
    fs::write(
        &file,
        "watch: {max_line_byte: 1}\nlogging: {level: loud}\nsse: {max_connections: none}\n",
    )
    .expect("written");
    let output = headspace.run(&["--config", file.to_str().expect("UTF-8"), "watch"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        (output.status.code(), errors.lines().count()),
        (Some(78), 3),
        "{errors}"
    );
    for key in [
        "watch.max_line_byte",
        "logging.level",
        "sse.max_connections",
    ] {
        assert_eq!(errors.matches(key).count(), 1, "{errors}");
    }
}

/// What starts the service reads the log alone.
#[test]
fn a_service_that_cannot_start_logs_the_cause_as_an_error_in_each_format() {
    for (format, begins) in [("text", "20"), ("json", "{\"timestamp\":")] {
        for what in ["watch", "web"] {
            let mut headspace = Headspace::on(Kind::Sqlite);
            headspace.set("HEADSPACE_LOGGING__FORMAT", format);
            let in_the_way = headspace.dir().join("file");
            fs::write(&in_the_way, "").expect("written");
            for (name, value, key) in [
                (
                    "HEADSPACE_SSE__MAX_CONNECTIONS",
                    "none",
                    "sse.max_connections",
                ),
                (
                    "HEADSPACE_STATE_DIR",
                    in_the_way.to_str().expect("UTF-8"),
                    "state folder",
                ),
            ] {
                let mut command = headspace.command(&[what]);
                let output = command.env(name, value).output().expect("it runs");
                let line = String::from_utf8(output.stderr).expect("UTF-8");
                assert_eq!(output.status.code(), Some(78), "{line}");
                assert_eq!(line.lines().count(), 1, "{line}");
                assert!(line.starts_with(begins), "{format}: {line}");
                assert!(line.contains("ERROR") && line.contains(key), "{line}");
            }
        }
    }
}

#[test]
fn a_wrong_command_line_is_wrong_usage() {
    let headspace = Headspace::on(Kind::Sqlite);
    for arguments in [&["wach"][..], &["watch", "--onc"], &["--state-dir"], &[]] {
        assert_eq!(
            headspace.run(arguments).status.code(),
            Some(2),
            "{arguments:?}"
        );
    }
}

/// As an ordinary user: root may write everywhere.
#[test]
fn a_state_folder_that_cannot_be_written_is_one_clear_line() {
    let headspace = Headspace::on(Kind::Sqlite);
    let nobody = Nobody::find();
    open_to_all(headspace.dir());
    let closed = headspace.dir().join("closed");
    fs::create_dir(&closed).expect("a folder");
    fs::set_permissions(&closed, PermissionsExt::from_mode(0o755)).expect("its mode");
    let theirs = headspace.dir().join("theirs");
    fs::create_dir(&theirs).expect("a folder");
    chown(&theirs, Some(nobody.uid), Some(nobody.gid)).expect("its owner");
    fs::set_permissions(&theirs, PermissionsExt::from_mode(0o500)).expect("its mode");

    for state in [closed.clone(), closed.join("below"), theirs.clone()] {
        for rest in [&["watch"][..], &["watch", "--once"], &["migrate"]] {
            let mut command = headspace.command_under(nobody.setpriv(), rest);
            command.env("HEADSPACE_STATE_DIR", &state);
            command.env(
                "HEADSPACE_DATABASE__URL",
                format!("sqlite:{}/headspace.db", state.display()),
            );
            let line = refusal(&command.output().expect("setpriv runs"));
            assert!(line.contains("HEADSPACE_STATE_DIR"), "{line}");
            assert!(line.contains(state.to_str().expect("UTF-8")), "{line}");
        }
    }
    for folder in [&closed, &theirs] {
        assert_eq!(
            fs::read_dir(folder).expect("a folder").count(),
            0,
            "{folder:?} was written to"
        );
    }
    // The same user with a folder of their own is fine, so it was the folder.
    let mut command = headspace.command_under(nobody.setpriv(), &["migrate"]);
    fs::set_permissions(&theirs, PermissionsExt::from_mode(0o700)).expect("its mode");
    command.env("HEADSPACE_STATE_DIR", &theirs);
    command.env(
        "HEADSPACE_DATABASE__URL",
        format!("sqlite:{}/headspace.db", theirs.display()),
    );
    let output = command.output().expect("setpriv runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// The one line on standard error, of a process that failed before it began.
fn refusal(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(matches!(output.status.code(), Some(1 | 78)), "{errors}");
    assert_eq!(errors.lines().count(), 1, "{errors}");
    // A service logs it, a command prints it.
    let is_logged = errors.contains(" ERROR cli: ");
    assert!(is_logged || errors.starts_with("headspace: "), "{errors}");
    assert!(output.stdout.is_empty());
    errors.into_owned()
}

/// Another account, as which only root can start a program.
struct Nobody {
    uid: u32,
    gid: u32,
}

impl Nobody {
    fn find() -> Nobody {
        let accounts = fs::read_to_string("/etc/passwd").expect("/etc/passwd");
        let entry = accounts.lines().find(|line| line.starts_with("nobody:"));
        let fields: Vec<&str> = entry.expect("the account nobody").split(':').collect();
        Nobody {
            uid: fields[2].parse().expect("uid"),
            gid: fields[3].parse().expect("gid"),
        }
    }

    fn setpriv(&self) -> Command {
        let mut setpriv = Command::new("setpriv");
        setpriv
            .arg(format!("--reuid={}", self.uid))
            .arg(format!("--regid={}", self.gid))
            .arg("--clear-groups");
        setpriv
    }
}

fn open_to_all(folder: &std::path::Path) {
    fs::set_permissions(folder, PermissionsExt::from_mode(0o755)).expect("its mode");
}
