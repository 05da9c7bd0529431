//! `headspace hooks`: our hooks in Claude Code's settings, put in, taken out, looked at.

mod change;
mod offer;
mod status;

use std::{path::PathBuf, process::ExitCode};

use crate::{
    config::{self, Settings},
    hooks::{self, Version},
    install,
};

pub use offer::{offer, would_add};

pub const EXAMPLES: &str = "Examples:
  headspace hooks install              for each folder of Claude Code that is watched
  headspace hooks install --dry-run    show what would change
  headspace hooks status               which are there, and when each came last
  headspace hooks uninstall

All else in the settings stays as it is, to the byte.";

#[derive(clap::Subcommand)]
pub enum HooksCommand {
    /// Put our hooks into Claude Code's settings
    #[command(after_help = change::INSTALL_EXAMPLES)]
    Install(change::InstallArgs),
    /// Take our hooks out of Claude Code's settings
    #[command(after_help = change::UNINSTALL_EXAMPLES)]
    Uninstall(change::UninstallArgs),
    /// Show which hooks are there, when each came last, and whether one reaches the log
    #[command(after_help = status::EXAMPLES)]
    Status(status::StatusArgs),
}

pub fn main(flags: &config::Flags, what: &HooksCommand) -> anyhow::Result<ExitCode> {
    match what {
        HooksCommand::Install(args) => change::install(flags, args),
        HooksCommand::Uninstall(args) => change::uninstall(flags, args),
        HooksCommand::Status(args) => status::main(flags, args),
    }
}

#[derive(clap::Args)]
struct Roots {
    /// A folder of Claude Code, in place of those in the settings; may be given several times
    #[arg(long = "root", value_name = "DIR")]
    roots: Vec<PathBuf>,
}

impl Roots {
    fn of(&self, settings: &Settings) -> anyhow::Result<Vec<PathBuf>> {
        if self.roots.is_empty() {
            return Ok(settings.claude.roots.clone());
        }
        let absolute = self.roots.iter().map(std::path::absolute);
        Ok(absolute.collect::<Result<_, _>>()?)
    }
}

/// The command that the CLI is to call, whatever environment it has.
fn command(settings: &Settings) -> anyhow::Result<String> {
    let places = &settings.places;
    // The environment of the CLI is not ours: only what follows from the home is found
    // without being told.
    let state = match places.state_chosen_by {
        "HOME" => install::state_of_service().filter(|state| *state != places.state),
        _ => Some(places.state.clone()),
    };
    let program = install::this_program()?;
    Ok(hooks::command(&program, state.as_deref()))
}

/// The version of the CLI that the next session will have.
fn installed_version() -> Option<Version> {
    hooks::installed_version(std::env::var_os("PATH").as_deref())
}
