//! `headspace install --create-database` makes the service's database on this
//! machine's PostgreSQL, on which the page can only read.

use std::process::Output;

use crate::support::{
    conversation::Conversation,
    headspace::eventually,
    testbed::{ACCOUNT, Postgres, Testbed, WATCHER, WEB},
};

const INSTALL: &str = "headspace install --system --user tester";
const CREATE: &str = "headspace install --system --user tester --create-database";
const OURS: &str = "SELECT count(*) FROM pg_roles WHERE rolname ~ '^(headspace|tester)'";

#[test]
fn a_service_gets_its_database_and_leaves_it_behind() {
    let testbed = Testbed::boot();
    let postgres = testbed.postgres();
    postgres.start_empty();
    let mut talk = Conversation::new(&testbed.headspace, "database");
    talk.say_all(3);
    let shown = testbed.sh(&format!("{CREATE} --dry-run"));
    assert!(
        shown.contains("execute   in postgres: CREATE DATABASE headspace"),
        "{shown}"
    );
    assert_eq!(postgres.sql("postgres", OURS), "0");

    let said = testbed.sh(CREATE);
    let made = "executed  in postgres: CREATE ROLE \"tester\" LOGIN";
    assert!(said.contains(made), "{said}");
    assert!(said.contains("is healthy"), "{said}");
    let health = testbed.get("/health").json();
    assert_eq!(health["status"], "healthy", "{health}");
    assert_eq!(health["database"]["backend"], "postgres", "{health}");
    eventually("everything is there", || {
        postgres.turns() == talk.said.len()
    });
    postgres.assert_clean();

    let pids = [testbed.pid(WATCHER), testbed.pid(WEB)];
    for again in [CREATE, INSTALL] {
        let said = testbed.sh(again);
        assert!(said.contains("nothing was changed"), "{said}");
    }
    assert_eq!([testbed.pid(WATCHER), testbed.pid(WEB)], pids);

    let said = testbed.sh("headspace uninstall --system --data");
    assert!(
        said.contains("The database headspace stays in PostgreSQL"),
        "{said}"
    );
    assert_eq!(postgres.turns(), talk.said.len());
    // What it says to do is all there is to do.
    let drop: Vec<&str> = said
        .lines()
        .filter_map(|line| line.trim().strip_prefix("sudo -u postgres "))
        .collect();
    assert_eq!(drop.len(), 2, "{said}");
    for command in drop {
        testbed.sh(&format!("cd /; runuser -u postgres -- {command}"));
    }
    assert_eq!(postgres.sql("postgres", OURS), "1", "the account's");
}

#[test]
fn the_page_can_only_read() {
    let testbed = Testbed::boot();
    let postgres = testbed.postgres();
    postgres.start_empty();
    testbed.sh(CREATE);
    let url = database_url(&testbed, WEB);
    let as_page = |sql: &str| {
        let psql = format!("cd /; runuser -u {ACCOUNT} -- psql -XAtq '{url}' -c \"{sql}\"");
        testbed.try_sh(&psql)
    };
    let as_role = |sql: &str| {
        let sql = format!("SET ROLE headspace_web; {sql}");
        let psql = format!("cd /; runuser -u postgres -- psql -XAtq headspace -c \"{sql}\"");
        testbed.try_sh(&psql)
    };
    let said = as_page("SELECT current_user, count(*) >= 0 FROM events");
    assert_eq!(String::from_utf8_lossy(&said.stdout), "headspace_web|t\n");
    for wrong in [
        "INSERT INTO watchers SELECT * FROM watchers",
        "UPDATE watchers SET state = state",
        "DELETE FROM events",
        "TRUNCATE events",
        "DROP TABLE events",
        "ALTER TABLE events ADD COLUMN x int",
        "CREATE TABLE x (x int)",
        "CREATE TEMPORARY TABLE x (x int)",
        "CREATE SCHEMA x",
        "SELECT nextval('events_id_seq')",
    ] {
        for told in [as_page(wrong), as_role(wrong)] {
            let errors = String::from_utf8_lossy(&told.stderr);
            let is_denied =
                errors.contains("permission denied") || errors.contains("must be owner");
            assert!(!told.status.success() && is_denied, "{wrong}: {errors}");
        }
    }
    // A table that comes with a later version.
    postgres.sql(
        "headspace",
        "SET ROLE headspace_owner; CREATE TABLE later (x int)",
    );
    assert!(as_page("SELECT * FROM later").status.success());

    // The page itself is this role: it reads what the role may read.
    assert_eq!(testbed.get("/api/events").status, 200);
    postgres.sql("headspace", "REVOKE SELECT ON events FROM headspace_web");
    assert_ne!(testbed.get("/api/events").status, 200);
    let said = testbed.sh(CREATE);
    let given = "executed  in headspace: GRANT SELECT ON ALL TABLES";
    assert!(said.contains(given), "{said}");
    assert_eq!(said.matches("executed").count(), 1, "{said}");
    assert_eq!(testbed.get("/api/events").status, 200);
    assert!(database_url(&testbed, WATCHER).ends_with("headspace_owner"));
}

