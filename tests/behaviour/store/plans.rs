//! PostgreSQL finds the rows that a transaction needs by their keys, also while its tables
//! are so small that it would rather read them from end to end: it plans once, and keeps
//! the plan while they grow.

use crate::support::{
    conversation::Conversation,
    headspace::{Headspace, Kind, eventually},
    oracle,
};

#[test]
fn storing_reads_no_table_from_end_to_end() {
    let headspace = Headspace::on(Kind::Postgres);
    assert!(headspace.run(&["migrate"]).status.success());
    let mut talk = Conversation::new(&headspace, "plans");
    for count in [1, 300, 20] {
        talk.say_all(count);
        headspace.watch_once();
    }
    // A connection tells what it did when it ends.
    let written = "SELECT n_tup_ins FROM pg_stat_user_tables WHERE relname = 'turns'";
    eventually("all is counted", || headspace.store.number(written) == 321);
    let read = "SELECT concat(relname, ' ', seq_tup_read) FROM pg_stat_user_tables
                WHERE seq_tup_read > 0 AND relname NOT IN ('log', '_sqlx_migrations')";
    assert_eq!(headspace.store.column(read), [""; 0]);
    oracle::assert_clean(&headspace);
}
