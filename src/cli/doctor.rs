//! `headspace doctor`: what is wrong, and the command that puts it right.

use std::{
    io::{IsTerminal, stdout},
    process::ExitCode,
};

use super::say::say;
use crate::{
    config,
    doctor::{self, Finding, Severity},
    telemetry::visible,
};

pub const EXAMPLES: &str = "Examples:
  headspace doctor
  headspace doctor --json | jq '.[] | select(.state == \"failed\")'

Nothing is changed; where hooks are installed and a watcher runs, one of them is tested.
Exit code 1 if a check failed; warnings do not count.";

#[derive(clap::Args)]
pub struct DoctorArgs {
    /// Print one JSON array: check, state (ok, note, warning, failed), found, fix
    #[arg(long)]
    json: bool,
}

pub fn main(flags: &config::Flags, args: &DoctorArgs) -> anyhow::Result<ExitCode> {
    let settings = config::load(flags);
    let runtime = super::runtime()?;
    let findings = runtime.block_on(doctor::examine(&settings, &super::host()));
    // A thread that waits for a dead file system is left behind.
    runtime.shutdown_background();
    if args.json {
        say!("{}", serde_json::to_string_pretty(&findings)?);
    } else {
        print_findings(&findings);
        say!("{}", summary(&findings));
    }
    Ok(exit_code(&findings))
}

/// Warnings do not count.
pub fn exit_code(findings: &[Finding]) -> ExitCode {
    let is_failed = |finding: &Finding| finding.state == Severity::Failed;
    match findings.iter().any(is_failed) {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    }
}

pub fn print_findings(findings: &[Finding]) {
    let colour =
        stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let width = findings
        .iter()
        .map(|finding| finding.check.len())
        .max()
        .unwrap_or(0);
    for finding in findings {
        let state = painted(finding.state, colour);
        say!(
            "{state}  {:width$}  {}",
            finding.check,
            visible(&finding.found)
        );
        if let Some(fix) = &finding.fix {
            say!("{:9}{:width$}  fix: {}", "", "", visible(fix));
        }
    }
}

fn painted(state: Severity, colour: bool) -> String {
    let (word, code) = match state {
        Severity::Ok => ("ok", 32),
        Severity::Note => ("note", 36),
        Severity::Warning => ("warning", 33),
        Severity::Failed => ("failed", 31),
    };
    match colour {
        true => format!("\u{1b}[{code}m{word:7}\u{1b}[0m"),
        false => format!("{word:7}"),
    }
}

fn summary(findings: &[Finding]) -> String {
    let of = |state| {
        findings
            .iter()
            .filter(|finding| finding.state == state)
            .count()
    };
    match (of(Severity::Failed), of(Severity::Warning)) {
        (0, 0) => "Nothing is wrong.".into(),
        (0, warnings) => format!("Nothing failed; warnings: {warnings}."),
        (failed, warnings) => format!("Failed: {failed}; warnings: {warnings}."),
    }
}