#[test]
fn a_schema_that_is_open_to_all_is_closed_and_its_maker_keeps_it() {
    let testbed = Testbed::boot();
    let postgres = testbed.postgres();
    postgres.start_empty();
    testbed.sh(CREATE);
    // As PostgreSQL 14 makes a database.
    postgres.sql("headspace", "ALTER SCHEMA public OWNER TO postgres");
    postgres.sql(
        "headspace",
        "GRANT USAGE, CREATE ON SCHEMA public TO PUBLIC",
    );
    let can = |role: &str| {
        let asked = format!("SELECT has_schema_privilege('{role}', 'public', 'CREATE')");
        postgres.sql("headspace", &asked)
    };
    assert_eq!(can("headspace_web"), "t");
    let said = testbed.sh(CREATE);
    assert_eq!(said.matches("executed").count(), 2, "{said}");
    assert_eq!([can("headspace_web"), can("headspace_owner")], ["f", "t"]);
    assert!(testbed.sh(CREATE).contains("nothing was changed"));
}

#[test]
fn what_cannot_be_made_is_refused_before_anything_is_done() {
    let testbed = Testbed::boot();
    let refused = |script: &str, part: &str| {
        let told = failed(testbed.try_sh(script));
        assert!(told.contains(part), "{script}: {told}");
        testbed.sh("test ! -e /etc/headspace/installed.json");
    };
    let postgres: Postgres = testbed.postgres();
    refused(CREATE, "sudo systemctl start postgresql");
    postgres.start_empty();
    for other in [
        "--database-url sqlite:/var/lib/headspace/x.db",
        "--database-url postgres://x@h/d",
    ] {
        refused(
            &format!("{CREATE} {other}"),
            "another database is chosen already",
        );
    }
    let shell = format!("DATABASE_URL=postgres://x:y@h/d {CREATE}");
    refused(&shell, "another database is chosen already");
    postgres.sql("postgres", "CREATE DATABASE headspace");
    refused(
        CREATE,
        "a database headspace already, which is not one of ours",
    );
    assert_eq!(postgres.sql("postgres", OURS), "0");
    testbed.sh("mv /usr/bin/psql /usr/bin/psql.away");
    refused(
        CREATE,
        "there is no psql on this machine: sudo apt install postgresql",
    );
}

/// Only asked: systemd would not run a service as such an account.
#[test]
fn an_odd_account_is_a_role_of_that_very_name() {
    let testbed = Testbed::boot();
    let postgres = testbed.postgres();
    postgres.start_empty();
    testbed.sh(r#"echo "o'ne\"il:x:1999:1999::/home/tester:/bin/sh" >> /etc/passwd"#);
    let ask = || {
        let odd = r#"--user "o'ne\"il" --create-database --dry-run"#;
        testbed.sh(&format!("headspace install --system {odd}"))
    };
    let made = r#"CREATE ROLE "o'ne""il" LOGIN"#;
    let shown = ask();
    assert!(
        shown.contains(&format!("execute   in postgres: {made}\n")),
        "{shown}"
    );
    let psql = "cd /; runuser -u postgres -- psql -XAtq";
    testbed.sh(&format!("{psql} <<'END'\n{made};\nEND"));
    let shown = ask();
    assert!(
        shown.contains(&format!("already   in postgres: {made}\n")),
        "{shown}"
    );
}

/// As the running process has it.
fn database_url(testbed: &Testbed, unit: &str) -> String {
    let pid = testbed.pid(unit);
    let environment = testbed.sh(&format!("tr '\\0' '\\n' < /proc/{pid}/environ"));
    let mut lines = environment.lines();
    let url = lines.find_map(|line| line.strip_prefix("HEADSPACE_DATABASE__URL="));
    url.expect("it is told").to_owned()
}

fn failed(output: Output) -> String {
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let told = said + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    told
}
