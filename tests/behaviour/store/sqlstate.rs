//! The server says no for a reason that passes: wait, and keep the order.

use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection};

use crate::support::{
    conversation::Conversation,
    headspace::{Headspace, Kind, Running, Store, eventually},
    oracle,
    postgres::Database,
};

#[test]
fn a_terminated_connection_is_made_again() {
    let (headspace, mut talk, _watcher) = start("terminated");
    for _ in 0..5 {
        assert!(terminate(database(&headspace)) >= 1);
        talk.say_all(2);
        talk.wait_until_recovered(&headspace);
    }
    oracle::assert_clean(&headspace);
}

#[test]
fn a_read_only_server_holds_the_events_and_is_still_read() {
    let (headspace, mut talk, watcher) = start("readonly");
    let database = database(&headspace);
    let name = &database.name;
    // From another database, since this one cannot be changed afterwards.
    let from_elsewhere = |sql: &str| drop(database.cluster.sql("postgres", sql));
    from_elsewhere(&format!(
        "ALTER DATABASE {name} SET default_transaction_read_only = on"
    ));
    terminate(database);
    talk.say_all(3);
    watcher.wait_for_log("degraded: positions are kept");
    watcher.wait_for_log("25006");
    assert_eq!(headspace.store.turns().len(), 1, "reads are served");

    from_elsewhere(&format!(
        "ALTER DATABASE {name} RESET default_transaction_read_only"
    ));
    terminate(database);
    talk.wait_until_recovered(&headspace);
    oracle::assert_clean(&headspace);
}

/// The watcher has the checkpoint and wants `events`; the other one has
/// `events` and then wants the checkpoint.
#[test]
fn a_deadlock_is_tried_again() {
    let (headspace, mut talk, watcher) = start("deadlock");
    let database = database(&headspace);
    let name = &database.name;
    database.sql(&format!(
        "ALTER DATABASE {name} SET deadlock_timeout = '2s'"
    ));
    terminate(database);
    talk.say();
    talk.wait_until_recovered(&headspace);

    let mut other = Session::open(database);
    // Whoever looks first for a deadlock gives up: not this one.
    other.run("SET deadlock_timeout = '60s'");
    other.run("BEGIN");
    other.run("LOCK TABLE events IN EXCLUSIVE MODE");
    talk.say_all(2);
    wait_until_locked_out(&headspace);
    other.run("SELECT FROM checkpoints FOR UPDATE");
    watcher.wait_for_log("deadlock detected (40P01)");
    other.run("COMMIT");
    talk.wait_until_recovered(&headspace);
    oracle::assert_clean(&headspace);
}

#[test]
fn a_lock_that_is_held_too_long_is_waited_for_again() {
    let (headspace, mut talk, watcher) = start("locked");
    let mut other = Session::open(database(&headspace));
    other.run("BEGIN");
    other.run("LOCK TABLE events IN EXCLUSIVE MODE");
    talk.say_all(2);
    wait_until_locked_out(&headspace);
    watcher.wait_for_log("events could not be stored");
    other.run("COMMIT");
    talk.wait_until_recovered(&headspace);
    oracle::assert_clean(&headspace);
}

#[test]
fn a_server_without_free_connections_is_waited_for() {
    let mut headspace = Headspace::on(Kind::Postgres);
    assert!(headspace.run(&["migrate"]).status.success());
    let role = format!("crowded_{}", database(&headspace).name);
    database(&headspace).sql(&format!(
        "CREATE ROLE {role} LOGIN CONNECTION LIMIT 0;
         GRANT ALL ON ALL TABLES IN SCHEMA public TO {role};
         GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {role}"
    ));
    let url = headspace
        .store
        .url()
        .replace("//postgres@", &format!("//{role}@"));
    headspace.set("HEADSPACE_DATABASE__URL", url);
    let mut talk = Conversation::new(&headspace, "crowded");
    talk.say_all(3);
    let watcher = headspace.watch();
    watcher.wait_for_log("too many connections for role");
    watcher.wait_for_log("degraded: positions are kept");
    database(&headspace).sql(&format!("ALTER ROLE {role} CONNECTION LIMIT 3"));
    talk.wait_until_recovered(&headspace);
    oracle::assert_clean(&headspace);
}

/// A watcher at work, one turn stored.
fn start(name: &str) -> (Headspace, Conversation, Running) {
    let headspace = Headspace::on(Kind::Postgres);
    let watcher = headspace.watch();
    let mut talk = Conversation::new(&headspace, name);
    talk.say();
    talk.wait_until_stored(&headspace);
    (headspace, talk, watcher)
}

fn database(headspace: &Headspace) -> &Database {
    match &headspace.store {
        Store::Postgres(database) => database,
        Store::Sqlite(_) => panic!("made on PostgreSQL"),
    }
}

/// Ends the watcher's connections; says how many there were.
fn terminate(database: &Database) -> usize {
    let ended = database.sql(&format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = '{}' AND application_name = 'headspace watcher'",
        database.name
    ));
    ended.lines().filter(|line| *line == "t").count()
}

fn wait_until_locked_out(headspace: &Headspace) {
    let start = Instant::now();
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
                 AND application_name = 'headspace watcher' AND wait_event_type = 'Lock'";
    eventually("the watcher waits for the lock", || {
        headspace.store.number(waits) == 1
    });
    assert!(start.elapsed() < Duration::from_secs(10));
}

/// Another user of the database, who keeps a transaction open.
struct Session {
    runtime: tokio::runtime::Runtime,
    link: PgConnection,
}

impl Session {
    fn open(database: &Database) -> Session {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let link = runtime.block_on(PgConnection::connect(&database.url()));
        Session {
            link: link.expect("a connection"),
            runtime,
        }
    }

    fn run(&mut self, sql: &'static str) {
        let done = sqlx::raw_sql(sql).execute(&mut self.link);
        self.runtime.block_on(done).expect("it is run");
    }
}
