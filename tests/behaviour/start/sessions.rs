//! The session is in the log from its beginning, and ended when claude exits.

use std::fs;

use serde_json::{Value, json};

use super::Ground;
use crate::{
    spool::lines,
    support::headspace::{Kind, eventually, on_both},
};

const ID: &str = "21776088-84a2-49e1-b57c-c73021d5876e";

on_both! {
    fn a_new_session_is_registered_with_its_place_and_ended_at_the_exit(kind: Kind) {
        let ground = Ground::on(kind, "exit 3");
        let git = ground.path("project/.git");
        fs::create_dir(&git).expect("made");
        fs::write(git.join("HEAD"), "ref: refs/heads/login\n").expect("written");
        fs::write(git.join("config"), "[remote \"origin\"]\nurl = git@example.test:shop.git\n")
            .expect("written");
        let mut command = ground.command(&["--", "--model", "opus", "fix it"]);
        command.env("TMUX", "/tmp/tmux-0/default,7,0").env("TMUX_PANE", "%3");
        command.env("ITERM_SESSION_ID", "w0t1p2:X");
        assert_eq!(command.status().expect("it starts").code(), Some(3));
        let arguments = ground.arguments();
        assert_eq!(arguments[0], "--session-id");
        assert_eq!(arguments[2..], ["--model", "opus", "fix it"]);
        ground.wait_for_end();
        ground.headspace.watch_once();
        let store = &ground.headspace.store;
        let one = |sql: &str| store.column(sql).join("|");
        let project = ground.path("project").display().to_string();
        assert_eq!(one("SELECT session_uuid FROM agents"), arguments[1]);
        assert_eq!(one("SELECT path FROM projects"), project);
        assert_eq!(one("SELECT git_remote FROM projects"), "git@example.test:shop.git");
        assert_eq!(one("SELECT current_branch FROM projects"), "login");
        assert_eq!(one("SELECT iterm_pane_id FROM agents"), "w0t1p2:X");
        let terminal: Value =
            serde_json::from_str(&one("SELECT terminal FROM agents")).expect("JSON");
        assert_eq!(terminal["tmux"], "%3");
        assert_eq!(one("SELECT end_reason FROM agents"), "closed");
        let detail = "SELECT payload ->> 'detail' FROM events WHERE event_type = 'session_ended'";
        assert_eq!(one(detail), "exited");
    }
}

#[test]
fn a_session_that_is_named_is_that_session() {
    for arguments in [
        &["--resume", ID][..],
        &["-r", ID],
        &["--session-id", ID, "-p", "hello"],
    ] {
        let ground = Ground::on(Kind::Sqlite, "exit 0");
        assert!(ground.run(&[&["--"], arguments].concat()).success());
        assert_eq!(ground.arguments(), arguments, "untouched");
        ground.wait_for_end();
        let expected = ["session", "hook", "exited"].map(|kind| (kind.to_owned(), ID.to_owned()));
        assert_eq!(ground.spooled(), expected);
    }
}

/// Writes its entry into the registry, first without a status and with another id, as
/// the CLI does.
const CONTINUES: &str = r#"
mkdir -p "$DIR/claude/sessions"; entry="$DIR/claude/sessions/$$.json"
started=$(sed 's/.*) //' /proc/$$/stat | cut -d' ' -f20)
say() { echo "{\"pid\":$$,\"sessionId\":\"$1\",\"procStart\":\"$started\"$2}" >"$entry"; }
say 11111111-84a2-49e1-b57c-c73021d5876e ''
[ ! -e "$DIR/wait" ] || while [ -e "$DIR/wait" ]; do sleep 0.02; done
say "$ID" ',"status":"idle"'
while [ ! -e "$DIR/end" ]; do sleep 0.02; done
rm "$entry"; exit 0"#;

#[test]
fn a_session_that_only_claude_knows_is_learned_from_its_registry() {
    for (version, arguments) in [("2.1.329", &["--continue"][..]), ("1.0.30", &["hello"])] {
        let ground = Ground::on(Kind::Sqlite, "");
        ground.claude(version, CONTINUES);
        let mut command = ground.command(&[&["--"], arguments].concat());
        let mut child = command.env("ID", ID).spawn().expect("it starts");
        assert_eq!(ground.arguments(), arguments, "untouched");
        eventually("it is registered", || {
            ground.spooled().iter().any(|(kind, _)| kind == "session")
        });
        fs::write(ground.path("end"), "").expect("written");
        assert!(child.wait().expect("it ends").success());
        ground.wait_for_end();
        let expected = ["session", "hook", "exited"].map(|kind| (kind.to_owned(), ID.to_owned()));
        assert_eq!(ground.spooled(), expected);
        let line: Value = serde_json::from_str(&lines(&ground.headspace)[1]).expect("JSON");
        assert_eq!(line["sender"]["cli_pid"], json!(child.id()));
    }
}

#[test]
fn what_is_no_session_registers_none() {
    for arguments in [&["mcp", "list"][..], &["--help"], &["update"]] {
        let ground = Ground::on(Kind::Sqlite, "exit 0");
        assert!(ground.run(&[&["--"], arguments].concat()).success());
        assert_eq!(ground.arguments(), arguments, "untouched");
        assert!(ground.spooled().is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_claude_that_is_killed_has_ended_too() {
    let ground = Ground::on(Kind::Sqlite, "kill -KILL $$");
    ground.run(&[]);
    ground.wait_for_end();
}
