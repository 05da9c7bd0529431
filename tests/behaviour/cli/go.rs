//! `go` and `next` take a person to the terminal of a session.

use std::{fs, os::unix::fs::PermissionsExt, process::Output};

use crate::support::{
    agents::{ago, change, session, subagent},
    headspace::{Headspace, Kind},
    talk::tamper,
    tmux::Tmux,
};

const HOUR: i64 = 3600;

#[test]
fn tmux_shows_the_pane_to_the_terminal_that_is_attached() {
    let headspace = Headspace::on(Kind::Sqlite);
    let mut tmux = Tmux::start(&headspace);
    let [shop, blog] = in_tmux(&headspace, &tmux, ["shop", "blog"]);
    // No terminal shows it: it says how to see it, and how to resume the session.
    let (code, text) = said(&headspace.run(&["go", "shop"]));
    assert_eq!(code, Some(1), "{text}");
    for expected in [
        "shop is in tmux work:1.0: no terminal shows this tmux",
        "attach-session",
        "claude --resume",
    ] {
        assert!(text.contains(expected), "{expected:?} is not in {text}");
    }
    tmux.attach("work");
    for (wanted, pane, place) in [("shop", &shop, "work:1.0"), ("blog", &blog, "work:2.0")] {
        let answer = said(&headspace.run(&["go", wanted]));
        assert_eq!(answer, (Some(0), format!("{wanted} is in tmux {place}\n")));
        assert_eq!(&tmux.run(&["display-message", "-p", "#{pane_id}"]), pane);
    }
    tmux.run(&["kill-pane", "-t", &shop]);
    let (code, text) = said(&headspace.run(&["go", "shop"]));
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.contains(&format!("shop is in tmux {shop}: tmux: ")),
        "{text}"
    );
}

#[test]
fn from_within_tmux_its_client_is_taken_along_to_another_session() {
    let headspace = Headspace::on(Kind::Sqlite);
    let mut tmux = Tmux::start(&headspace);
    let [shop] = in_tmux(&headspace, &tmux, ["shop"]);
    tmux.run(&["new-session", "-d", "-s", "home", "cat"]);
    tmux.attach("home");
    let program = env!("CARGO_BIN_EXE_headspace");
    tmux.run(&[
        "respawn-pane",
        "-k",
        "-t",
        "home:0.0",
        &format!("{program} go shop; cat"),
    ]);
    let screen = tmux.wait_for("home:0.0", "shop is in tmux ");
    let shown = tmux.run(&["list-clients", "-F", "#{session_name} #{pane_id}"]);
    assert_eq!(shown, format!("work {shop}"), "{screen}");
}

#[test]
fn next_goes_to_the_one_that_has_waited_longest() {
    let headspace = Headspace::on(Kind::Sqlite);
    let answer = || said(&headspace.run(&["next"]));
    let mut tmux = Tmux::start(&headspace);
    tmux.attach("work");
    let names = ["asks", "waits", "newer", "works"];
    let panes = in_tmux(&headspace, &tmux, names);
    assert_eq!(answer(), (Some(0), "no session needs you\n".into()));
    let needs = |name: &str, needs: &str, hours: i64| {
        let since = ago(hours * HOUR);
        let sql =
            format!("UPDATE agents SET needs = '{needs}', since = {since} WHERE title = '{name}'");
        tamper(&headspace.store, &sql);
    };
    needs("asks", "asked", 9);
    assert_eq!(answer(), (Some(0), "asks is in tmux work:1.0\n".into()));
    needs("waits", "plan", 5);
    needs("newer", "permission", 1);
    assert_eq!(
        answer(),
        (Some(0), "waits is in tmux work:2.0\n".into()),
        "it is blocked"
    );
    assert_eq!(tmux.run(&["display-message", "-p", "#{pane_id}"]), panes[1]);
    let works = headspace
        .store
        .number("SELECT id FROM agents WHERE title = 'works'");
    subagent(
        &headspace,
        works,
        "a",
        &format!("needs = 'permission', since = {}", ago(7 * HOUR)),
    );
    assert_eq!(
        answer(),
        (Some(0), "works is in tmux work:4.0\n".into()),
        "its subagent waits"
    );
}

/// The commands are those that the terminals document; here a script takes them down.
#[test]
fn other_terminals_get_the_commands_that_they_document() {
    let mut headspace = Headspace::on(Kind::Sqlite);
    let id = session(&headspace, "shop", "title = 'shop'");
    let bin = headspace.dir().join("bin");
    fs::create_dir(&bin).expect("a folder");
    for program in ["kitten", "wezterm", "osascript"] {
        let script = bin.join(program);
        let text = "#!/bin/sh\necho \"${0##*/} $*\" >\"$HOME/said\"\n[ ! -e \"$HOME/fails\" ] || { echo no such window >&2; exit 1; }\n";
        fs::write(&script, text).expect("a script");
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("its mode");
    }
    headspace.set("PATH", format!("{}:/usr/bin:/bin", bin.display()));
    for (terminal, place, command) in [
        (
            r#"{"kitty": "3", "kitty_socket": "unix:/tmp/kitty"}"#,
            "kitty 3",
            "kitten @ --to unix:/tmp/kitty focus-window --match id:3\n",
        ),
        (
            r#"{"wezterm": "4", "tty": "/dev/pts/1"}"#,
            "WezTerm 4",
            "wezterm cli activate-pane --pane-id 4\n",
        ),
        (
            r#"{"iterm": "w0t1p0:5E1D-AF"}"#,
            "iTerm",
            "id of aSession is \"5E1D-AF\"",
        ),
    ] {
        change(&headspace, id, &format!("terminal = '{terminal}'"));
        let answer = said(&headspace.run(&["go", "shop"]));
        assert_eq!(answer, (Some(0), format!("shop is in {place}\n")));
        let given = fs::read_to_string(headspace.dir().join("said")).expect("it ran");
        assert!(given.contains(command), "{given}");
    }
    fs::write(headspace.dir().join("fails"), "").expect("a file");
    let (code, text) = said(&headspace.run(&["go", "shop"]));
    assert_eq!(code, Some(1));
    assert!(
        text.starts_with("shop is in iTerm: osascript: no such window\n"),
        "{text}"
    );
    assert!(text.contains("claude --resume"), "{text}");
    for (terminal, place) in [
        (r#"{"tty": "/dev/pts/7"}"#, "pts/7: "),
        (r#"{"tty": "/dev/pts/7", "vscode": "1"}"#, "VS Code: "),
        (
            r#"{"kitty": "3; rm", "iterm": "\" & x"}"#,
            "an unknown terminal: ",
        ),
    ] {
        change(&headspace, id, &format!("terminal = '{terminal}'"));
        let (code, text) = said(&headspace.run(&["go", "shop"]));
        assert_eq!(code, Some(1));
        assert!(text.starts_with(&format!("shop is in {place}")), "{text}");
    }
    change(&headspace, id, &format!("ended_at = {}", ago(0)));
    let (code, text) = said(&headspace.run(&["go", "shop"]));
    assert!(code == Some(1) && text.contains("it has ended"), "{text}");
}

/// A session of each name, each in a window of its own. Gives their panes.
fn in_tmux<const N: usize>(headspace: &Headspace, tmux: &Tmux, names: [&str; N]) -> [String; N] {
    names.map(|name| {
        let pane = tmux.window("cat");
        let set = format!("title = '{name}', terminal = '{}'", tmux.variables(&pane));
        session(headspace, name, &set);
        pane
    })
}

fn said(output: &Output) -> (Option<i32>, String) {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(errors, "", "{text}");
    (output.status.code(), text)
}
