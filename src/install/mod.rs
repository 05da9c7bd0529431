//! headspace as a service of this machine: put there, brought up to date, and
//! taken away again.
//!
//! ```text
//! request, machine ─▶ InstallFacts ─▶ Wanted ─▶ Plan: steps ─▶ done, one by one
//!                      read     pure      pure, compared with what is there
//! ```
//!
//! In: who, which service manager, this program's file, the settings the
//! service is going to have.
//! Out: units as they are shipped, drop-ins with what is special here, running
//! services, and a manifest.
//!
//! Promises
//! - a plan that is only shown changes nothing; a plan that is carried out is
//!   what was shown
//! - what is so already is left alone, so a second run changes nothing
//! - nothing that somebody else wrote or changed is overwritten or removed
//! - a secret is in a file of its own that only its owner can read, and is never
//!   printed
//! - `uninstall` undoes what the manifest names, and data goes only when asked
//!
//! Not here: what the services do (`cli`), what is wrong with them (`doctor`).

mod account;
mod command;
mod database;
mod execute;
mod facts;
mod files;
mod launchd;
mod manifest;
mod plan;
mod program;
mod ready;
mod remove;
mod service_env;
mod state;
mod systemd;
mod target;
pub mod units;

#[cfg(test)]
mod tests;

pub use execute::{StepError, execute, execute_all};
pub use facts::{InstallFacts, Request, inspect};
pub use plan::{InstallStep, plan};
pub use remove::{Data, Removal};

/// Target service it is: one user's own, or the machine's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    User,
    System,
}

/// Why nothing was done, and what would help.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0}")]
pub struct InstallRefused(pub String);
