//! `headspace rebuild`: commands, turns and states once more.
//!
//! In: the rows that are there; the log, or the archive.
//! Out: what differs. From the log, without `--check`, the rows are as it says, all at
//! once, while readers go on.
//!
//! Not here: what follows from an event (`derive::replay`), the SQL (`store`).

mod log;
mod rules;

use std::process::ExitCode;

use anyhow::bail;
use serde::Serialize;

use super::say::say;
use crate::{config, health::Local, store::Writer};

pub const EXAMPLES: &str = "Examples:
  headspace rebuild --check        say what differs from the log; exit code 1 if anything does
  headspace rebuild                put it right
  headspace rebuild --rules        what the rules of this version would say otherwise

The watcher must not run while rows are put right. --rules reads the archive again, and
the files of what it does not hold: it takes as long as the first time, needs room in the
state folder for a copy of the transcripts, and changes nothing.";

#[derive(clap::Args)]
pub struct RebuildArgs {
    /// Only say what differs
    #[arg(long)]
    check: bool,
    /// Read everything again by the rules of this version; say what they would change
    #[arg(long, conflicts_with = "check")]
    rules: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Default, Serialize)]
struct Report {
    agents: u64,
    events: u64,
    /// Agents of which nothing is left to read.
    #[serde(skip_serializing_if = "is_none")]
    gone: u64,
    differences: Vec<Difference>,
}

fn is_none(count: &u64) -> bool {
    *count == 0
}

#[derive(Serialize)]
struct Difference {
    agent_id: i64,
    session_uuid: String,
    /// `commands`, `turns` or `agents`.
    table: &'static str,
    id: i64,
    what: String,
}

/// A table, the row's id if it is not the agent's own, and what of it differs.
type Finding = (&'static str, Option<i64>, String);

impl Difference {
    fn of(agent_id: i64, session_uuid: &str, (table, id, what): Finding) -> Difference {
        Difference {
            agent_id,
            session_uuid: session_uuid.to_owned(),
            table,
            id: id.unwrap_or(agent_id),
            what,
        }
    }
}

pub fn main(flags: &config::Flags, args: &RebuildArgs) -> anyhow::Result<ExitCode> {
    let settings = super::prepare(flags, "headspace")?;
    if args.rules {
        let report = super::runtime()?.block_on(rules::compare(&settings))?;
        return Ok(finish(args, &report));
    }
    if !args.check {
        let local = Local::read(&super::host(), &settings.places.state, &settings.places.run);
        if let Some(pid) = local.holder.pid() {
            bail!("the watcher runs (pid {pid}): stop it first, or look with --check");
        }
    }
    let database = super::database(&settings);
    let report = super::runtime()?.block_on(async {
        let reader = super::reader(&settings)?.for_many_rows();
        let (report, corrections) = log::compare(&reader).await?;
        if !args.check && !corrections.is_empty() {
            let mut writer = Writer::new(database, super::host());
            writer.correct(&corrections).await?;
            writer.close().await;
        }
        anyhow::Ok(report)
    })?;
    Ok(finish(args, &report))
}

fn finish(args: &RebuildArgs, report: &Report) -> ExitCode {
    match args.json {
        true => say!(
            "{}",
            serde_json::to_string_pretty(report).expect("a report is an object")
        ),
        false => print(args, report),
    }
    match (args.check || args.rules) && !report.differences.is_empty() {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    }
}

fn print(args: &RebuildArgs, report: &Report) {
    for one in &report.differences {
        say!(
            "{} {} of {}: {}",
            one.table,
            one.id,
            one.session_uuid,
            one.what
        );
    }
    let (agents, events, differences) = (report.agents, report.events, report.differences.len());
    let put_right = if args.check || args.rules || differences == 0 {
        ""
    } else {
        ", put right"
    };
    say!("{agents} agents, {events} events, {differences} differences{put_right}");
    if report.gone > 0 {
        say!(
            "{} agents were not looked at: what was read is neither archived nor there any more",
            report.gone
        );
    }
}
