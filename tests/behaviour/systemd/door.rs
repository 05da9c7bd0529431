//! headspace.socket holds the listening sockets of the web process: no client that
//! connects while it starts, restarts or is away is refused.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::Instant,
};

use crate::support::{
    headspace::{PATIENCE, eventually},
    testbed::{ACCOUNT, SOCKET, Testbed, WATCHER, WEB},
    web,
};

const CLIENTS: usize = 4;
const REQUESTS: usize = 1_000;

#[test]
fn the_first_request_starts_the_service_through_either_door() {
    let testbed = Testbed::installed();
    testbed.with_a_database();
    testbed.systemctl(&["start", SOCKET]);
    let modes = testbed.sh("stat -c '%U %a' /run/headspace /run/headspace/web.sock");
    assert_eq!(modes, format!("{ACCOUNT} 700\n{ACCOUNT} 600"));
    assert_eq!(testbed.property(WEB, "ActiveState"), "inactive");

    let asked = Instant::now();
    assert_eq!(testbed.get("/health").status, 200);
    println!("the first request took {} ms", asked.elapsed().as_millis());
    assert!(asked.elapsed() < PATIENCE);
    // It brings the watcher along, but does not need it.
    testbed.wait_for(WATCHER, "ActiveState", "active");

    testbed.systemctl(&["stop", WEB]);
    assert_eq!(testbed.property(SOCKET, "ActiveState"), "active");
    let asked = Instant::now();
    assert_eq!(testbed.get_by_socket("/health").status, 200);
    println!("by the unix socket {} ms", asked.elapsed().as_millis());
}

#[test]
fn a_thousand_requests_during_restarts_are_all_answered() {
    let testbed = Testbed::installed();
    testbed.systemctl(&["start", WATCHER, WEB]);
    let watcher = testbed.pid(WATCHER);
    let mut restarts = 0;
    let lost = under_load(&testbed, || {
        testbed.systemctl(&["restart", WEB]);
        restarts += 1;
    });
    println!("{restarts} restarts, {lost} of {REQUESTS} requests lost");
    assert!(restarts >= 3, "{restarts}");
    assert_eq!(lost, 0);
    assert_eq!(testbed.pid(WATCHER), watcher, "the watcher did not notice");
    assert_eq!(testbed.property(WATCHER, "NRestarts"), "0");
}

#[test]
fn kill_9_loses_at_most_what_was_in_hand() {
    let testbed = Testbed::installed();
    testbed.systemctl(&["start", WATCHER, WEB]);
    let watcher = testbed.pid(WATCHER);
    let mut kills = 0;
    let lost = under_load(&testbed, || {
        let pid = testbed.pid(WEB);
        testbed.signal(WEB, "KILL");
        testbed.wait_for_successor(WEB, pid);
        kills += 1;
    });
    println!("{kills} kills, {lost} of {REQUESTS} requests lost");
    assert!(kills >= 3, "{kills}");
    // A client has one request at a time.
    assert!(lost <= kills * CLIENTS, "{lost} lost in {kills} kills");
    assert_eq!(testbed.get("/health").status, 200);
    assert_eq!(testbed.pid(WATCHER), watcher, "the watcher did not notice");
}

#[test]
fn an_idle_service_leaves_and_the_next_request_brings_it_back() {
    let testbed = Testbed::installed();
    let settings = "web: {idle_timeout_seconds: 1}\n";
    testbed.write("/etc/headspace/config.yaml", settings);
    testbed.with_a_database();
    testbed.systemctl(&["start", SOCKET]);
    for _ in 0..2 {
        assert_eq!(testbed.get("/").status, 200);
        let names = ["ActiveState", "Result", "ExecMainStatus"];
        eventually("it leaves", || {
            testbed.properties(WEB, &names) == ["inactive", "success", "0"]
        });
        assert_eq!(testbed.property(SOCKET, "SubState"), "listening");
    }
    assert_eq!(testbed.property(WEB, "NRestarts"), "0");
}

#[test]
fn with_wrong_settings_a_request_is_one_try_and_no_loop() {
    let testbed = Testbed::installed();
    testbed.with_a_database();
    testbed.write("/etc/headspace/config.yaml", "web: {lisen: []}\n");
    testbed.systemctl(&["start", SOCKET]);
    let request = web::request("/", 5055, &[]);
    let answer = web::try_ask(testbed.connect(), request.as_bytes());
    assert_eq!(answer.map(|answer| answer.status), Ok(503));
    testbed.wait_for(WEB, "ActiveState", "failed");
    let starts = || testbed.journal(&["-u", WEB, "_PID=1", STARTING]).len();
    let before = starts();
    assert!(before <= 2, "{before} starts for one request");

    testbed.write("/etc/headspace/config.yaml", "");
    assert_eq!(testbed.get("/").status, 200, "the next one tries again");
    assert_eq!(starts(), before + 1);
}

/// The kind of entry that says that a unit is being started.
const STARTING: &str = "MESSAGE_ID=7d4958e842da4a758f6c1cdc7b36dcc5";

/// Makes the requests, half of the clients through each door, and does this
/// again and again meanwhile; says how many were not answered.
fn under_load(testbed: &Testbed, mut disturb: impl FnMut()) -> usize {
    let (lost, done) = (AtomicUsize::new(0), AtomicBool::new(false));
    let request = web::request("/api/events?limit=1", 5055, &[]);
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let (lost, request) = (&lost, &request);
                scope.spawn(move || {
                    for _ in 0..REQUESTS / CLIENTS {
                        let answer = match number % 2 {
                            0 => web::try_ask(testbed.connect(), request.as_bytes()),
                            _ => web::try_ask(testbed.connect_by_socket(), request.as_bytes()),
                        };
                        let answered = answer.is_ok_and(|answer| answer.status == 200);
                        lost.fetch_add(usize::from(!answered), Ordering::Relaxed);
                    }
                })
            })
            .collect();
        let done = &done;
        scope.spawn(move || {
            clients
                .into_iter()
                .for_each(|client| client.join().expect("it asked"));
            done.store(true, Ordering::Relaxed);
        });
        while !done.load(Ordering::Relaxed) {
            disturb();
        }
    });
    lost.into_inner()
}
