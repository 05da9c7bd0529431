//! `/clear`, `/branch` and the like: the process goes on in another session, and that
//! one stands in the old one's place.

use std::fs;

use serde_json::{Value, json};

use crate::{
    spool::registry::Cli,
    support::{
        headspace::{Headspace, Kind, eventually, on_both},
        transcripts::{Session, append},
        web::Web,
    },
};

/// Session, whether it is open, why it ended, and the session that follows it.
fn sessions(headspace: &Headspace) -> Vec<String> {
    headspace.store.column(
        "SELECT a.session_uuid || ' ' || CASE WHEN s.open THEN 'open' ELSE 'over' END || ' '
                || coalesce(a.end_reason, '-') || ' ' || coalesce(next.session_uuid, '-')
         FROM agents a JOIN agent_states s ON s.agent_id = a.id
         LEFT JOIN agents next ON next.id = a.successor_id ORDER BY a.id",
    )
}

fn details(headspace: &Headspace) -> Vec<String> {
    let sql =
        "SELECT payload ->> 'detail' FROM events WHERE event_type = 'session_ended' ORDER BY id";
    headspace.store.column(sql)
}

on_both! {
    fn a_process_in_another_session_ends_the_one_it_left(kind: Kind) {
        let headspace = Headspace::on(kind);
        let _watcher = headspace.watch();
        let mut session = Session::new("old", "/home/dev/shop");
        let path = headspace.project("-home-dev-shop").join(session.file_name());
        append(&path, session.prompt("Add a test."));
        let (mut cli, old) = (Cli::start(&headspace), session.uuid.clone());
        cli.says(&old, "busy");
        eventually("it works", || sessions(&headspace) == [format!("{old} open - -")]);
        cli.says("new", "busy");
        let expected = [format!("{old} over closed new"), "new open - -".to_owned()];
        eventually("the new one is in its place", || sessions(&headspace) == expected);
        assert_eq!(details(&headspace), ["went on in new"]);
        let outcome = "SELECT state || ' ' || outcome FROM commands";
        assert_eq!(headspace.store.column(outcome), ["complete abandoned"]);
        let web = Web::start(&headspace);
        let row = |n| web.get(&format!("/api/agents/{n}")).json();
        assert_eq!((&row(1)["successor_id"], &row(1)["open"]), (&json!(2), &json!(false)));
        assert_eq!(row(2)["successor_id"], Value::Null);
        // It is resumed: it stands for itself again.
        cli.waits();
        cli.says(&old, "idle");
        let expected = [format!("{old} open - -"), format!("new over closed {old}")];
        eventually("the old one is open again", || sessions(&headspace) == expected);
        assert!(headspace.run(&["rebuild", "--check"]).status.success());
    }

    fn what_a_hook_said_of_the_end_stays(kind: Kind) {
        let headspace = Headspace::on(kind);
        let _watcher = headspace.watch();
        let mut cli = Cli::start(&headspace);
        cli.says("old", "idle");
        eventually("it is there", || sessions(&headspace) == ["old open - -"]);
        let hook = json!({"session_id": "old", "cwd": "/home/dev/shop",
                          "hook_event_name": "SessionEnd", "reason": "clear"});
        crate::spool::assert_silent(&crate::spool::hook(&headspace, hook.to_string()));
        eventually("it ends", || details(&headspace) == ["clear"]);
        cli.says("new", "idle");
        let expected = ["old over closed new", "new open - -"];
        eventually("the new one follows it", || sessions(&headspace) == expected);
        assert_eq!(details(&headspace), ["clear"]);
    }

    fn hooks_alone_tell_of_the_session_that_follows(kind: Kind) {
        for is_late in [false, true] {
            let headspace = Headspace::on(kind);
            let hooked = |name: &str, session: &str, why: &str| {
                let hook = json!({"session_id": session, "cwd": "/home/dev/shop",
                    "hook_event_name": name, "reason": why, "source": why});
                crate::spool::assert_silent(&crate::spool::hook(&headspace, hook.to_string()));
            };
            hooked("SessionStart", "old", "startup");
            if is_late {
                hooked("SessionStart", "new", "clear");
            }
            hooked("SessionEnd", "old", "clear");
            if !is_late {
                hooked("SessionStart", "new", "clear");
            }
            hooked("SessionEnd", "new", "prompt_input_exit");
            hooked("SessionStart", "another", "startup");
            headspace.watch_once();
            let expected = ["old over closed new", "new over closed -", "another open - -"];
            assert_eq!(sessions(&headspace), expected, "{is_late}");
            assert!(headspace.run(&["rebuild", "--check"]).status.success());
        }
    }

    fn what_happened_while_nothing_watched_is_found_out_at_the_start(kind: Kind) {
        let headspace = Headspace::on(kind);
        let watcher = headspace.watch();
        let (mut cleared, mut over) = (Cli::start(&headspace), Cli::start(&headspace));
        cleared.says("old", "idle");
        eventually("it is there", || sessions(&headspace) == ["old open - -"]);
        over.says("over", "idle");
        eventually("both are there", || sessions(&headspace).len() == 2);
        watcher.kill();
        cleared.says("new", "idle");
        over.kill();
        over.leaves_no_file();
        let _watcher = headspace.watch();
        let expected = ["old over closed new", "over over closed -", "new open - -"];
        eventually("the log knows both", || sessions(&headspace) == expected);
    }

    fn a_branch_names_its_origin(kind: Kind) {
        let headspace = Headspace::on(kind);
        let mut session = Session::new("origin", "/home/dev/shop");
        let folder = headspace.project("-home-dev-shop");
        let path = folder.join(session.file_name());
        append(&path, session.prompt("Add a test.") + &session.reply("It is there."));
        headspace.watch_once();
        let branch = Session::new("branch", "/home/dev/shop");
        let copied = fs::read_to_string(&path).expect("a transcript");
        let copied: String = copied.lines().map(|line| copy(line, &session, &branch)).collect();
        append(&folder.join(branch.file_name()), copied);
        headspace.watch_once();
        assert_eq!(origins(&headspace), [format!("{} of {}", branch.uuid, session.uuid)]);
    }

    fn a_fork_that_names_no_origin_is_known_by_what_it_copied(kind: Kind) {
        for order in [[0, 1, 2], [2, 0, 1]] {
            let headspace = Headspace::on(kind);
            let folder = headspace.project("-home-dev-shop");
            let mut origin = Session::new("origin", "/home/dev/shop");
            let history = origin.prompt("Add a test.") + &origin.reply("It is there.");
            let mut texts = vec![(origin.uuid.clone(), history)];
            // The second is a fork of the first fork.
            for name in ["fork", "second"] {
                let (from, copied) = texts.last().expect("one before").clone();
                let fork = Session::new(name, "/home/dev/shop");
                let own = origin.prompt(&format!("Only in the {name}."));
                let text = copied.replace(&from, &fork.uuid) + &own.replace(&origin.uuid, &fork.uuid);
                texts.push((fork.uuid, text));
            }
            for place in order {
                let (uuid, text) = &texts[place];
                append(&folder.join(format!("{uuid}.jsonl")), text);
                headspace.watch_once();
            }
            let uuid = |place: usize| texts[place].0.as_str();
            let expected = match order[0] {
                0 => vec![format!("{} of {}", uuid(1), uuid(0)), format!("{} of {}", uuid(2), uuid(1))],
                // All that the others hold was read before: they may be its origins.
                _ => vec![],
            };
            let mut found = origins(&headspace);
            found.sort_by_key(|pair| !pair.starts_with(uuid(1)));
            assert_eq!(found, expected, "{order:?}");
        }
    }
}

/// Each session with the one that it began as a copy of.
fn origins(headspace: &Headspace) -> Vec<String> {
    headspace.store.column(
        "SELECT a.session_uuid || ' of ' || origin.session_uuid FROM agents a
         JOIN agents origin ON origin.id = a.forked_from_id",
    )
}

/// A record as `/branch` copies it.
fn copy(line: &str, from: &Session, to: &Session) -> String {
    let mut record: Value = serde_json::from_str(line).expect("a record");
    record["sessionId"] = json!(to.uuid);
    record["forkedFrom"] = json!({"sessionId": from.uuid, "messageUuid": record["uuid"]});
    format!("{record}\n")
}
