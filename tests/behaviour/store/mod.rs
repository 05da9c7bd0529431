//! The log keeps what it was given, exactly once, whatever the database does.

mod commit_in_doubt;
mod contract;
mod counted;
mod hosts;
pub mod log;
mod outage;
mod plans;
mod poison;
mod references;
mod rights;
mod roles;
mod round_trips;
mod schema;
mod sqlite_busy;
mod sqlite_disk;
mod sqlite_vanishes;
mod sqlstate;
mod two_writers;
