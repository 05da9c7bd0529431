//! What is there, when it came, and whether it gets through.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use serde_json::{Value, json};

use super::{done, failed, read, said as said_of};
use crate::{
    spool::{assert_silent, hook, registry::Cli, stop},
    support::{
        headspace::{Headspace, Kind, eventually, on_both},
        oracle,
    },
};

on_both! {
    fn a_hook_goes_through_the_whole_door_and_makes_no_session(kind: Kind) {
        let headspace = Headspace::on(kind);
        done(&headspace, &["install"]);
        assert_silent(&hook(&headspace, stop("a").to_string()));
        let _watcher = headspace.watch();
        let said = done(&headspace, &["status"]);
        assert!(said.contains("a test of them is in the log after "), "{said}");
        let said = done(&headspace, &["status"]);
        let line = |event: &str| said.lines().find(|line| line.trim_start().starts_with(event));
        let stop = line("Stop ").expect("a line");
        assert!(stop.contains("came ") && stop.ends_with("1 in all"), "{said}");
        assert!(line("StopFailure").is_some_and(|line| line.ends_with("never came")), "{said}");
        let store = &headspace.store;
        assert_eq!(store.column("SELECT session_uuid FROM agents"), ["a"]);
        let tests = "SELECT count(*) FROM events WHERE payload ->> 'hook_type' = 'HeadspaceSelfTest'";
        assert_eq!(store.number(tests), 2);
        let json: Value = serde_json::from_str(&done(&headspace, &["status", "--json"])).expect("JSON");
        assert_eq!(json["roots"][0]["hooks"].as_array().map(Vec::len), Some(15));
        assert_eq!(json["roots"][0]["missing"], json!([]));
        assert!(json["received"].as_array().is_some_and(|rows| !rows.is_empty()));
        let doctor = headspace.run(&["doctor"]);
        let doctor = String::from_utf8(doctor.stdout).expect("text");
        assert!(doctor.contains("a test of them is in the log after "), "{doctor}");
        assert!(doctor.contains("15 hooks are in "), "{doctor}");
        let rebuilt = headspace.run(&["rebuild", "--check"]);
        assert!(rebuilt.status.success(), "{}", said_of(&rebuilt));
        oracle::assert_clean(&headspace);
    }
}

#[test]
fn a_test_that_gets_nowhere_is_a_failure_and_says_what_is_called() {
    let headspace = Headspace::on(Kind::Sqlite);
    done(&headspace, &["install"]);
    let path = headspace.root().join("settings.json");
    let elsewhere = headspace.dir().join("elsewhere");
    let state = headspace.state().display().to_string();
    let changed = read(&path).replace(&state, &elsewhere.display().to_string());
    fs::write(&path, changed).expect("written");
    let _watcher = headspace.watch();
    let said = failed(&headspace, &["status"]);
    assert!(
        said.contains("a test of them is not in the log after 3 s"),
        "{said}"
    );
    assert!(said.contains(&*elsewhere.to_string_lossy()), "{said}");
}

#[test]
fn a_command_that_hangs_is_named_and_ended() {
    let headspace = Headspace::on(Kind::Sqlite);
    done(&headspace, &["install"]);
    let folder = headspace.dir().join("slow");
    fs::create_dir(&folder).expect("a folder");
    let (program, pid) = (folder.join("headspace"), folder.join("pid"));
    let script = format!(
        "#!/bin/sh\nsleep 600 &\necho $! > '{}'\nwait\n",
        pid.display()
    );
    fs::write(&program, script).expect("written");
    fs::set_permissions(&program, Permissions::from_mode(0o755)).expect("executable");
    let path = headspace.root().join("settings.json");
    let ours = env!("CARGO_BIN_EXE_headspace");
    let changed = read(&path).replace(ours, &program.display().to_string());
    fs::write(&path, changed).expect("written");
    let _watcher = headspace.watch();
    let said = failed(&headspace, &["status"]);
    assert!(
        said.contains("a test of them timed out: after 3 s"),
        "{said}"
    );
    assert!(said.contains(&*program.to_string_lossy()), "{said}");
    let pid = read(&pid);
    eventually("what it started is gone", || {
        !Path::new("/proc").join(pid.trim()).exists()
    });
}

#[test]
fn with_nothing_running_it_says_what_is_there_and_what_is_not() {
    let headspace = Headspace::on(Kind::Sqlite);
    let said = done(&headspace, &["status"]);
    assert!(
        said.contains("has no hook of ours") && said.contains("fix: headspace hooks install"),
        "{said}"
    );
    done(&headspace, &["install"]);
    let path = headspace.root().join("settings.json");
    let changed = read(&path).replace("\"StopFailure\"", "\"Setup\"");
    fs::write(&path, changed).expect("written");
    let said = done(&headspace, &["status"]);
    assert!(said.contains("there is no hook of StopFailure"), "{said}");
    fs::write(
        &path,
        read(&path).replacen('{', "{\"disableAllHooks\": true,", 1),
    )
    .expect("written");
    let said = done(&headspace, &["status"]);
    assert!(said.contains("disableAllHooks"), "{said}");
    fs::write(&path, "{,}").expect("written");
    let said = done(&headspace, &["status"]);
    assert!(said.contains("line 1, column 2"), "{said}");
    assert!(!headspace.state().exists(), "it leaves nothing behind");
}

#[test]
fn sessions_of_a_claude_that_says_nothing_are_named() {
    let headspace = Headspace::on(Kind::Sqlite);
    let mut new = Cli::start(&headspace);
    new.says("s-new", "idle");
    let said = done(&headspace, &["status"]);
    assert!(
        said.contains("1 process of claude 2.1.329: what it does is in its registry"),
        "{said}"
    );
    let entry = fs::read_dir(headspace.root().join("sessions"))
        .expect("there")
        .next();
    let file = entry.expect("a file").expect("read").path();
    let mut entry: Value = serde_json::from_str(&read(&file)).expect("JSON");
    entry["version"] = json!("2.1.113");
    entry.as_object_mut().expect("an object").remove("status");
    fs::write(&file, entry.to_string()).expect("written");
    let said = done(&headspace, &["status"]);
    assert!(
        said.contains("whether it waits cannot be told, such as of session s-new"),
        "{said}"
    );
    done(&headspace, &["install"]);
    let said = done(&headspace, &["status"]);
    assert!(
        said.contains("its registry does not say what it does; its hooks do"),
        "{said}"
    );
}
