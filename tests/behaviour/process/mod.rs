//! The watcher as a process: how it starts, is asked, and ends.

mod crash_limit;
mod notified;
mod signals;
mod stops_in_time;
mod two_watchers;
