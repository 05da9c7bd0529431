//! `headspace completions`: what a shell needs to finish our words.

use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Cli, say::say};

pub const EXAMPLES: &str = "Examples:
  headspace completions bash > ~/.local/share/bash-completion/completions/headspace
  headspace completions zsh > ~/.zfunc/_headspace
  headspace completions fish > ~/.config/fish/completions/headspace.fish";

#[derive(clap::Args)]
pub struct CompletionsArgs {
    /// The shell to print them for
    shell: Shell,
}

pub fn main(args: &CompletionsArgs) -> ExitCode {
    // Written into memory: the generator cannot take a reader that leaves early.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "headspace", &mut script);
    say!("{}", String::from_utf8_lossy(&script).trim_end());
    ExitCode::SUCCESS
}
