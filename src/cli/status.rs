//! `headspace status`: what is known, in one look.

use std::process::ExitCode;

use serde::Serialize;

use super::say::say;
use crate::{
    config::{self, Settings},
    store::read::{AgentRow, ProjectRow, ReadError, Reader, WatcherRow},
    supervise::{
        Holder, shell,
        unit::{self, Answer, Unit},
    },
    telemetry::visible,
};

pub const EXAMPLES: &str = "Examples:
  headspace status
  headspace status --json | jq .watchers";

/// Sessions shown to people; JSON has more.
const SHOWN: usize = 10;
const LISTED: usize = 1000;

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
    watchers: Vec<WatcherRow>,
    /// Who looks after the watcher of this state folder.
    supervisor: Option<SupervisorReport>,
    projects: Vec<ProjectRow>,
    /// The agents seen last, open ones and ended ones.
    agents: Vec<AgentRow>,
}

#[derive(Serialize)]
struct SupervisorReport {
    supervisor: &'static str,
    unit: Option<String>,
    active_state: Option<String>,
    sub_state: Option<String>,
    restarts: Option<i64>,
    since: Option<String>,
    /// The command that starts what is not running.
    start: Option<String>,
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
    Ok(StatusReport {
        database: settings.database.url.to_string(),
        backend: reader.backend(),
        schema_version: reader.schema_version().await?,
        // Counting a million rows takes longer than all the rest: the ids in use.
        events: head.oldest.map_or(0, |oldest| head.newest - oldest + 1),
        rejected: reader.rejected().await?,
        last_write_timestamp: reader.last_write().await?,
        watchers: reader.watchers().await?,
        supervisor: supervisor(settings).await,
        projects: reader.projects().await?,
        agents: reader.agents(LISTED).await?,
    })
}

async fn supervisor(settings: &Settings) -> Option<SupervisorReport> {
    let holder = Holder::of(&settings.places.state).pid();
    if let Some(shell) = shell::supervisor(&settings.places.run) {
        return Some(shell.into());
    }
    match unit::ask_for_watcher(holder).await {
        Answer::Known(unit) => Some(unit.into()),
        Answer::Absent | Answer::Unreadable(_) => None,
    }
}

impl From<shell::ShellSupervisor> for SupervisorReport {
    fn from(shell: shell::ShellSupervisor) -> SupervisorReport {
        SupervisorReport {
            supervisor: "shell",
            unit: None,
            active_state: None,
            sub_state: None,
            restarts: Some(shell.restarts),
            since: shell.since.map(|since| format!("{since:.6}")),
            start: None,
        }
    }
}

impl From<Unit> for SupervisorReport {
    fn from(unit: Unit) -> SupervisorReport {
        let is_down = unit.is("failed") || unit.is("inactive");
        SupervisorReport {
            supervisor: unit.manager.supervisor(),
            start: is_down.then(|| unit.how_to_start()),
            restarts: unit.restarts,
            since: unit.since.map(|since| format!("{since:.6}")),
            unit: Some(unit.name),
            active_state: Some(unit.active_state),
            sub_state: Some(unit.sub_state),
        }
    }
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
    for watcher in &report.watchers {
        let reason = watcher
            .reason
            .as_ref()
            .map_or(String::new(), |why| format!(": {}", visible(why)));
        say!(
            "watcher   {} pid {}, {}{reason}; {} sessions, {} bytes behind, last beat {}",
            visible(&watcher.host),
            watcher.pid,
            watcher.state,
            watcher.sessions,
            watcher.bytes_behind,
            watcher.beat_at
        );
    }
    if report.watchers.is_empty() {
        say!("watcher   none has ever run on this database");
    }
    if let Some(supervisor) = &report.supervisor {
        say!("service   {}", describe(supervisor));
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

fn describe(supervisor: &SupervisorReport) -> String {
    let name = match &supervisor.unit {
        Some(unit) => format!("{unit} ({})", supervisor.supervisor),
        None => "shell supervisor".into(),
    };
    let states = [&supervisor.active_state, &supervisor.sub_state];
    let states = states
        .into_iter()
        .flatten()
        .map(|state| visible(state).to_string());
    let restarts = supervisor.restarts.map(|count| format!("{count} restarts"));
    let since = supervisor
        .since
        .as_ref()
        .map(|since| format!("since {since}"));
    let start = supervisor.start.clone();
    let facts: Vec<String> = states.chain(restarts).chain(since).chain(start).collect();
    format!("{name}: {}", facts.join(", "))
}
