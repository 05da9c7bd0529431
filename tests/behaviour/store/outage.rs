//! The server is not there, or no longer: nothing is lost, and it goes on by itself.

use rustix::process::Signal;

use crate::support::{
    conversation::Conversation,
    headspace::{Headspace, Kind, eventually},
    oracle,
    server::Server,
    talk,
};

#[test]
fn a_database_that_comes_later_gets_everything() {
    let (mut server, headspace) = Server::with_headspace();
    server.stop(Signal::INT);
    let mut talk = Conversation::new(&headspace, "later");
    talk.say_all(5);
    let mut watcher = headspace.watch();
    watcher.wait_for_log("degraded: positions are kept");
    assert!(watcher.is_running());

    talk.say();
    server.start();
    talk.wait_until_recovered(&headspace);
    watcher.wait_for_log("the database is back");
    oracle::assert_clean(&headspace);
}

#[test]
fn a_server_that_ends_in_any_way_and_comes_back_is_no_loss() {
    let (mut server, headspace) = Server::with_headspace();
    let mut talk = Conversation::new(&headspace, "outages");
    let mut watcher = headspace.watch();
    for (outages, how) in (1..).zip([Signal::INT, Signal::QUIT, Signal::KILL]) {
        talk.say();
        talk.wait_until_stored(&headspace);
        server.stop(how);
        talk.say_all(3);
        // Longer than all tries: the events are held, not dropped.
        eventually("it says that it is degraded", || {
            watcher
                .log()
                .matches("degraded: positions are kept")
                .count()
                == outages
        });
        assert!(watcher.is_running());
        server.start();
        talk.wait_until_recovered(&headspace);
        eventually("it says that it is well again", || {
            watcher.log().matches("the database is back").count() == outages
        });
    }
    says_what_could_not_be_stored(&watcher.log());
    counts_its_failures(&headspace);
    assert!(watcher.stop().success());
    oracle::assert_clean(&headspace);
}

/// Another writer stores the same fact in the same moment: PostgreSQL says so by a
/// unique key. That is tried again at once, and is neither a failure nor a pause.
#[test]
fn a_lost_race_is_tried_again_at_once_and_is_no_failure() {
    let headspace = Headspace::on(Kind::Postgres);
    assert!(headspace.run(&["migrate"]).status.success());
    // A sequence keeps its count when the transaction is rolled back.
    talk::tamper(
        &headspace.store,
        "CREATE SEQUENCE races;
         CREATE FUNCTION lose_a_race() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             IF nextval('races') <= 2 THEN
                 RAISE unique_violation USING CONSTRAINT = 'facts_pkey', TABLE = 'facts';
             END IF;
             RETURN NEW;
         END $$;
         CREATE TRIGGER races BEFORE INSERT ON facts FOR EACH STATEMENT
             EXECUTE FUNCTION lose_a_race();",
    );
    let mut talk = Conversation::new(&headspace, "raced");
    talk.say_all(3);
    let mut watcher = headspace.watch();
    talk.wait_until_stored(&headspace);
    let log = watcher.log();
    assert!(!log.contains("trying again"), "{log}");
    assert!(watcher.stop().success());
    let log = watcher.log();
    assert!(log.contains("failed_writes=0"), "{log}");
    let lost = "SELECT last_value FROM races";
    assert!(headspace.store.number(lost) > 2);
    oracle::assert_clean(&headspace);
}

/// Each failure is logged with the event's type, key and source and the
/// database's words, and without what was said.
fn says_what_could_not_be_stored(log: &str) {
    let told = log
        .lines()
        .find(|line| line.contains("events could not be stored"));
    let told = told.unwrap_or_else(|| panic!("no failed write in\n{log}"));
    for part in [
        "WARN",
        "event_type=",
        "turn_detected",
        "key=",
        "at byte ",
        ".jsonl",
        "away: ",
    ] {
        assert!(told.contains(part), "{part:?} is not in {told}");
    }
    assert!(
        !log.contains("word "),
        "the log repeats what was said:\n{log}"
    );
}

fn counts_its_failures(headspace: &Headspace) {
    let row = "SELECT count(*) FROM watchers WHERE failed_writes >= 9 AND retries >= 6
               AND state = 'running' AND reason IS NULL AND events_written > 0";
    eventually("the watcher's row counts the failures", || {
        headspace.store.number(row) == 1
    });
}
