//! What headspace makes is for its user alone.

use std::path::Path;

use crate::support::{
    headspace::{Headspace, Kind, eventually},
    stream::Stream,
    talk::{Talk, wait_for_count},
    transcripts::files,
    web::{self, Web, mode},
};

#[test]
fn files_are_0600_and_folders_0700_under_any_umask() {
    let headspace = Headspace::on(Kind::Sqlite);
    Talk::new(&headspace, "private").say("secret");
    // The shell gives the most open umask there is to the process it becomes.
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", "umask 000; exec \"$@\"", "sh"]);
    let mut up = headspace.command_under(shell, &["up"]);
    up.env("HEADSPACE_WEB__LISTEN", r#"["127.0.0.1:0"]"#);
    let _up = headspace.spawn(up);
    eventually("there is a database", || {
        headspace.store.try_column("SELECT 1 FROM events").is_ok()
    });
    wait_for_count(&headspace.store, 2);
    let state = headspace.state();
    let socket = state.join("run/web.sock");
    eventually("there is a socket", || socket.exists());
    // And one whose run folder a service manager named.
    let mut command = web::command(&headspace);
    command.env("RUNTIME_DIRECTORY", headspace.dir().join("run"));
    let web = Web::from(&headspace, command);
    let _stream = Stream::open(&web, "/api/events/stream");

    let mut seen = Vec::new();
    for file in files(&state) {
        assert_mode(&state.join(&file), 0o600);
        seen.push(file.display().to_string());
    }
    for wanted in [
        "headspace.db",
        "headspace.db-wal",
        "headspace.db-shm",
        "watcher.lock",
        "run/web.sock",
        "run/watcher.pid",
        "run/run-watcher.sh",
    ] {
        assert!(
            seen.iter().any(|name| name == wanted),
            "{wanted} is not in {seen:?}"
        );
    }
    let run = headspace.dir().join("run");
    assert_mode(&state, 0o700);
    assert_mode(&state.join("run"), 0o700);
    assert_mode(&run, 0o700);
    assert_mode(&run.join("web.sock"), 0o600);
    assert_mode(&run.join("wake"), 0o700);
    for door in files(&run.join("wake")) {
        assert_mode(&run.join("wake").join(door), 0o600);
    }
}

fn assert_mode(path: &Path, expected: u32) {
    let found = mode(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(found, expected, "{} is {found:04o}", path.display());
}
