//! The units of a user's own manager: the same behaviour without root.

use std::time::Instant;

use crate::support::{
    conversation::{Conversation, RECOVERY},
    headspace::eventually,
    testbed::{ACCOUNT, Testbed, WATCHER},
    web,
};

#[test]
fn a_user_who_is_not_logged_in_has_a_watcher_that_comes_back_in_time() {
    let testbed = Testbed::of_user();
    let mut talk = Conversation::new(&testbed.headspace, "user");
    talk.say_all(3);
    testbed.start_for_user("headspace-watcher headspace.socket");
    talk.say();
    talk.wait_until_recovered(&testbed.headspace);
    assert_eq!(
        testbed.sh("loginctl list-sessions --no-legend | wc -l"),
        "0"
    );

    let pid = main_pid(&testbed);
    let killed = Instant::now();
    user(
        &testbed,
        "kill --signal=KILL --kill-whom=main headspace-watcher",
    );
    eventually("another one is ready", || {
        let now = main_pid(&testbed);
        let state = user(&testbed, "show --value -p ActiveState headspace-watcher");
        state == "active" && now != "0" && now != pid
    });
    println!(
        "ready again {} ms after kill -9",
        killed.elapsed().as_millis()
    );
    assert!(killed.elapsed() <= RECOVERY);
    talk.say();
    talk.wait_until_recovered(&testbed.headspace);

    let entries = testbed.sh_as_account("journalctl --user -q -o cat -u headspace-watcher");
    assert!(
        entries.lines().any(|line| line.starts_with("ready")),
        "{entries}"
    );
    let entries = testbed.journal(&[&format!("_SYSTEMD_USER_UNIT={WATCHER}")]);
    assert!(
        entries
            .iter()
            .any(|entry| entry["HEADSPACE_SESSIONS"].is_string())
    );

    let uid = testbed.sh(&format!("id -u {ACCOUNT}"));
    let socket = format!("/run/user/{uid}/headspace/web.sock");
    let request = web::request("/health", 5055, &[]);
    let health = web::ask(testbed.connect_to(&socket), request.as_bytes()).json();
    assert_eq!(health["watcher"]["unit"], WATCHER, "{health}");
    assert_eq!(health["status"], "healthy", "{health}");
    testbed.assert_clean();
}

fn main_pid(testbed: &Testbed) -> String {
    user(testbed, "show --value -p MainPID headspace-watcher")
}

fn user(testbed: &Testbed, arguments: &str) -> String {
    testbed.sh_as_account(&format!("systemctl --user {arguments}"))
}
