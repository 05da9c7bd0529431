//! What `doctor --json` said.

use std::{
    net::TcpListener,
    os::unix::process::CommandExt,
    process::{Command, Output},
};

use serde_json::Value;

use crate::support::headspace::Headspace;

/// The account that owns nothing.
pub const NOBODY: u32 = 65534;

#[derive(Debug)]
pub struct Report {
    pub code: i32,
    pub findings: Vec<Value>,
}

pub fn doctor(headspace: &Headspace) -> Report {
    examined(command(headspace))
}

/// The same by another user.
pub fn doctor_as(headspace: &Headspace, uid: u32) -> Report {
    let mut command = command(headspace);
    command.uid(uid).gid(uid);
    examined(command)
}

/// Its own port is a free one, unless the test says otherwise.
pub fn command(headspace: &Headspace) -> Command {
    let mut command = headspace.command(&["doctor", "--json"]);
    let says = |command: &Command, name: &str| command.get_envs().any(|(known, _)| known == name);
    if !says(&command, "HEADSPACE_WEB__LISTEN") {
        command.env("HEADSPACE_WEB__LISTEN", listen(free_port()));
    }
    command
}

pub fn examined(mut command: Command) -> Report {
    read(&command.output().expect("headspace runs"))
}

pub fn read(output: &Output) -> Report {
    let errors = String::from_utf8_lossy(&output.stderr);
    let findings: Vec<Value> =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {errors}"));
    let report = Report {
        code: output.status.code().expect("it was not killed"),
        findings,
    };
    report.assert_is_sound();
    report
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").port()
}

pub fn listen(port: u16) -> String {
    format!("[\"127.0.0.1:{port}\"]")
}

impl Report {
    /// Of every check of this name: state, what was found, the fix.
    pub fn of(&self, check: &str) -> Vec<(&str, &str, &str)> {
        let of_it = self.findings.iter().filter(|one| one["check"] == check);
        let texts = of_it.map(|one| ["state", "found", "fix"].map(|name| one[name].as_str()));
        texts
            .map(|[state, found, fix]| {
                let fix = fix.unwrap_or_default();
                (state.expect("a state"), found.expect("a sentence"), fix)
            })
            .collect()
    }

    /// Fails unless this check came to this, with these words in it; gives its fix.
    pub fn says(&self, check: &str, state: &str, found: &str, fix: &str) -> String {
        let all = self.of(check);
        let one = all
            .iter()
            .find(|one| one.0 == state && one.1.contains(found) && one.2.contains(fix));
        one.unwrap_or_else(|| panic!("{check} is not {state}: {found:?}, {fix:?}\n{all:#?}"))
            .2
            .to_owned()
    }

    /// What holds of every report.
    fn assert_is_sound(&self) {
        let mut failed = false;
        for finding in &self.findings {
            let state = finding["state"].as_str().expect("a state");
            failed |= state == "failed";
            let is_wrong = ["warning", "failed"].contains(&state);
            assert!(
                !is_wrong || finding["fix"].is_string(),
                "without a way out: {finding}"
            );
            let found = finding["found"].as_str().expect("a sentence");
            assert!(!found.is_empty() && !found.contains('\n'), "{finding}");
        }
        assert_eq!(self.code, i32::from(failed), "{self:#?}");
    }
}
