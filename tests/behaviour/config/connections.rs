//! `database.max_connections` bounds what one process reads with at once.

use std::thread;

use crate::support::{
    headspace::{Headspace, Kind, Store},
    talk::stored,
    web::Web,
};

#[test]
fn the_web_process_reads_on_as_many_connections_as_it_may() {
    for most in [1, 3] {
        let mut headspace = Headspace::on(Kind::Postgres);
        headspace.set("HEADSPACE_DATABASE__MAX_CONNECTIONS", most.to_string());
        stored(&headspace, "many", 1);
        let web = Web::start(&headspace);
        assert_eq!(web.get("/api/events").status, 200);
        let Store::Postgres(database) = &headspace.store else {
            panic!("made on PostgreSQL");
        };
        // Each answer waits for the lock, and so holds its connection.
        let used = thread::scope(|scope| {
            let locked = scope.spawn(|| {
                database.sql(
                    "BEGIN; LOCK TABLE events IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(1.5); COMMIT",
                )
            });
            let requests: Vec<_> = (0..6)
                .map(|_| scope.spawn(|| web.get("/api/events")))
                .collect();
            let mut used = 0;
            while !locked.is_finished() {
                used = used.max(headspace.store.number(
                    "SELECT count(*) FROM pg_stat_activity
                     WHERE datname = current_database() AND application_name = 'headspace reader'",
                ));
            }
            for request in requests {
                request.join().expect("an answer");
            }
            used
        });
        assert_eq!(used, most);
    }
}
