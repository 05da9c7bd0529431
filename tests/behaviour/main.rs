//! What headspace promises, a behaviour a file. The tree is the list.
//!
//! Real parts only: the executable as it is built, a PostgreSQL server of the
//! tests' own, real transcripts, real files and signals.

mod alerts;
mod archive;
mod browser;
mod capture;
mod cli;
mod config;
mod doctor;
mod hooks;
mod packages;
mod process;
mod spool;
mod start;
mod states;
mod store;
mod stream;
mod structure;
mod support;
mod systemd;
mod tail;
mod web;
