//! headspace: a durable, live record of what coding-agent sessions do.
//!
//! The listing is the path of the data: `tail → dialect → event → derive → store → stream → web`;
//! `capture` is the loop that drives it.

pub mod alert;
pub mod archive;
pub mod capture;
pub mod cli;
pub mod client;
pub mod config;
pub mod content;
pub mod derive;
pub mod dialect;
pub mod doctor;
pub mod event;
pub mod health;
pub mod hooks;
pub mod install;
pub mod meaning;
pub mod process;
pub mod show;
pub mod spool;
pub mod store;
pub mod stream;
pub mod supervise;
pub mod tail;
pub mod telemetry;
pub mod terminal;
pub mod web;
