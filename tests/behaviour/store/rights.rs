//! Roles and passwords: what is not allowed is waited for, and no secret is told.

use rustix::process::Signal;

use crate::support::{
    conversation::Conversation,
    headspace::{Headspace, Kind, Store, eventually},
    oracle,
    postgres::Database,
    server::{Server, socket_folder},
};

#[test]
fn a_role_without_rights_holds_the_events_until_it_has_them() {
    let mut headspace = Headspace::on(Kind::Postgres);
    assert!(headspace.run(&["migrate"]).status.success());
    let role = as_role(&mut headspace, "");
    database(&headspace).sql(&format!(
        "GRANT ALL ON ALL TABLES IN SCHEMA public TO {role};
         GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {role};
         REVOKE INSERT ON events FROM {role}"
    ));
    let mut talk = Conversation::new(&headspace, "rights");
    talk.say_all(3);
    let watcher = headspace.watch();
    watcher.wait_for_log("permission denied for table events (42501)");
    watcher.wait_for_log("degraded: positions are kept");
    // The watcher's own row can be written: it says so there, and stays so.
    let degraded =
        "SELECT count(*) FROM watchers WHERE state = 'degraded' AND reason LIKE '%events%'";
    for _ in 0..2 {
        let beats = headspace.store.column("SELECT max(beat_at) FROM watchers");
        eventually("the next beat is degraded", || {
            headspace.store.column("SELECT max(beat_at) FROM watchers") != beats
                && headspace.store.number(degraded) == 1
        });
    }
    let log = watcher.log();
    assert_eq!(
        log.matches("degraded: positions are kept").count(),
        1,
        "{log}"
    );
    assert!(!log.contains("the database is back"), "{log}");

    database(&headspace).sql(&format!("GRANT INSERT ON events TO {role}"));
    talk.wait_until_recovered(&headspace);
    watcher.wait_for_log("the database is back");
    oracle::assert_clean(&headspace);
}

#[test]
fn a_role_that_may_not_make_tables_works_with_those_that_are_there() {
    let mut headspace = Headspace::on(Kind::Postgres);
    assert!(headspace.run(&["migrate"]).status.success());
    let role = as_role(&mut headspace, "");
    // What the watcher does, and nothing more.
    database(&headspace).sql(&format!(
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role};
         GRANT INSERT ON events, facts, rejections TO {role};
         GRANT INSERT, UPDATE ON checkpoints, projects, agents, tool_uses, usage, watchers,
             hook_counts, commands, turns TO {role};
         GRANT UPDATE (command_id, turn_id) ON events TO {role};
         GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role}"
    ));
    let mut talk = Conversation::new(&headspace, "least");
    talk.say_all(10);
    headspace.watch_once();
    oracle::assert_clean(&headspace);
}

#[test]
fn a_password_is_never_told() {
    const SECRET: &str = "geheim-4711";
    let (_server, mut headspace) = Server::with_headspace();
    assert!(headspace.run(&["migrate"]).status.success());
    let role = as_role(&mut headspace, &format!(":{SECRET}"));
    database(&headspace).sql(&format!(
        "ALTER ROLE {role} PASSWORD 'another';
         GRANT ALL ON ALL TABLES IN SCHEMA public TO {role};
         GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {role}"
    ));
    ask_for_passwords(database(&headspace), &role);
    headspace.set("HEADSPACE_LOGGING__LEVEL", "trace");
    let mut talk = Conversation::new(&headspace, "secret");
    talk.say_all(3);
    let mut watcher = headspace.watch();
    watcher.wait_for_log("28P01");
    watcher.wait_for_log("degraded: positions are kept");
    let once = headspace.run(&["watch", "--once"]);
    let migrate = headspace.run(&["migrate"]);
    let shown = headspace.run(&["config", "show"]);
    assert!(!migrate.status.success() && shown.status.success());

    database(&headspace).sql(&format!("ALTER ROLE {role} PASSWORD '{SECRET}'"));
    talk.wait_until_recovered(&headspace);
    watcher.signal(Signal::HUP);
    watcher.wait_for_log("settings read again");
    assert!(watcher.stop().success());
    let said = [
        once.stdout,
        once.stderr,
        migrate.stdout,
        migrate.stderr,
        shown.stdout,
    ]
    .concat();
    let said = format!("{}{}", String::from_utf8_lossy(&said), watcher.log());
    assert!(!said.contains("geheim") && !said.contains("4711"), "{said}");
    assert!(
        said.contains("***"),
        "the settings show that there is a password"
    );
    oracle::assert_clean(&headspace);
}

/// From now on the watcher is this role.
fn as_role(headspace: &mut Headspace, password: &str) -> String {
    let role = format!("watcher_{}", database(headspace).name);
    database(headspace).sql(&format!("CREATE ROLE {role} LOGIN"));
    let url = headspace.store.url();
    let url = url.replace("//postgres@", &format!("//{role}{password}@"));
    headspace.set("HEADSPACE_DATABASE__URL", url);
    role
}

fn ask_for_passwords(database: &Database, role: &str) {
    let file = socket_folder(database).join("data/pg_hba.conf");
    let rules = std::fs::read_to_string(&file).expect("the server's rules");
    let rules = format!("local all {role} scram-sha-256\n{rules}");
    std::fs::write(&file, rules).expect("the rules are written");
    database.sql("SELECT pg_reload_conf()");
}

fn database(headspace: &Headspace) -> &Database {
    match &headspace.store {
        Store::Postgres(database) => database,
        Store::Sqlite(_) => panic!("made on PostgreSQL"),
    }
}
