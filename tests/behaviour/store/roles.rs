//! `headspace migrate --roles` makes the roles of a database: the watcher works
//! with its own, and the page only reads.

use crate::support::{
    conversation::Conversation,
    headspace::{Headspace, Kind, Store},
    oracle,
    postgres::Database,
};

/// Roles belong to the whole server: one test has them to itself.
#[test]
fn the_watcher_writes_with_its_role_and_the_page_only_reads_with_its_own() {
    let mut headspace = Headspace::on(Kind::Postgres);
    let owner = headspace.store.url();
    let printed = migrate(&headspace);
    for made in [
        "CREATE ROLE headspace_watcher NOLOGIN",
        "CREATE ROLE headspace_web NOLOGIN",
    ] {
        assert!(printed.contains(made), "{printed}");
    }
    let to_web = printed
        .lines()
        .filter(|line| line.ends_with("TO headspace_web"));
    let to_web: Vec<&str> = to_web.map(str::trim).collect();
    assert_eq!(to_web.len(), 1, "{printed}");
    assert!(to_web[0].starts_with("GRANT SELECT ON "), "{printed}");
    let again = migrate(&headspace);
    assert!(again.contains("nothing was changed"), "{again}");

    // Connects as a member of the role, and so has its rights.
    let connect_as = |role: &str| {
        let name = format!("{role}_{}", database(&headspace).name);
        let database = database(&headspace);
        database.sql(&format!("CREATE ROLE {name} LOGIN; GRANT {role} TO {name}"));
        name
    };
    let (watcher, web) = (connect_as("headspace_watcher"), connect_as("headspace_web"));
    headspace.set(
        "HEADSPACE_DATABASE__URL",
        owner.replace("//postgres@", &format!("//{watcher}@")),
    );
    let mut talk = Conversation::new(&headspace, "roles");
    talk.say_all(10);
    headspace.watch_once();
    oracle::assert_clean(&headspace);

    let is_refused = |role: &str, sql: &str| {
        let attempt = format!(
            "DO $$ BEGIN SET LOCAL ROLE {role}; {sql}; RAISE EXCEPTION 'it was allowed'; \
             EXCEPTION WHEN insufficient_privilege THEN NULL; END $$"
        );
        database(&headspace).sql(&attempt);
    };
    for sql in [
        "UPDATE events SET payload = payload",
        "DELETE FROM events",
        "DELETE FROM facts",
        "UPDATE rejections SET reason = reason",
        "UPDATE log SET log_id = log_id",
        "TRUNCATE events",
        "DROP TABLE events",
        "CREATE TABLE x (x int)",
    ] {
        is_refused(&watcher, sql);
        is_refused(&web, sql);
    }
    for sql in [
        "INSERT INTO watchers (host) VALUES ('x')",
        "UPDATE watchers SET state = state",
        "UPDATE checkpoints SET path = path",
        "DELETE FROM checkpoints",
        "INSERT INTO log (id) VALUES (2)",
        "PERFORM nextval('events_id_seq')",
    ] {
        is_refused(&web, sql);
    }
    headspace.set(
        "HEADSPACE_DATABASE__URL",
        owner.replace("//postgres@", &format!("//{web}@")),
    );
    let events = headspace.run(&["events", "--json"]);
    assert!(events.status.success(), "{events:?}");
    let lines = String::from_utf8_lossy(&events.stdout).lines().count();
    assert!(lines > 10, "{lines}");

    // What is missing is given again, and only that.
    headspace.set("HEADSPACE_DATABASE__URL", &owner);
    database(&headspace).sql("REVOKE SELECT ON facts FROM headspace_web");
    let mended = migrate(&headspace);
    assert_eq!(mended.matches("GRANT SELECT").count(), 1, "{mended}");
    assert_eq!(mended.matches("INSERT").count(), 0, "{mended}");
    // A role that owns nothing can give nothing.
    database(&headspace).sql("REVOKE SELECT ON facts FROM headspace_web");
    headspace.set(
        "HEADSPACE_DATABASE__URL",
        owner.replace("//postgres@", &format!("//{web}@")),
    );
    let refused = headspace.run(&["migrate", "--roles"]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
}

#[test]
fn sqlite_has_no_roles() {
    let headspace = Headspace::on(Kind::Sqlite);
    let refused = headspace.run(&["migrate", "--roles"]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let errors = String::from_utf8_lossy(&refused.stderr);
    assert!(errors.contains("SQLite has no roles"), "{errors}");
}

fn migrate(headspace: &Headspace) -> String {
    let output = headspace.run(&["migrate", "--roles"]);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn database(headspace: &Headspace) -> &Database {
    match &headspace.store {
        Store::Postgres(database) => database,
        Store::Sqlite(_) => unreachable!("it is on PostgreSQL"),
    }
}
