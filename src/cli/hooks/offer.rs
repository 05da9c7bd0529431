//! Where hooks are not there yet, it is said once what they add.

use std::io::{self, IsTerminal};

use super::change;
use crate::{cli::say::say, config::Settings, hooks};

const GAIN: &str = "none of ours yet; with them questions, permissions and ends show at once";
const COMMAND: &str = "headspace hooks install";

/// At the end of an installation: asks on a terminal, says the command elsewhere.
pub fn offer(settings: &Settings) -> anyhow::Result<()> {
    if !is_incomplete(settings) {
        return Ok(());
    }
    if io::stdin().is_terminal() && io::stdout().is_terminal() {
        say!("\nHooks in Claude Code's settings: {GAIN}.");
        change::offer(settings)?;
    } else {
        say!("hooks     {GAIN}: {COMMAND}");
    }
    Ok(())
}

/// One line, if there is something to add.
pub fn would_add(settings: &Settings) -> Option<String> {
    is_incomplete(settings).then(|| format!("{GAIN}: {COMMAND}"))
}

/// The program's version is not asked for: it takes its time.
fn is_incomplete(settings: &Settings) -> bool {
    let roots = settings.claude.roots.iter();
    roots
        .map(|root| hooks::look(root, None))
        .any(|look| look.entries.as_ref().is_ok_and(Vec::is_empty))
}
