//! Another program uses the SQLite file too.

use std::{
    fs::{self, File},
    os::unix::fs::PermissionsExt,
    time::Instant,
};

use sqlx::{Connection, SqliteConnection};

use crate::support::{
    conversation::{Conversation, RECOVERY},
    headspace::{Headspace, Kind, Running},
    oracle,
};

#[test]
fn a_file_locked_by_another_process_is_waited_for() {
    let (headspace, mut talk, watcher) = start("busy");
    let mut other = Other::open(&headspace);
    other.run("BEGIN IMMEDIATE");
    talk.say_all(3);
    watcher.wait_for_log("degraded: positions are kept");
    assert!(
        watcher.log().contains("database is locked"),
        "{}",
        watcher.log()
    );
    other.run("ROLLBACK");
    talk.wait_until_recovered(&headspace);
    oracle::assert_clean(&headspace);
}

/// With nothing to store the watcher still writes its row, and that fails. The
/// file can be read all the while, which is no sign that it can be written.
#[test]
fn a_locked_file_and_nothing_to_store_is_degraded_until_the_lock_is_gone() {
    let (headspace, _, mut watcher) = start("idle");
    let mut other = Other::open(&headspace);
    other.run("BEGIN IMMEDIATE");
    watcher.wait_for_log("degraded: positions are kept");
    let log = watcher.log();
    assert!(!log.contains("the database is back"), "{log}");
    other.run("ROLLBACK");
    watcher.wait_for_log("the database is back");
    assert_eq!(watcher.log().matches("the database is back").count(), 1);
    // What could not be written was the watcher's row: no event was held up.
    assert!(watcher.stop().success());
    let log = watcher.log();
    assert!(log.contains("failed_writes=0"), "{log}");
    oracle::assert_clean(&headspace);
}

#[test]
fn a_reader_that_never_ends_does_not_hold_up_the_writer() {
    let (headspace, mut talk, watcher) = start("reader");
    let mut other = Other::open(&headspace);
    other.run("BEGIN");
    other.run("SELECT count(*) FROM events");
    for _ in 0..20 {
        talk.say_all(5);
        talk.wait_until_stored(&headspace);
    }
    other.run("COMMIT");
    assert!(!watcher.log().contains("trying again"), "{}", watcher.log());
    oracle::assert_clean(&headspace);
}

/// Two programs that start together take turns at making the tables. One that
/// is held up in the middle must not hold up the other's end.
#[test]
fn a_migration_elsewhere_that_hangs_is_waited_for_and_can_be_left_in_time() {
    let headspace = Headspace::on(Kind::Sqlite);
    fs::create_dir(headspace.state()).expect("a state folder");
    fs::set_permissions(headspace.state(), PermissionsExt::from_mode(0o700)).expect("its mode");
    let lock = File::create(headspace.state().join("headspace.db.migrate")).expect("a file");
    lock.lock().expect("the lock");
    let mut talk = Conversation::new(&headspace, "migrating");
    talk.say();
    let mut watcher = headspace.start(&["watch"]);
    watcher.wait_for_log("degraded: positions are kept");
    let asked = Instant::now();
    assert!(watcher.stop().success());
    assert!(
        asked.elapsed().as_secs_f32() <= 2.0,
        "{:?}",
        asked.elapsed()
    );

    let watcher = headspace.start(&["watch"]);
    watcher.wait_for_log("degraded: positions are kept");
    drop(lock);
    let took = talk.wait_until_stored(&headspace);
    assert!(took <= RECOVERY, "{took:?}");
    oracle::assert_clean(&headspace);
}

fn start(name: &str) -> (Headspace, Conversation, Running) {
    let headspace = Headspace::on(Kind::Sqlite);
    let watcher = headspace.watch();
    let mut talk = Conversation::new(&headspace, name);
    talk.say();
    talk.wait_until_stored(&headspace);
    (headspace, talk, watcher)
}

/// Another program with the file open.
struct Other {
    runtime: tokio::runtime::Runtime,
    link: SqliteConnection,
}

impl Other {
    fn open(headspace: &Headspace) -> Other {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let url = headspace.store.url();
        let link = runtime.block_on(SqliteConnection::connect(&url));
        Other {
            link: link.expect("the file opens"),
            runtime,
        }
    }

    fn run(&mut self, sql: &'static str) {
        let done = sqlx::raw_sql(sql).execute(&mut self.link);
        self.runtime.block_on(done).expect("it is run");
    }
}
