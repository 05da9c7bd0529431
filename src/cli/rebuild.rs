//! `headspace rebuild`: commands, turns and states once more, from the log alone.
//!
//! In: the events of each agent, in the order of the log; the rows that are there.
//! Out: what differs, and with `--check` no more; else the rows are as the log says,
//! all at once, while readers go on.
//!
//! Not here: what follows from an event (`derive::replay`), the SQL (`store`).

use std::{collections::BTreeMap, process::ExitCode};

use anyhow::bail;
use serde::Serialize;

use super::say::say;
use crate::{
    config,
    derive::replay::{AgentRows, Replayed},
    event::{EventType, Payload, Timestamp},
    health::Local,
    store::{
        Correction, Filter, Stored, Writer,
        read::{PAGE_BYTES, PAGE_EVENTS, Reader},
    },
};

pub const EXAMPLES: &str = "Examples:
  headspace rebuild --check        say what differs from the log; exit code 1 if anything does
  headspace rebuild                put it right

The watcher must not run while rows are put right.";

#[derive(clap::Args)]
pub struct RebuildArgs {
    /// Only say what differs
    #[arg(long)]
    check: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    agents: u64,
    events: u64,
    differences: Vec<Difference>,
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

pub fn main(flags: &config::Flags, args: &RebuildArgs) -> anyhow::Result<ExitCode> {
    let settings = super::prepare(flags, "headspace")?;
    if !args.check {
        let local = Local::read(&super::host(), &settings.places.state, &settings.places.run);
        if let Some(pid) = local.holder.pid() {
            bail!("the watcher runs (pid {pid}): stop it first, or look with --check");
        }
    }
    let database = super::database(&settings);
    let report = super::runtime()?.block_on(async {
        let reader = super::reader(&settings)?.for_many_rows();
        let (report, corrections) = compare(&reader).await?;
        if !args.check && !corrections.is_empty() {
            let mut writer = Writer::new(database, super::host());
            writer.correct(&corrections).await?;
            writer.close().await;
        }
        anyhow::Ok(report)
    })?;
    if args.json {
        say!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print(&report, args.check);
    }
    Ok(match args.check && !report.differences.is_empty() {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    })
}

async fn compare(reader: &Reader) -> anyhow::Result<(Report, Vec<Correction>)> {
    let mut report = Report {
        agents: 0,
        events: 0,
        differences: Vec::new(),
    };
    let mut corrections = Vec::new();
    for (agent_id, session_uuid) in reader.agent_ids().await? {
        let expected = replayed(reader, agent_id, &mut report.events).await?;
        let Some(found) = reader.agent_rows(agent_id).await? else {
            continue;
        };
        report.agents += 1;
        if expected == found {
            continue;
        }
        let differences = differences(&expected, &found);
        report
            .differences
            .extend(differences.into_iter().map(|(table, id, what)| Difference {
                agent_id,
                session_uuid: session_uuid.clone(),
                table,
                id: id.unwrap_or(agent_id),
                what,
            }));
        corrections.push(Correction::of(expected, &found));
    }
    Ok((report, corrections))
}

/// An agent's rows as the log has them.
async fn replayed(reader: &Reader, agent_id: i64, events: &mut u64) -> anyhow::Result<AgentRows> {
    let filter = Filter {
        agent_ids: vec![agent_id],
        ..Filter::default()
    };
    let upto = reader.settled().await?;
    let (mut rows, mut after) = (AgentRows::of(agent_id), 0);
    loop {
        let page = reader
            .replay(&filter, after, upto, PAGE_EVENTS, PAGE_BYTES)
            .await?;
        for event in &page.events {
            after = event.id;
            *events += 1;
            take_in(&mut rows, event)?;
        }
        if !page.more {
            return Ok(rows);
        }
    }
}

/// An event that a newer program wrote, or that was damaged, has no rows.
fn take_in(rows: &mut AgentRows, event: &Stored) -> anyhow::Result<()> {
    let Some(kind) = EventType::parse(&event.event_type) else {
        return Ok(());
    };
    let fields = serde_json::from_str(event.payload.get())?;
    let (Ok(payload), Some(at)) = (
        Payload::parse(kind, fields),
        Timestamp::parse(&event.timestamp),
    ) else {
        return Ok(());
    };
    rows.take_in(&Replayed {
        id: event.id,
        at,
        command_id: event.command_id,
        turn_id: event.turn_id,
        payload: &payload,
    });
    Ok(())
}

type Finding = (&'static str, Option<i64>, String);

fn differences(expected: &AgentRows, found: &AgentRows) -> Vec<Finding> {
    let mut all = Vec::new();
    if expected.shown != found.shown {
        let what = fields(&expected.shown, &found.shown);
        all.push(("agents", None, what));
    }
    rows("commands", &expected.commands, &found.commands, &mut all);
    rows("turns", &expected.turns, &found.turns, &mut all);
    all
}

fn rows<T: PartialEq + Serialize>(
    table: &'static str,
    expected: &BTreeMap<i64, T>,
    found: &BTreeMap<i64, T>,
    all: &mut Vec<Finding>,
) {
    for (id, row) in expected {
        match found.get(id) {
            None => all.push((table, Some(*id), "missing".into())),
            Some(other) if other != row => all.push((table, Some(*id), fields(row, other))),
            Some(_) => {}
        }
    }
    let extra = found.keys().filter(|id| !expected.contains_key(id));
    all.extend(extra.map(|id| (table, Some(*id), "stands for no event".into())));
}

/// The names of the columns that differ: their texts may be anything.
fn fields(expected: &impl Serialize, found: &impl Serialize) -> String {
    let expected = serde_json::to_value(expected).expect("a row is an object");
    let found = serde_json::to_value(found).expect("a row is an object");
    let names = expected.as_object().into_iter().flatten();
    let names = names.filter(|(name, value)| found.get(name) != Some(value));
    let names: Vec<&str> = names.map(|(name, _)| name.as_str()).collect();
    format!("differs in {}", names.join(", "))
}

fn print(report: &Report, check: bool) {
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
    let put_right = if check || differences == 0 {
        ""
    } else {
        ", put right"
    };
    say!("{agents} agents, {events} events, {differences} differences{put_right}");
}
