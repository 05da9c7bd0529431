//! What is wrong is found, and what is said to put it right does.

mod bounds;
mod database;
mod doors;
mod places;
mod report;
mod roots;
mod settings;
mod transcripts;
mod units;
mod watcher;
mod well;
