//! `/health` of the sandboxed service: what each user may read, and what it says
//! of the watcher's unit.

use serde_json::Value;

use crate::support::{
    headspace::eventually,
    testbed::{ACCOUNT, SOCKET, Testbed, WATCHER},
};

#[test]
fn the_account_reads_everything_and_other_users_only_the_status() {
    let testbed = Testbed::installed();
    testbed.systemctl(&["start", WATCHER, SOCKET]);
    wait_for(&testbed, "healthy");
    for door in ["tcp", "unix"] {
        let health = ask(&testbed, ACCOUNT, door).expect(door);
        assert_eq!(health["status"], "healthy", "{door}: {health}");
        assert_eq!(health["watcher"]["unit"], WATCHER, "{door}: {health}");
        assert_eq!(
            health["watcher"]["active_state"], "active",
            "{door}: {health}"
        );
        assert_eq!(
            health["watcher"]["supervisor"], "systemd",
            "{door}: {health}"
        );
    }
    let pid = testbed.pid(WATCHER);
    let health = testbed.get("/health").json();
    assert_eq!(health["watcher"]["main_pid"], pid, "root, too: {health}");

    let brief = ask(&testbed, "nobody", "tcp").expect("an answer");
    let names: Vec<&String> = brief.as_object().expect("an object").keys().collect();
    assert_eq!(names, ["status", "version"], "{brief}");
    assert_eq!(ask(&testbed, "nobody", "unix"), None);
}

#[test]
fn a_watcher_that_is_stopped_or_failed_is_told_with_its_unit() {
    let testbed = Testbed::installed();
    testbed.systemctl(&["start", WATCHER, SOCKET]);
    wait_for(&testbed, "healthy");
    testbed.systemctl(&["stop", WATCHER]);
    let health = wait_for(&testbed, "degraded");
    let reasons = health["reasons"].to_string();
    assert!(reasons.contains("no watcher is running"), "{reasons}");
    assert!(reasons.contains(WATCHER), "{reasons}");
    assert_eq!(health["watcher"]["active_state"], "inactive", "{health}");

    testbed.write("/etc/headspace/config.yaml", "watch: {sesions: all}\n");
    assert!(!testbed.try_systemctl(&["start", WATCHER]));
    eventually("the failure is reported", || {
        testbed.get("/health").json()["watcher"]["active_state"] == "failed"
    });
    let reasons = testbed.get("/health").json()["reasons"].to_string();
    assert!(reasons.contains("failed"), "{reasons}");

    testbed.write("/etc/headspace/config.yaml", "");
    testbed.systemctl(&["start", WATCHER]);
    wait_for(&testbed, "healthy");
}

fn wait_for(testbed: &Testbed, status: &str) -> Value {
    let mut health = Value::Null;
    eventually(status, || {
        health = testbed.get("/health").json();
        health["status"] == status
    });
    health
}

/// What a user of the machine reads, if the server lets them in.
fn ask(testbed: &Testbed, user: &str, door: &str) -> Option<Value> {
    let program = "
import socket, sys
if sys.argv[1] == 'tcp':
    s = socket.create_connection(('127.0.0.1', 5055), 30)
else:
    s = socket.socket(socket.AF_UNIX); s.connect('/run/headspace/web.sock')
s.sendall(b'GET /health HTTP/1.1\\r\\nHost: localhost:5055\\r\\nConnection: close\\r\\n\\r\\n')
print(s.makefile().read().partition('\\n\\n')[2])";
    let mut command = testbed.command("runuser");
    command.args(["-u", user, "--", "python3", "-c", program, door]);
    let output = command.output().expect("runuser runs");
    let said = String::from_utf8_lossy(&output.stdout);
    output
        .status
        .success()
        .then(|| serde_json::from_str(&said).expect("JSON"))
}
