//! `headspace hooks install` and `uninstall`: each file's change is shown, or made.

use std::{
    io::{self, BufRead, IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::anyhow;

use super::Roots;
use crate::{
    cli::say::say,
    config::{self, Settings},
    hooks::{self, Backup, Change, Entry, SettingsFile},
    telemetry::visible,
};

pub const INSTALL_EXAMPLES: &str = "Examples:
  headspace hooks install
  headspace hooks install --dry-run
  headspace hooks install --root ~/.claude-work

On a terminal the change is shown before it is made, elsewhere it is made. An event that
your version of Claude Code does not know yet is left out: it would ignore the whole file.
Run it again after an update of either program.";

pub const UNINSTALL_EXAMPLES: &str = "Examples:
  headspace hooks uninstall
  headspace hooks uninstall --dry-run";

#[derive(clap::Args)]
pub struct InstallArgs {
    #[command(flatten)]
    roots: Roots,
    /// Hooks of all events, not only of those that states are found by
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    how: How,
}

#[derive(clap::Args)]
pub struct UninstallArgs {
    #[command(flatten)]
    roots: Roots,
    #[command(flatten)]
    how: How,
}

#[derive(clap::Args)]
struct How {
    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

pub fn install(flags: &config::Flags, args: &InstallArgs) -> anyhow::Result<ExitCode> {
    let settings = config::load(flags)?;
    let roots = args.roots.of(&settings)?;
    add(&settings, &roots, args.all, &args.how)
}

/// On a terminal, the user is shown what changes and asked.
pub fn offer(settings: &Settings) -> anyhow::Result<ExitCode> {
    let how = How {
        dry_run: false,
        yes: false,
    };
    add(settings, &settings.claude.roots, false, &how)
}

pub fn uninstall(flags: &config::Flags, args: &UninstallArgs) -> anyhow::Result<ExitCode> {
    let settings = config::load(flags)?;
    let roots = args.roots.of(&settings)?;
    each(&roots, &args.how, &|_, text, backup| {
        Ok((hooks::to_uninstall(text, backup)?, Vec::new()))
    })
}

fn add(settings: &Settings, roots: &[PathBuf], all: bool, how: &How) -> anyhow::Result<ExitCode> {
    let command = super::command(settings)?;
    let installed = super::installed_version();
    each(roots, how, &|file, text, backup| {
        let root = file.named.parent().unwrap_or(&file.named);
        let version = hooks::look(root, installed).version;
        for (event, since) in hooks::later(all, version) {
            say!("  later     {event}, which Claude Code knows from {since} on");
        }
        let wanted = hooks::entries(&hooks::wanted(all, version), &command);
        Ok((hooks::to_install(text, backup, &wanted)?, wanted))
    })
}

/// What is to become of a file with this text and this backup, and our hooks in it.
type Decide<'a> = &'a dyn Fn(&SettingsFile, Option<&str>, Option<&str>) -> Decision;
type Decision = Result<(Change, Vec<Entry>), hooks::Refusal>;

/// One file that cannot be changed does not keep the others from it.
fn each(roots: &[PathBuf], how: &How, decide: Decide<'_>) -> anyhow::Result<ExitCode> {
    let (mut files, mut code) = (Vec::new(), ExitCode::SUCCESS);
    let mut report = |error: anyhow::Error| {
        code = ExitCode::FAILURE;
        eprintln!("headspace: {}", visible(&format!("{error:#}")));
    };
    for root in roots {
        match SettingsFile::of(root) {
            Ok(file) => files.push(file),
            Err(error) => report(error.into()),
        }
    }
    for file in hooks::distinct(files) {
        if let Err(error) = settle(&file, how, decide) {
            report(error);
        }
    }
    Ok(code)
}

fn settle(file: &SettingsFile, how: &How, decide: Decide<'_>) -> anyhow::Result<()> {
    let shown = file.named.display();
    let text = file.text()?;
    let decided = decide(file, text, file.backup().as_deref());
    let (change, wanted) = decided.map_err(|refusal| {
        anyhow!("{shown}: {refusal}; the file is left alone, correct it and run this again")
    })?;
    let after = match &change {
        Change::Nothing => {
            say!("  keep      {shown}: nothing to change");
            return Ok(());
        }
        Change::Write { text, .. } => text,
        Change::Remove => "",
    };
    if let Some(obstacle) = file.obstacle() {
        return Err(by_hand(file, obstacle, &wanted));
    }
    let diff = hooks::diff(&file.named, text.unwrap_or_default(), after);
    let asks = !how.yes && io::stdin().is_terminal() && io::stdout().is_terminal();
    if how.dry_run || asks {
        print(&diff);
    }
    if how.dry_run || asks && !is_yes(&format!("Change {shown}?"))? {
        return Ok(());
    }
    carry_out(file, &change)
}

fn carry_out(file: &SettingsFile, change: &Change) -> anyhow::Result<()> {
    let shown = file.named.display();
    match change {
        Change::Nothing => {}
        Change::Remove => {
            file.remove()?;
            say!("  remove    {shown}: there was nothing else in it");
        }
        Change::Write { text, backup } => {
            if *backup == Backup::Make {
                file.back_up()?;
            }
            file.write(text)?;
            if *backup == Backup::Forget {
                file.forget_backup()?;
            }
            let kept = file.backup_path();
            match kept.exists() {
                true => say!("  write     {shown} (as it was before: {})", kept.display()),
                false => say!("  write     {shown}"),
            }
        }
    }
    Ok(())
}

/// What its owner can do about a file that we must not change.
fn by_hand(file: &SettingsFile, obstacle: &str, wanted: &[Entry]) -> anyhow::Error {
    let shown = file.named.display();
    if wanted.is_empty() {
        return anyhow!(
            "{shown} {obstacle}; take the hooks that call `headspace hook` out of it where it is made"
        );
    }
    // An empty file takes every entry, so this cannot fail.
    let snippet = hooks::with("", wanted).unwrap_or_default();
    say!("Merge this into the file where it is made:");
    print(&snippet);
    anyhow!("{shown} {obstacle}; it was not changed")
}

/// Many lines, each made visible.
fn print(text: &str) {
    for line in text.lines() {
        say!("{}", visible(line));
    }
}

/// No answer is none.
pub fn is_yes(question: &str) -> io::Result<bool> {
    print!("{} [Y/n] ", visible(question));
    io::stdout().flush()?;
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer)?;
    let answer = answer.trim().to_lowercase();
    Ok(read > 0 && ["", "y", "yes"].contains(&answer.as_str()))
}
