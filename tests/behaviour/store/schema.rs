//! Tables that are not ours, not yet ours, or from a later day.

use std::process::Output;

use super::log::execute;
use crate::support::{
    conversation::Conversation,
    headspace::{Headspace, Kind, Store, eventually, on_both},
    oracle,
};

on_both! {
    fn another_programs_tables_are_refused_and_left_alone(kind: Kind) {
        for table in ["projects", "agents", "commands", "turns", "tool_uses", "usage", "events", "checkpoints", "facts", "archive", "rejections", "watchers", "log", "hook_counts"] {
            let headspace = Headspace::on(kind);
            std::fs::create_dir_all(headspace.state()).expect("a state folder");
            execute(&headspace.store, &format!("CREATE TABLE {table} (x integer); INSERT INTO {table} VALUES (7)"));
            let before = tables(&headspace);
            let mut talk = Conversation::new(&headspace, "foreign");
            talk.say();
            for arguments in [&["migrate"][..], &["watch", "--once"]] {
                let line = refusal(&headspace.run(arguments));
                assert!(line.contains("belongs to another program") && line.contains(table), "{line}");
            }
            assert_eq!(tables(&headspace), before, "{table}");
            assert_eq!(headspace.store.number(&format!("SELECT x FROM {table}")), 7);
        }
    }

    fn a_newer_schema_is_refused_and_left_alone(kind: Kind) {
        let headspace = Headspace::on(kind);
        assert!(headspace.run(&["migrate"]).status.success());
        execute(
            &headspace.store,
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             VALUES (99, 'later', TRUE, '', 0)",
        );
        let mut talk = Conversation::new(&headspace, "newer");
        talk.say();
        let clear = "the database has schema version 99, this program knows up to ";
        for arguments in [&["migrate"][..], &["watch", "--once"]] {
            let line = refusal(&headspace.run(arguments));
            assert!(line.contains(clear), "{line}");
        }
        let mut watcher = headspace.watch();
        watcher.wait_for_log(clear);
        watcher.wait_for_log("degraded: positions are kept");
        for table in ["events", "checkpoints", "watchers", "agents"] {
            assert_eq!(headspace.store.number(&format!("SELECT count(*) FROM {table}")), 0, "{table}");
        }
        // Where the newer one is taken away again, it goes on.
        execute(&headspace.store, "DELETE FROM _sqlx_migrations WHERE version = 99");
        talk.wait_until_recovered(&headspace);
        assert!(watcher.stop().success());
        oracle::assert_clean(&headspace);
    }

    fn two_starts_at_once_on_a_fresh_database_are_both_fine(kind: Kind) {
        for round in 0..10 {
            let headspace = Headspace::on(kind);
            std::fs::create_dir_all(headspace.state()).expect("a state folder");
            let mut talk = Conversation::new(&headspace, "fresh");
            talk.say_all(5);
            let starts = [("one", &["migrate"][..]), ("two", &["watch", "--once"]), ("three", &["migrate"])];
            let children = starts.map(|(state, arguments)| {
                let mut command = headspace.command(arguments);
                command.env("HEADSPACE_STATE_DIR", headspace.dir().join(state));
                command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
                command.spawn().expect("it starts")
            });
            for child in children {
                let output = child.wait_with_output().expect("it ends");
                let errors = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "round {round}: {errors}");
            }
            oracle::assert_clean(&headspace);
        }
    }

    fn a_missing_column_holds_the_watcher_until_it_is_back(kind: Kind) {
        let headspace = Headspace::on(kind);
        let watcher = headspace.watch();
        let mut talk = Conversation::new(&headspace, "column");
        talk.say();
        talk.wait_until_stored(&headspace);
        execute(&headspace.store, "ALTER TABLE events RENAME COLUMN observed TO elsewhere");
        talk.say_all(3);
        watcher.wait_for_log("degraded: positions are kept");
        assert!(watcher.log().contains("observed"), "{}", watcher.log());
        execute(&headspace.store, "ALTER TABLE events RENAME COLUMN elsewhere TO observed");
        talk.wait_until_recovered(&headspace);
        oracle::assert_clean(&headspace);
    }
}

#[test]
fn another_encoding_is_refused_and_left_alone() {
    let headspace = Headspace::on(Kind::Postgres);
    let Store::Postgres(database) = &headspace.store else {
        panic!("made on PostgreSQL");
    };
    let name = &database.name;
    database
        .cluster
        .sql("postgres", &format!("DROP DATABASE {name}"));
    database.cluster.sql(
        "postgres",
        &format!("CREATE DATABASE {name} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0"),
    );
    for arguments in [&["migrate"][..], &["watch", "--once"]] {
        let line = refusal(&headspace.run(arguments));
        assert!(
            line.contains("the database's encoding is LATIN1, headspace needs UTF8"),
            "{line}"
        );
    }
    assert_eq!(tables(&headspace), [""; 0]);
}

#[test]
fn a_sqlite_file_that_is_no_database_is_refused_and_left_alone() {
    let headspace = Headspace::on(Kind::Sqlite);
    std::fs::create_dir_all(headspace.state()).expect("a state folder");
    let file = headspace.state().join("headspace.db");
    let letter = "Dear diary, this is no database. ".repeat(100);
    std::fs::write(&file, &letter).expect("written");
    for arguments in [&["migrate"][..], &["watch", "--once"]] {
        let line = refusal(&headspace.run(arguments));
        assert!(line.contains("not a database"), "{line}");
    }
    eventually("it is as it was", || {
        std::fs::read_to_string(&file).is_ok_and(|text| text == letter)
    });
}

/// The one line that says why it failed.
fn refusal(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    let lines: Vec<&str> = errors
        .lines()
        .filter(|line| line.starts_with("headspace: "))
        .collect();
    assert_eq!(lines.len(), 1, "{errors}");
    lines[0].to_owned()
}

/// Everything that is in the database, by name.
fn tables(headspace: &Headspace) -> Vec<String> {
    headspace.store.column(match headspace.store.kind() {
        Kind::Sqlite => "SELECT name FROM sqlite_master ORDER BY name",
        Kind::Postgres => {
            "SELECT relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
             WHERE n.nspname = 'public' ORDER BY relname"
        }
    })
}
