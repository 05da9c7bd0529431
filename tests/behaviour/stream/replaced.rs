//! A log that becomes another one under its readers resets them.

use std::fs;

use crate::support::{
    headspace::{Headspace, Kind, Store, on_both},
    stream::{Recording, Stream, read_until},
    talk::{Talk, newest, stored},
    web::Web,
};

on_both! {
    fn readers_of_a_replaced_database_are_reset_and_go_on(kind: Kind) {
        let mut headspace = Headspace::on(kind);
        let head = stored(&headspace, "old", 30);
        let web = Web::start(&headspace);
        let mut live = Stream::after(web.port, head - 1);
        assert_eq!(live.next_frame().id(), head);

        // A shorter log, as from last week's backup; and one that is longer.
        for (name, turns) in [("shorter", 5), ("longer", 60)] {
            let other = Headspace::on(kind);
            let new_head = stored(&other, name, turns);
            replace(&mut headspace, other);
            let reset = live.next_frame();
            assert_eq!((reset.event(), reset.id()), ("reset", new_head), "{name}");
            assert!(reset.data()["reason"].as_str().is_some_and(|why| why.contains("replaced")));
            Talk::new(&headspace, name).say_all([format!("{name} goes on")]);
            headspace.watch_once();
            let next = newest(&headspace.store);
            assert!(next > new_head);
            let mut recording = Recording::default();
            recording.begins("live", new_head);
            read_until(&mut live, "live", next, &mut recording);
            recording.assert_clean(&headspace, None);
        }
        // New readers read the new log.
        let mut recording = Recording::default();
        let mut fresh = Stream::after(web.port, 0);
        recording.begins("fresh", 0);
        read_until(&mut fresh, "fresh", newest(&headspace.store), &mut recording);
        recording.assert_clean(&headspace, None);
    }
}

/// Puts the other one's database into this one's place.
fn replace(headspace: &mut Headspace, other: Headspace) {
    match (&headspace.store, &other.store) {
        (Store::Sqlite(ours), Store::Sqlite(theirs)) => {
            // Its last connection is closed, so all of it is in one file.
            for end in ["-wal", "-shm"] {
                let side = format!("{}{end}", ours.display());
                fs::remove_file(side)
                    .or_else(ignore_missing)
                    .expect("removed");
            }
            fs::rename(theirs, ours).expect("it takes the place");
        }
        (Store::Postgres(ours), Store::Postgres(theirs)) => {
            let (ours, theirs) = (&ours.name, &theirs.name);
            let cut = |name: &str| {
                format!(
                    "SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity WHERE datname = '{name}'"
                )
            };
            let server = match &headspace.store {
                Store::Postgres(database) => &database.cluster,
                Store::Sqlite(_) => unreachable!("both are PostgreSQL"),
            };
            // A client that connects again in between is cut off again.
            crate::support::headspace::eventually("the names are exchanged", || {
                server.sql(
                    "postgres",
                    &format!("ALTER DATABASE {ours} ALLOW_CONNECTIONS false"),
                );
                server.sql("postgres", &cut(ours));
                server.sql("postgres", &cut(theirs));
                let old = format!("{ours}_replaced_by_{theirs}");
                server.sql(
                    "postgres",
                    &format!("ALTER DATABASE {ours} RENAME TO {old}"),
                );
                server.sql(
                    "postgres",
                    &format!("ALTER DATABASE {theirs} RENAME TO {ours}"),
                );
                true
            });
        }
        _ => unreachable!("both are of one kind"),
    }
}

fn ignore_missing(error: std::io::Error) -> std::io::Result<()> {
    match error.kind() {
        std::io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    }
}
