//! `headspace completions`: what a shell needs to finish our words. It asks this program
//! for them, so sessions are offered as they are now.

use std::process::ExitCode;

use anyhow::Context;
use clap_complete::{Shell, env::Shells};

use super::{complete, say::say};

pub const EXAMPLES: &str = "Examples:
  headspace completions bash > ~/.local/share/bash-completion/completions/headspace
  headspace completions zsh > ~/.zfunc/_headspace
  headspace completions fish > ~/.config/fish/completions/headspace.fish

Where a command takes a session, its id is offered, and its title beside it in zsh, fish,
elvish and PowerShell.";

/// zsh runs the file as the function it is named after, at the first tab.
const ZSH_FIRST_TAB: &str =
    "if [ \"$funcstack[1]\" = _headspace ]; then _clap_dynamic_completer_headspace \"$@\"; fi";

#[derive(clap::Args)]
pub struct CompletionsArgs {
    /// The shell to print them for
    shell: Shell,
}

pub fn main(args: &CompletionsArgs) -> anyhow::Result<ExitCode> {
    let shells = Shells::builtins();
    let shell = shells.completer(&args.shell.to_string());
    let shell = shell.context("this shell has no completions")?;
    let (name, mut script) = ("headspace", Vec::new());
    shell.write_registration(complete::VARIABLE, name, name, name, &mut script)?;
    say!("{}", String::from_utf8_lossy(&script).trim());
    if args.shell == Shell::Zsh {
        say!("{ZSH_FIRST_TAB}");
    }
    Ok(ExitCode::SUCCESS)
}
