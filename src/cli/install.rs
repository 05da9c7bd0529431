//! `headspace install` and `headspace uninstall`: shows the plan, or carries it
//! out.

use std::{
    io::{self, BufRead, IsTerminal, Write},
    path::Path,
    process::ExitCode,
};

use anyhow::bail;

use super::say::say;
use crate::{
    config,
    install::{self, Data, InstallFacts, InstallStep, Removal, Request},
    telemetry::visible,
};

pub const INSTALL_EXAMPLES: &str = "Examples:
  headspace install                             for you, in your own service manager
  headspace install --dry-run                   show what would be done
  sudo headspace install --system --user ada    a service of the machine that watches ada's sessions

Run it again after an upgrade: it changes what differs, and nothing else.";

pub const UNINSTALL_EXAMPLES: &str = "Examples:
  headspace uninstall
  headspace uninstall --dry-run
  sudo headspace uninstall --system --keep-data";

#[derive(clap::Args)]
pub struct InstallArgs {
    /// Install a service of the machine instead of your own; needs root and --user
    #[arg(long)]
    system: bool,
    /// The user whose sessions are watched, and that the services run as
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Keep your services running while you are logged out
    #[arg(long, conflicts_with = "system")]
    linger: bool,
    /// Show what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(clap::Args)]
pub struct UninstallArgs {
    /// Remove the machine's service instead of your own; needs root
    #[arg(long)]
    system: bool,
    /// Remove the recorded log too
    #[arg(long, conflicts_with = "keep_data")]
    data: bool,
    /// Keep the recorded log, and do not ask
    #[arg(long)]
    keep_data: bool,
    /// Show what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,
}

pub fn install(flags: &config::Flags, args: &InstallArgs) -> anyhow::Result<ExitCode> {
    let request = Request {
        system: args.system,
        user: args.user.clone(),
        flags: flags.clone(),
        shell: shell(),
        linger: args.linger,
    };
    let facts = InstallFacts::gather(&request)?;
    let steps = install::plan(&facts, &install::inspect)?;
    if args.dry_run {
        return Ok(show(&steps));
    }
    install::execute(&steps, &mut report)?;
    report(&install::wait_until_ready(&facts.health_address())?);
    if !steps.iter().any(InstallStep::acts) {
        say!("Already installed; nothing was changed.");
    }
    match &args.user {
        // The settings are that user's to change.
        Some(user) if args.system => {
            say!("hooks     as {user}: headspace hooks install, or hooks status");
        }
        _ => super::hooks::offer(&config::load(flags)?)?,
    }
    Ok(ExitCode::SUCCESS)
}

pub fn uninstall(flags: &config::Flags, args: &UninstallArgs) -> anyhow::Result<ExitCode> {
    let request = Request {
        system: args.system,
        flags: flags.clone(),
        ..Request::default()
    };
    let Some(removal) = Removal::gather(&request)? else {
        say!("Nothing is installed here by `headspace install`.");
        return Ok(ExitCode::SUCCESS);
    };
    let data = choose_data(args, removal.data(&install::inspect))?;
    let steps = removal.plan(data, &install::inspect);
    if args.dry_run {
        return Ok(show(&steps));
    }
    let failed = install::execute_all(&steps, &mut report);
    if failed.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let lines: Vec<String> = failed.iter().map(ToString::to_string).collect();
    bail!("not everything could be removed:\n{}", lines.join("\n"))
}

/// Asks only on a terminal; no answer keeps the data.
fn choose_data(args: &UninstallArgs, folder: Option<&Path>) -> anyhow::Result<Data> {
    if args.data {
        return Ok(Data::Remove);
    }
    let can_ask = io::stdin().is_terminal() && io::stdout().is_terminal();
    let Some(folder) = folder.filter(|_| can_ask && !args.keep_data && !args.dry_run) else {
        return Ok(Data::Keep);
    };
    print!(
        "Remove the recorded log in {} too? [y/N] ",
        folder.display()
    );
    io::stdout().flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    let is_yes = ["y", "yes"].contains(&answer.trim().to_lowercase().as_str());
    Ok(if is_yes { Data::Remove } else { Data::Keep })
}

fn show(steps: &[InstallStep]) -> ExitCode {
    say!("Nothing is changed. This would be done:");
    for step in steps {
        report(&step.line());
    }
    ExitCode::SUCCESS
}

fn report(line: &str) {
    say!("{}", visible(line));
}

/// The user's variables; one that is not UTF-8 is none of ours.
fn shell() -> std::collections::BTreeMap<String, String> {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    std::env::vars_os().filter_map(text).collect()
}
