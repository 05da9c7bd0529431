//! `database.max_connections` bounds what one process reads with at once.

use std::thread;

use crate::support::{
    headspace::{Headspace, Kind, Store, eventually},
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
        // Each answer waits for the lock, and so holds its connection. A prepared
        // transaction keeps it until it is committed.
        database
            .sql("BEGIN; LOCK TABLE events IN ACCESS EXCLUSIVE MODE; PREPARE TRANSACTION 'held'");
        let used = || {
            headspace.store.number(
                "SELECT count(*) FROM pg_stat_activity
                 WHERE datname = current_database() AND application_name = 'headspace reader'",
            )
        };
        thread::scope(|scope| {
            let requests: Vec<_> = (0..6)
                .map(|_| scope.spawn(|| web.get("/api/events").status))
                .collect();
            eventually("all connections wait", || used() == most);
            database.sql("COMMIT PREPARED 'held'");
            for request in requests {
                assert_eq!(request.join().expect("an answer"), 200);
            }
        });
        // Idle connections stay for a while: none was opened beyond the bound.
        assert_eq!(used(), most);
    }
}
