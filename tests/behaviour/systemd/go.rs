//! “Go to terminal” from a service: where it reaches the tmux it goes there, and where its
//! sandbox hides that it says so, for the page to copy the command.

use serde_json::json;

use crate::support::{
    headspace::eventually,
    testbed::{HOME, SOCKET, Testbed, WATCHER},
    transcripts::{Session, append},
};

#[test]
fn a_service_of_the_account_goes_to_its_tmux() {
    let testbed = Testbed::of_user();
    testbed.start_for_user("headspace-watcher headspace.socket");
    let go = session_in_tmux(&testbed, "");
    let detail = testbed.post(&go, "{}").problem(409);
    assert!(
        detail.starts_with("shop is in tmux work:1.0: no terminal shows this tmux; `tmux -S /tmp/"),
        "{detail}"
    );
    let attach =
        "TERM=xterm tail -f /dev/null | TERM=xterm script -qec 'tmux attach -t work' /dev/null";
    testbed.sh_as_account(&format!("({attach}) >/dev/null 2>&1 &"));
    eventually("a terminal shows it", || {
        !testbed.sh_as_account("tmux list-clients").is_empty()
    });
    let answer = testbed.post(&go, "{}");
    let said = answer.json();
    assert_eq!(answer.status, 200, "{said}");
    assert_eq!(said["said"], "shop is in tmux work:1.0");
    let window = "tmux display-message -p '#{window_index}'";
    assert_eq!(testbed.sh_as_account(window), "1");
}

#[test]
fn the_services_sandbox_hides_tmux_and_the_answer_says_so() {
    let testbed = Testbed::installed();
    testbed.systemctl(&["start", WATCHER, SOCKET]);
    let go = session_in_tmux(&testbed, "--state-dir /var/lib/headspace");
    let detail = testbed.post(&go, "{}").problem(409);
    assert!(
        detail.starts_with("shop is in tmux %1: ") && detail.contains("its sandbox"),
        "{detail}"
    );
    assert_eq!(
        testbed.sh_as_account("tmux display-message -p '#{window_index}'"),
        "0"
    );
}

/// A session in the second window of a tmux of the account, as its hook says; the address
/// of the button.
fn session_in_tmux(testbed: &Testbed, flags: &str) -> String {
    let project = format!("{HOME}/shop");
    let mut session = Session::new("shop", &project);
    let path = testbed
        .headspace
        .project("-home-tester-shop")
        .join(session.file_name());
    append(&path, session.prompt("shop"));
    let hook = json!({
        "hook_event_name": "SessionStart", "session_id": session.uuid, "cwd": project,
        "transcript_path": format!("{HOME}/.claude/projects/-home-tester-shop/{}", session.file_name()),
        "source": "startup",
    });
    testbed.write(&format!("{HOME}/hook.json"), hook.to_string());
    testbed.sh_as_account(&format!(
        "tmux new-session -d -s work cat
         tmux new-window -d -t work: 'headspace {flags} hook <hook.json; exec cat'"
    ));
    let store = &testbed.headspace.store;
    let known = "SELECT count(*) FROM agents WHERE terminal LIKE '%tmux%' AND title = 'shop'";
    eventually("its terminal is known", || store.number(known) == 1);
    let id = store.number("SELECT id FROM agents");
    format!("/api/agents/{id}/go")
}
