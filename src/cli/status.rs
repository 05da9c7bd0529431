//! `headspace status`: what is known, in one look.

use std::process::ExitCode;

use serde::Serialize;

use super::say::say;
use crate::{
    config::{self, Settings},
    health::{self, Local},
    store::{
        Counters,
        read::{AgentFilter, AgentRow, PAGE_ROWS, ProjectRow, ReadError, Reader, WatcherRow},
    },
    supervise::unit::{self, Answer},
    telemetry::visible,
};

pub const EXAMPLES: &str = "Examples:
  headspace status
  headspace status --json | jq .watchers";

/// Sessions shown to people; JSON has more.
const SHOWN: usize = 10;

#[derive(clap::Args)]
pub struct StatusArgs {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct StatusReport {
    database: String,
    backend: &'static str,
    schema_version: i64,
    events: i64,
    rejected: i64,
    last_write_timestamp: Option<String>,
    /// The watcher of this state folder, judged as in `/health`, and what is wrong.
    watcher: health::Watcher,
    reasons: Vec<String>,
    /// What each watcher of this database reported last.
    watchers: Vec<WatcherRow>,
    projects: Vec<ProjectRow>,
    /// The agents seen last, open ones and ended ones.
    agents: Vec<AgentRow>,
}

pub fn main(flags: &config::Flags, args: &StatusArgs) -> anyhow::Result<ExitCode> {
    let settings = super::prepare(flags, "headspace")?;
    let gathered = super::runtime()?.block_on(async {
        let reader = super::reader(&settings)?;
        anyhow::Ok(gather(&settings, &reader).await)
    });
    let report = match gathered? {
        Ok(report) => report,
        Err(ReadError::Absent | ReadError::SchemaMissing) => {
            anyhow::bail!(
                "{}: nothing recorded yet: start `headspace up` or `headspace watch`",
                settings.database.url
            )
        }
        Err(error) => return Err(error.into()),
    };
    if args.json {
        say!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print(&report);
    }
    Ok(ExitCode::SUCCESS)
}

async fn gather(settings: &Settings, reader: &Reader) -> Result<StatusReport, ReadError> {
    let head = reader.head().await?;
    let watchers = reader.watchers().await?;
    let mut reasons = Vec::new();
    Ok(StatusReport {
        database: settings.database.url.to_string(),
        backend: reader.backend(),
        schema_version: reader.schema_version().await?,
        // Counting a million rows takes longer than all the rest: the ids in use.
        events: head.oldest.map_or(0, |oldest| head.newest - oldest + 1),
        rejected: reader.rejected().await?,
        last_write_timestamp: reader.last_write().await?,
        watcher: judge(settings, &watchers, &mut reasons).await,
        reasons,
        watchers,
        projects: reader.projects().await?,
        agents: reader
            .agents(&AgentFilter::default(), None, PAGE_ROWS)
            .await?,
    })
}

async fn judge(
    settings: &Settings,
    rows: &[WatcherRow],
    reasons: &mut Vec<String>,
) -> health::Watcher {
    let places = &settings.places;
    let mut local = Local::read(&super::host(), &places.state, &places.run);
    if local.shell.is_none()
        && let Answer::Known(unit) = unit::ask_for_watcher(local.holder.pid()).await
    {
        local.unit = Some(unit);
    }
    let now = jiff::Timestamp::now();
    let beats = rows.iter().map(|row| health::beat(row.clone(), now));
    health::judge(&local, Some(&beats.collect::<Vec<_>>()), now, reasons)
}

fn print(report: &StatusReport) {
    say!(
        "database  {} (schema {})",
        report.database,
        report.schema_version
    );
    let last = report.last_write_timestamp.as_deref().unwrap_or("never");
    say!(
        "log       {} events, {} lines rejected, last write {last}",
        report.events,
        report.rejected
    );
    say!("watcher   {}", visible(&report.watcher.to_string()));
    for reason in &report.reasons {
        say!("problem   {}", visible(reason));
    }
    for row in &report.watchers {
        say!(
            "report    {} pid {}: {} sessions, {} bytes behind{}, at {}",
            visible(&row.host),
            row.pid,
            row.counters.sessions,
            row.counters.bytes_behind,
            failures(&row.counters),
            row.beat_at
        );
    }
    let open: Vec<&AgentRow> = report
        .agents
        .iter()
        .filter(|agent| agent.ended_at.is_none())
        .collect();
    say!(
        "\n{} projects, {} open sessions",
        report.projects.len(),
        open.len()
    );
    for agent in open.iter().take(SHOWN) {
        say!(
            "  {:>5}  {:20}  {:36}  last seen {}",
            agent.id,
            visible(&agent.project_name),
            visible(&agent.session_uuid),
            agent.last_seen_at
        );
    }
    if open.len() > SHOWN {
        say!(
            "  … and {} more (`headspace status --json` has all)",
            open.len() - SHOWN
        );
    }
}

/// What failed since the watcher's start, if anything did.
fn failures(counters: &Counters) -> String {
    let counted = [
        (counters.failed_writes, "failed writes"),
        (counters.failed_beats, "failed beats"),
    ];
    let failed = counted.iter().filter(|(count, _)| *count > 0);
    failed
        .map(|(count, what)| format!(", {count} {what}"))
        .collect()
}
