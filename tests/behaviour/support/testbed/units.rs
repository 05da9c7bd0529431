//! systemd in a testbed: its units, and its journal.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::{
    super::headspace::{PATIENCE, eventually},
    ACCOUNT, Testbed, succeeded,
};

impl Testbed {
    pub fn systemctl(&self, arguments: &[&str]) -> String {
        let output = self.command("systemctl").args(arguments).output();
        succeeded(&format!("{arguments:?}"), output.expect("systemctl runs"))
    }

    /// Whether systemd did it.
    pub fn try_systemctl(&self, arguments: &[&str]) -> bool {
        let output = self.command("systemctl").args(arguments).output();
        output.expect("systemctl runs").status.success()
    }

    /// Starts a unit of the account's own manager, without a login.
    pub fn start_for_user(&self, unit: &str) {
        self.sh(&format!("loginctl enable-linger {ACCOUNT}"));
        eventually("the user's manager is up", || {
            let is_up = "test -S $XDG_RUNTIME_DIR/systemd/private && echo yes || true";
            self.sh_as_account(is_up) == "yes"
        });
        self.sh_as_account(&format!("systemctl --user start {unit}"));
    }

    pub fn property(&self, unit: &str, name: &str) -> String {
        self.systemctl(&["show", "--value", "--property", name, unit])
    }

    /// A service's process, as the testbed counts.
    pub fn pid(&self, unit: &str) -> u32 {
        self.property(unit, "MainPID").parse().expect("a number")
    }

    /// Sends a signal to a service's process, from outside of systemd's plans.
    pub fn signal(&self, unit: &str, signal: &str) {
        let signal = format!("--signal={signal}");
        self.systemctl(&["kill", "--kill-whom=main", &signal, unit]);
    }

    pub fn wait_for(&self, unit: &str, property: &str, value: &str) {
        let mut is = String::new();
        let deadline = Instant::now() + PATIENCE;
        while is != value {
            is = self.property(unit, property);
            let wanted = format!("{unit}: {property}={value}");
            assert!(Instant::now() < deadline, "{wanted} and not {is}");
        }
    }

    /// Waits until another process serves in the place of `pid`; says how long
    /// that took.
    pub fn wait_for_successor(&self, unit: &str, pid: u32) -> Duration {
        let start = Instant::now();
        eventually("another process is ready in its place", || {
            let now = self.properties(unit, &["ActiveState", "MainPID"]);
            now[0] == "active" && now[1] != "0" && now[1] != pid.to_string()
        });
        start.elapsed()
    }

    /// Several properties, in this order and of one moment.
    pub fn properties(&self, unit: &str, names: &[&str]) -> Vec<String> {
        let said = self.systemctl(&["show", "--property", &names.join(","), unit]);
        let value = |name: &&str| {
            let line = said
                .lines()
                .find_map(|line| line.strip_prefix(&format!("{name}=")));
            line.unwrap_or_else(|| panic!("{name}: {said}")).to_owned()
        };
        names.iter().map(value).collect()
    }

    /// Entries of the journal, everything logged so far included.
    pub fn journal(&self, arguments: &[&str]) -> Vec<Value> {
        let mut command = self.command("journalctl");
        command.arg("--sync").output().expect("journalctl runs");
        let mut command = self.command("journalctl");
        command.args(["--no-pager", "--quiet", "--output=json", "--all"]);
        let output = command.args(arguments).output().expect("journalctl runs");
        let said = String::from_utf8_lossy(&output.stdout);
        let entry = |line| serde_json::from_str(line).expect("a line of JSON");
        said.lines().map(entry).collect()
    }

    /// The messages of these entries.
    pub fn messages(&self, arguments: &[&str]) -> Vec<String> {
        let message = |entry: &Value| entry["MESSAGE"].as_str().unwrap_or_default().to_owned();
        self.journal(arguments).iter().map(message).collect()
    }
}

/// Whether an entry of the journal was written by headspace, and not by systemd
/// about it.
pub fn is_ours(entry: &Value) -> bool {
    let identifier = entry["SYSLOG_IDENTIFIER"].as_str();
    identifier.is_some_and(|name| name.starts_with("headspace"))
}

/// As syslog has them: 3 is an error, 4 a warning, 6 information.
pub fn priority(entry: &Value) -> u8 {
    let number = entry["PRIORITY"]
        .as_str()
        .and_then(|text| text.parse().ok());
    number.unwrap_or_else(|| panic!("no priority: {entry}"))
}
