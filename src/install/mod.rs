//! headspace as a service of this machine: installed, brought up to date and
//! removed.
//!
//! ```text
//! request, machine ─▶ InstallFacts ─▶ files with contents ─▶ steps ─▶ carried out
//!                      read            pure                   compared with the disk
//! ```
//!
//! In: the user, the service manager, this program's file, the settings that the
//! services will have.
//! Out: units as they are shipped, drop-ins with what differs on this machine,
//! running services, and one manifest.
//!
//! Promises
//! - a dry run changes nothing, and an installation does what the dry run shows
//! - a second run changes nothing
//! - a file that an installation did not write, or that was changed since, is
//!   neither overwritten nor removed
//! - a secret is in a file of its own that only its owner can read, and is never
//!   printed
//! - `uninstall` removes what the manifest names, and the data only on request
//!
//! Not here: what the services do (`cli`), what is wrong with them (`doctor`),
//! the roles of a database (`store`).

mod account;
mod command;
mod environment;
mod facts;
mod files;
mod launchd;
mod manifest;
mod plan;
mod program;
mod ready;
mod states;
mod steps;
mod systemd;
mod target;
mod uninstall;
mod units;

#[cfg(test)]
mod tests;

pub use facts::{InstallFacts, Request};
pub use files::inspect;
pub use manifest::state_of_service;
pub use plan::plan;
pub use program::this_program;
pub use ready::wait_until_ready;
pub use steps::{InstallStep, StepError, execute, execute_all};
pub use uninstall::{Data, Removal};

/// Why nothing was done, and what to do about it.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0}")]
pub struct InstallRefused(pub String);
