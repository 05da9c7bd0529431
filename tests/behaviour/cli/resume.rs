//! `resume` becomes the CLI, in the session's folder.

use std::{fs, os::unix::fs::PermissionsExt};

use crate::support::{
    agents::{session, subagent},
    headspace::{Headspace, Kind},
    talk::tamper,
};

#[test]
fn the_cli_goes_on_with_the_session_in_its_folder() {
    let mut headspace = Headspace::on(Kind::Sqlite);
    let folder = headspace.dir().join("a shop's");
    let set = format!(
        "title = 'shop', working_directory = '{}'",
        folder.display().to_string().replace('\'', "''")
    );
    let id = session(&headspace, "shop", &set);
    let child = subagent(&headspace, id, "a", "title = 'look around'");
    let uuid = headspace
        .store
        .column(&format!("SELECT session_uuid FROM agents WHERE id = {id}"))
        .remove(0);

    let output = headspace.run(&["resume", "shop", "--print"]);
    let printed = String::from_utf8(output.stdout).expect("text");
    let quoted = folder.display().to_string().replace('\'', r"'\''");
    assert_eq!(
        printed,
        format!("cd '{quoted}' && claude --resume {uuid}\n")
    );

    let complaint = |headspace: &Headspace| {
        let output = headspace.run(&["resume", "shop"]);
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(complaint(&headspace).contains("is not there any more"));
    fs::create_dir(&folder).expect("a folder");
    let bin = headspace.dir().join("bin");
    headspace.set("PATH", format!("{}:/usr/bin:/bin", bin.display()));
    assert!(complaint(&headspace).contains("cannot start claude"));

    fs::create_dir(&bin).expect("a folder");
    let claude = bin.join("claude");
    fs::write(&claude, "#!/bin/sh\necho \"$$ $PWD $*\"\nexit 7\n").expect("a script");
    fs::set_permissions(&claude, fs::Permissions::from_mode(0o755)).expect("its mode");
    for wanted in ["shop", &*child.to_string()] {
        let mut command = headspace.command(&["resume", wanted]);
        let started = command
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("it starts");
        let pid = started.id();
        let output = started.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let expected = format!("{pid} {} --resume {uuid}\n", folder.display());
        assert_eq!(said, expected, "the same process");
        assert_eq!(output.status.code(), Some(7));
    }

    tamper(&headspace.store, "UPDATE projects SET host = 'elsewhere'");
    assert!(complaint(&headspace).contains("this session is on elsewhere"));
}
