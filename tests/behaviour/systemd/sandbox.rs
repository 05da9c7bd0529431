//! In its sandbox the program can do all it needs, and what it does not need is
//! refused.

use std::fs;

use serde_json::{Map, Value};

use crate::support::{
    conversation::Conversation,
    headspace::eventually,
    testbed::{ACCOUNT, HOME, SOCKET, Testbed, WATCHER, WEB},
    transcripts::{Session, append},
};

#[test]
fn git_facts_of_a_project_in_the_home_are_found() {
    let testbed = Testbed::installed();
    let project = format!("{HOME}/shop");
    testbed.write(&format!("{project}/.git/HEAD"), "ref: refs/heads/summer\n");
    let remote = "[remote \"origin\"]\n\turl = https://example.org/shop.git\n";
    testbed.write(&format!("{project}/.git/config"), remote);
    let mut session = Session::new("shop", &project);
    let path = testbed
        .headspace
        .project("-home-tester-shop")
        .join(session.file_name());
    append(&path, session.prompt("what is open?"));
    testbed.systemctl(&["start", WATCHER]);
    testbed.headspace.store.wait_for_turns(&["what is open?"]);
    let facts = "SELECT path || ' ' || git_remote || ' ' || current_branch FROM projects";
    let facts = testbed.headspace.store.column(facts);
    assert_eq!(
        facts,
        [format!("{project} https://example.org/shop.git summer")]
    );
}

#[test]
fn postgresql_is_reached_by_its_socket_and_by_tcp() {
    let testbed = Testbed::installed();
    let postgres = testbed.postgres();
    postgres.start();
    let mut talk = Conversation::new(&testbed.headspace, "both");
    for (by, turns) in [("socket", 3), ("tcp", 6)] {
        match by {
            "socket" => postgres.use_by_socket(),
            _ => postgres.use_by_tcp(),
        }
        testbed.systemctl(&["restart", WATCHER, SOCKET]);
        talk.say_all(3);
        eventually(by, || postgres.turns() == turns);
        let health = testbed.get("/health").json();
        assert_eq!(health["database"]["status"], "connected", "{by}: {health}");
        assert_eq!(health["database"]["backend"], "postgres", "{by}: {health}");
        testbed.systemctl(&["stop", WEB]);
    }
    postgres.assert_clean();
}

#[test]
fn with_unix_sockets_only_both_do_their_work() {
    let testbed = Testbed::installed();
    for unit in [WATCHER, WEB] {
        let unix_only = include_str!("../../../systemd/unix-only.conf");
        testbed.drop_in(unit, "20-unix-only", unix_only);
    }
    let socket = "[Socket]\nListenStream=\nListenStream=/run/headspace/web.sock\n";
    testbed.drop_in(SOCKET, "20-unix-only", socket);
    testbed.systemctl(&["daemon-reload"]);
    testbed.systemctl(&["start", WATCHER, SOCKET]);
    let mut talk = Conversation::new(&testbed.headspace, "unix");
    talk.say_all(3);
    talk.wait_until_recovered(&testbed.headspace);
    eventually("it is well", || {
        testbed.get_by_socket("/health").json()["status"] == "healthy"
    });
}

/// The kernel says which user a connection belongs to.
const NEEDED_BY_WEB: &str = "talk_to_the_kernel_about_the_network";

#[test]
fn what_it_does_not_need_is_refused() {
    let testbed = Testbed::installed();
    // An address that is not this machine's.
    testbed.sh("ip address add 192.0.2.1/32 dev lo");
    testbed.write("/opt/probe.py", include_str!("probe.py"));
    let outside = testbed.sh_as_account("cp -r . /var/tmp/home; python3 /opt/probe.py");
    let outside = parse(&outside);
    for (what, got) in &outside {
        assert_eq!(got, "done", "{what} is possible without the sandbox");
    }
    for unit in [WATCHER, WEB] {
        let inside = probe(&testbed, unit);
        assert_eq!(inside.len(), outside.len(), "{unit}: {inside:?}");
        for (what, got) in &inside {
            println!("{unit}: {what}: {got}");
            let is_needed = unit == WEB && what == NEEDED_BY_WEB;
            assert_eq!(got == "done", is_needed, "{unit}: {what}: {got}");
        }
    }
}

/// Runs the probe in the place of a service's own program, with every other
/// line of its unit as it is.
fn probe(testbed: &Testbed, unit: &str) -> Map<String, Value> {
    let text = testbed.path(&format!("/usr/lib/systemd/system/{unit}"));
    let text = fs::read_to_string(text).expect("the unit");
    let change = |line: &str| match line.split_once('=') {
        Some(("ExecStart", _)) => "ExecStart=/usr/bin/python3 /opt/probe.py".to_owned(),
        Some(("Type", _)) => "Type=oneshot".to_owned(),
        Some(("Restart" | "Requires" | "Wants" | "OnFailure", _)) => String::new(),
        _ => line.to_owned(),
    };
    let text: Vec<String> = text.lines().map(change).collect();
    testbed.write("/etc/systemd/system/probe.service", text.join("\n"));
    testbed.drop_in(
        "probe.service",
        "10-install",
        &format!("[Service]\nDynamicUser=no\nUser={ACCOUNT}\n"),
    );
    testbed.systemctl(&["daemon-reload"]);
    testbed.systemctl(&["start", "probe.service"]);
    let said = testbed.messages(&["-u", "probe.service", "_COMM=python3"]);
    parse(said.last().expect("what it found"))
}

fn parse(text: &str) -> Map<String, Value> {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}
