//! `headspace hooks status`: which hooks are there, when each came last, and whether
//! one gets through.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::Roots;
use crate::{
    cli::{self, say::say},
    config,
    doctor::{self, HookFacts},
    hooks::{Entry, Look, later},
    show::age,
    store::read::HookRow,
    telemetry::visible,
};

pub const EXAMPLES: &str = "Examples:
  headspace hooks status
  headspace hooks status --json | jq '.checks[] | .found'

Where a watcher runs, one of the installed hooks is called with a test, and it is said when
that is in the log. Exit code 1 if a check failed; warnings do not count.";

#[derive(clap::Args)]
pub struct StatusArgs {
    #[command(flatten)]
    roots: Roots,
    /// Print one JSON object: roots, received, checks
    #[arg(long)]
    json: bool,
}

pub fn main(flags: &config::Flags, args: &StatusArgs) -> anyhow::Result<ExitCode> {
    let mut settings = config::load(flags)?;
    settings.claude.roots = args.roots.of(&settings)?;
    let runtime = cli::runtime()?;
    let facts = runtime.block_on(doctor::examine_hooks(&settings, &cli::host()));
    // A thread that waits for a dead file system is left behind.
    runtime.shutdown_background();
    match args.json {
        true => say!("{}", serde_json::to_string_pretty(&as_json(&facts))?),
        false => print(&facts),
    }
    Ok(cli::doctor::exit_code(&facts.findings))
}

fn print(facts: &HookFacts) {
    for look in &facts.looks {
        say!("{}", visible(&look.settings.display().to_string()));
        for line in lines(look, &facts.received) {
            say!("  {}", visible(&line));
        }
    }
    cli::doctor::print_findings(&facts.findings);
}

/// A line for each event: when it came last, and what is odd about it.
fn lines(look: &Look, received: &[HookRow]) -> Vec<String> {
    let now = jiff::Timestamp::now();
    let came = |event: &str| match received.iter().find(|row| row.hook_type == event) {
        None => "never came".to_owned(),
        Some(row) => {
            let ago = age(&row.last_received_at, now).words();
            format!("came {ago} ago, {} in all", row.count)
        }
    };
    // A file that cannot be read has said so in a line of its own.
    let there = look.entries.as_deref().unwrap_or_default();
    let there = there.iter().map(|Entry { event, matcher, .. }| {
        let of = matcher.as_ref().map(|matcher| format!(" of {matcher}"));
        format!("{event:20}{}{}", came(event), of.unwrap_or_default())
    });
    let missing = look.missing.iter().filter(|_| look.entries.is_ok());
    let missing = missing.map(|event| format!("{event:20}is not there"));
    let later = later(false, look.version).into_iter();
    let later = later.map(|(event, since)| format!("{event:20}waits for Claude Code {since}"));
    there.chain(missing).chain(later).collect()
}

fn as_json(facts: &HookFacts) -> Value {
    let roots: Vec<Value> = facts.looks.iter().map(root_as_json).collect();
    json!({"roots": roots, "received": facts.received, "checks": facts.findings})
}

fn root_as_json(look: &Look) -> Value {
    let entries = look.entries.as_deref().unwrap_or_default();
    let hooks: Vec<Value> = entries
        .iter()
        .map(|entry| {
            json!({"event": entry.event, "matcher": entry.matcher, "command": entry.command,
                   "async": entry.is_async})
        })
        .collect();
    json!({
        "root": look.root, "settings": look.settings, "hooks": hooks, "missing": look.missing,
        "claude_version": look.version.map(|version| version.to_string()),
        "problem": look.entries.as_ref().err(),
    })
}
