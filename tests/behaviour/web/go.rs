//! The page's way to a terminal is the way of `headspace go`.

use std::process::Command;

use crate::support::{
    agents::{ago, change, session, subagent},
    headspace::{Headspace, Kind, on_both},
    tmux::Tmux,
    web::{Web, command},
};

on_both! {
    fn a_session_is_shown_in_tmux_or_it_is_said_why_not(kind: Kind) {
        let headspace = Headspace::on(kind);
        let mut tmux = Tmux::start(&headspace);
        let pane = tmux.window("cat");
        let set = format!("title = 'shop', terminal = '{}'", tmux.variables(&pane));
        let id = session(&headspace, "shop", &set);
        let child = subagent(&headspace, id, "a", "title = 'Explorer'");
        let web = Web::start(&headspace);
        let go = |id: i64| web.post(&format!("/api/agents/{id}/go"), "{}");
        let detail = go(id).problem(409);
        assert!(detail.contains("shop is in tmux work:1.0: no terminal shows this tmux"), "{detail}");
        tmux.attach("work");
        let shown = go(id);
        assert_eq!((shown.status, &shown.json()["said"]), (200, &"shop is in tmux work:1.0".into()));
        let current = || tmux.run(&["display-message", "-p", "#{pane_id}"]);
        assert_eq!(current(), pane);
        tmux.run(&["select-window", "-t", "work:0"]);
        assert_eq!(go(child).status, 200, "a subagent is where its session is");
        assert_eq!(current(), pane);
        for (set, why) in [
            ("terminal = '{\"tty\": \"/dev/pts/7\"}'".to_owned(), "cannot be gone to from outside"),
            ("terminal = NULL".to_owned(), "no hook said where it is"),
            (format!("ended_at = {}", ago(0)), "it has ended"),
        ] {
            change(&headspace, id, &set);
            let detail = go(id).problem(409);
            assert!(detail.contains(why), "{why}: {detail}");
        }
        go(99).problem(404);
        web.post(&format!("/api/agents/{id}/go"), "{\"x\": 1}").problem(400);
    }
}

/// As in a sandbox that shows no socket of tmux, and has no tmux.
#[test]
fn a_terminal_out_of_reach_is_said_and_not_waited_for() {
    let headspace = Headspace::on(Kind::Sqlite);
    let terminal =
        r#"terminal = '{"tmux_socket": "/nowhere/tmux.sock", "tmux": "%1"}', title = 'shop'"#;
    let id = session(&headspace, "shop", terminal);
    let in_sandbox = |change: fn(&mut Command)| {
        let mut process = command(&headspace);
        change(&mut process);
        let web = Web::from(&headspace, process);
        web.post(&format!("/api/agents/{id}/go"), "{}").problem(409)
    };
    let detail = in_sandbox(|_| {});
    let none = "shop is in tmux %1: there is no /nowhere/tmux.sock for this process";
    assert!(detail.starts_with(none), "{detail}");
    change(
        &headspace,
        id,
        r#"terminal = '{"tmux_socket": "/dev/null", "tmux": "%1"}'"#,
    );
    let detail = in_sandbox(|_| {});
    assert!(detail.starts_with("shop is in tmux %1: tmux: "), "{detail}");
    let detail = in_sandbox(|process| {
        process.env("PATH", "/nowhere");
    });
    assert!(detail.contains("tmux cannot be started"), "{detail}");
}
