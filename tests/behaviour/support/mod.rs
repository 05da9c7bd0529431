//! What the tests stand on.

#![allow(dead_code, reason = "not every behaviour needs all of it")]

pub mod agents;
pub mod asking;
pub mod axe;
pub mod chromium;
pub mod conversation;
pub mod disk;
pub mod headspace;
pub mod keeper;
pub mod manager;
pub mod oracle;
pub mod over;
pub mod packages;
pub mod postgres;
pub mod proxy;
pub mod random;
pub mod server;
pub mod stream;
pub mod talk;
pub mod testbed;
pub mod tmux;
pub mod transcripts;
pub mod up;
pub mod web;
