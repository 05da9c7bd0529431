//! How the watcher, the database and the log are.

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    cli::say::say,
    config::Settings,
    health::{self, Beat, Local},
    show::{self, Mark, Session},
    store::{
        Counters,
        read::{
            AgentFilter, AgentRow, ArchiveFacts, PAGE_ROWS, ProjectRow, ReadError, Reader,
            WatcherRow,
        },
    },
    supervise::unit::{self, Answer},
    telemetry::visible,
};

#[derive(Serialize)]
pub struct StatusReport {
    database: String,
    backend: &'static str,
    schema_version: i64,
    events: i64,
    rejected: i64,
    last_write_timestamp: Option<String>,
    archive: ArchiveFacts,
    /// The watcher of this state folder, judged as in `/health`, and what is wrong.
    watcher: health::Watcher,
    reasons: Vec<String>,
    /// What each watcher of this database reported last.
    watchers: Vec<WatcherRow>,
    projects: Vec<ProjectRow>,
    /// How many open sessions show as what.
    counts: Counts,
    /// The open sessions, as `status` shows them.
    sessions: Vec<Shown>,
    /// The agents seen last, open ones and ended ones.
    agents: Vec<AgentRow>,
}

#[derive(Serialize)]
struct Counts {
    needs_you: usize,
    /// They need you, too, and were put off.
    snoozed: usize,
    finished: usize,
    working: usize,
    background: usize,
    idle: usize,
}

#[derive(Serialize)]
struct Shown {
    agent_id: i64,
    shows: Mark,
    since: String,
    /// Whose need it is: this agent or its subagent.
    asker_id: Option<i64>,
    /// Subagents at work.
    subagents: usize,
}

pub async fn gather(
    settings: &Settings,
    reader: &Reader,
    sessions: &[Session<'_>],
) -> Result<StatusReport, ReadError> {
    let head = reader.head().await?;
    let watchers = reader.watchers().await?;
    let mut reasons = Vec::new();
    let local = with_unit(local(settings)).await;
    Ok(StatusReport {
        database: settings.database.url.to_string(),
        backend: reader.backend(),
        schema_version: reader.schema_version().await?,
        // Counting a million rows takes longer than all the rest: the ids in use.
        events: head.oldest.map_or(0, |oldest| head.newest - oldest + 1),
        rejected: reader.rejected().await?,
        last_write_timestamp: reader.last_write().await?,
        archive: reader.archive_facts().await?,
        watcher: judge(&local, &watchers, &mut reasons),
        reasons,
        watchers,
        projects: reader.projects().await?,
        counts: Counts::of(sessions),
        sessions: sessions.iter().map(Shown::of).collect(),
        agents: reader
            .agents(&AgentFilter::default(), None, PAGE_ROWS)
            .await?,
    })
}

/// One word of the watcher, and what is wrong with it. While nothing is, no service
/// manager is asked: that would take longer than all the rest.
pub async fn health(
    settings: &Settings,
    reader: &Reader,
) -> Result<(String, Vec<String>), ReadError> {
    let watchers = reader.watchers().await?;
    let local = local(settings);
    let mut reasons = Vec::new();
    let mut watcher = judge(&local, &watchers, &mut reasons);
    if !watcher.running || !reasons.is_empty() {
        reasons.clear();
        watcher = judge(&with_unit(local).await, &watchers, &mut reasons);
    }
    let word = match (watcher.running, reasons.is_empty()) {
        (false, _) => "no watcher".to_owned(),
        (true, false) => "watcher in trouble".to_owned(),
        (true, true) => format!("watcher ok{}", reported(watcher.beat_age_seconds)),
    };
    Ok((word, reasons))
}

fn reported(age_seconds: Option<f64>) -> String {
    match age_seconds {
        None => String::new(),
        Some(age) if age < 10.0 => format!(", {age:.1} s"),
        Some(age) => format!(", {age:.0} s"),
    }
}

fn local(settings: &Settings) -> Local {
    let places = &settings.places;
    Local::read(&crate::cli::host(), &places.state, &places.run)
}

async fn with_unit(mut local: Local) -> Local {
    if local.shell.is_none()
        && let Answer::Known(unit) = unit::ask_for_watcher(local.holder.pid()).await
    {
        local.unit = Some(unit);
    }
    local
}

fn judge(local: &Local, rows: &[WatcherRow], reasons: &mut Vec<String>) -> health::Watcher {
    let now = Timestamp::now();
    let beats = rows.iter().map(|row| health::beat(row.clone(), now));
    health::judge(local, Some(&beats.collect::<Vec<Beat>>()), now, reasons)
}

pub fn print(report: &StatusReport) {
    say!(
        "\ndatabase  {} (schema {})",
        report.database,
        report.schema_version
    );
    let last = report.last_write_timestamp.as_deref().unwrap_or("never");
    say!(
        "log       {} events, {} lines rejected, last write {last}",
        report.events,
        report.rejected
    );
    say!("archive   {}", described(&report.archive));
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
    say!("projects  {}", report.projects.len());
}

impl Counts {
    fn of(sessions: &[Session<'_>]) -> Counts {
        let count = |mark| show::count(sessions, mark);
        let needs_you = show::waiting(sessions, Timestamp::now());
        Counts {
            needs_you,
            snoozed: count(Mark::NeedsYou) - needs_you,
            finished: count(Mark::Finished),
            working: count(Mark::Working),
            background: count(Mark::Background),
            idle: count(Mark::Idle),
        }
    }
}

impl Shown {
    fn of(session: &Session<'_>) -> Shown {
        Shown {
            agent_id: session.agent.id,
            shows: session.mark,
            since: session.since().to_owned(),
            asker_id: session.asker.map(|asker| asker.id),
            subagents: session.subagents,
        }
    }
}

/// How large it is, and how much of the transcripts it holds.
fn described(archive: &ArchiveFacts) -> String {
    let megabytes = |bytes: i64| bytes as f64 / 1e6;
    let read = archive.transcript_bytes;
    let share = match archive.held_bytes {
        held if held >= read => 100.0,
        // What is not whole is not called so.
        held => (held as f64 / read as f64 * 100.0).min(99.9),
    };
    format!(
        "{:.1} MB, holds {share:.1} % of {:.1} MB of transcripts",
        megabytes(archive.bytes),
        megabytes(read)
    )
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
