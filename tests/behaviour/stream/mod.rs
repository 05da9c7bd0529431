//! Every reader sees the log as it is committed, each event once.

mod across_restart;
mod asks_once;
mod feed_order;
mod filters;
mod frame;
mod heartbeat;
mod limit;
mod live;
mod memory;
mod newer_log;
mod odd_cursors;
mod others;
mod replaced;
mod seam;
mod slow_reader;
mod stops;
mod wake_is_a_hint;
