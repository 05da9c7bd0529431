//! `headspace events`: the log in the terminal and in pipes.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use anyhow::{Context, bail};
use serde_json::Value;

use super::{agents, complete, say};
use crate::{
    config::{self, Settings},
    event::{EventType, Timestamp},
    show,
    store::{Filter, Stored, read::Reader},
    stream::{self, Hub, Item, Start},
    telemetry::visible,
};

pub const EXAMPLES: &str = "Examples:
  headspace events                                   the last 50 events
  headspace events --follow                          and then each new one
  headspace events --type turn_detected --since 2026-11-21T00:00:00Z --json
  headspace events --project shop --limit 10
  headspace events --json | jq -r .payload.text";

/// A line of text in the terminal shows this many characters.
const WIDTH: usize = 120;

#[derive(clap::Args)]
pub struct EventsArgs {
    /// Go on with new events as they are committed
    #[arg(long, short)]
    follow: bool,
    /// Only this event type; may be repeated
    #[arg(long = "type", value_name = "TYPE")]
    types: Vec<String>,
    /// Only this project: its id or its name; may be repeated
    #[arg(long, value_name = "ID|NAME")]
    project: Vec<String>,
    /// Only this agent: its id, the beginning of its uuid, or its title; may be repeated
    #[arg(long, value_name = "AGENT", add = complete::of_all())]
    agent: Vec<String>,
    /// Only events that happened at this time or later (ISO 8601); without a --limit, all of them
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// The newest N events [default: 50]
    #[arg(long, short = 'n', value_name = "N")]
    limit: Option<usize>,
    /// One JSON object a line, as the API sends it
    #[arg(long)]
    json: bool,
}

pub fn main(flags: &config::Flags, args: &EventsArgs) -> anyhow::Result<ExitCode> {
    let settings = super::prepare(flags, "headspace")?;
    let runtime = super::runtime()?;
    let shown = runtime.block_on(async {
        let reader = super::reader(&settings)?;
        show(&settings, &reader, args).await
    });
    runtime.shutdown_background();
    match shown {
        // The reader of the pipe has closed it: `headspace events | head`.
        Err(error) if say::is_broken_pipe(&error) => Ok(ExitCode::SUCCESS),
        Err(error) => Err(error),
        Ok(()) => Ok(ExitCode::SUCCESS),
    }
}

async fn show(settings: &Settings, reader: &Reader, args: &EventsArgs) -> anyhow::Result<()> {
    let filter = filter(reader, args).await?;
    let limit = args
        .limit
        .unwrap_or(if args.since.is_some() { usize::MAX } else { 50 });
    let head = reader.settled().await?;
    for event in newest(reader, &filter, head, limit).await? {
        print(&event, args.json)?;
    }
    if args.follow {
        follow(settings, reader, filter, head, args.json).await?;
    }
    Ok(())
}

/// The newest `limit` events up to `head`, oldest first.
async fn newest(
    reader: &Reader,
    filter: &Filter,
    head: i64,
    limit: usize,
) -> anyhow::Result<Vec<Stored>> {
    let mut events = Vec::new();
    let mut before = head.checked_add(1);
    while events.len() < limit {
        let page = reader
            .page(filter, before, None, limit - events.len())
            .await?;
        before = page.events.last().map(|event| event.id);
        events.extend(page.events);
        if !page.more {
            break;
        }
    }
    events.reverse();
    Ok(events)
}

async fn follow(
    settings: &Settings,
    reader: &Reader,
    filter: Filter,
    from: i64,
    json: bool,
) -> anyhow::Result<()> {
    let signals = super::signals(settings)?;
    let source = super::wake_source(settings);
    let hub = Hub::start(
        reader.clone(),
        source,
        hub_settings(settings),
        signals.stop.clone(),
    );
    let mut subscription = hub.subscribe(filter, Start::After(from));
    loop {
        let item = tokio::select! {
            () = signals.stop.cancelled() => return Ok(()),
            item = subscription.next() => item,
        };
        match item {
            Item::Joined => {}
            Item::Event(frame) => print(&frame.event, json)?,
            Item::Reset(reset) => eprintln!(
                "headspace: the log is another one now ({}); going on after event {}",
                reset.reason.as_str(),
                reset.from
            ),
        }
    }
}

pub fn hub_settings(settings: &Settings) -> stream::Settings {
    let seconds = std::time::Duration::from_secs;
    stream::Settings {
        heartbeat_interval: seconds(settings.sse.heartbeat_interval_seconds),
        max_connections: settings.sse.max_connections,
        retry_after: seconds(settings.sse.retry_after_seconds),
    }
}

async fn filter(reader: &Reader, args: &EventsArgs) -> anyhow::Result<Filter> {
    let mut filter = Filter::default();
    for name in &args.types {
        match EventType::parse(name) {
            Some(kind) => filter.types.push(kind),
            None => bail!(
                "--type {name}: unknown event type; known are {}",
                EventType::list()
            ),
        }
    }
    if let Some(since) = &args.since {
        filter.since = Timestamp::parse(since);
        if filter.since.is_none() {
            bail!("--since {since}: expected a time with its zone, like 2026-11-21T00:00:00Z");
        }
    }
    for wanted in &args.project {
        filter
            .project_ids
            .extend(project_ids(reader, wanted).await?);
    }
    for wanted in &args.agent {
        let agent = agents::find(reader, wanted).await;
        filter.agent_ids.push(agent.context("--agent")?.id);
    }
    Ok(filter)
}

async fn project_ids(reader: &Reader, wanted: &str) -> anyhow::Result<Vec<i64>> {
    if let Ok(id) = wanted.parse() {
        return Ok(vec![id]);
    }
    let projects = reader.projects().await?;
    let named = projects
        .iter()
        .filter(|p| p.name == wanted || p.path == wanted);
    let ids: Vec<i64> = named.map(|project| project.id).collect();
    if ids.is_empty() {
        bail!(
            "--project {wanted}: no project has this id, name or path; `headspace status` lists them"
        );
    }
    Ok(ids)
}

fn print(event: &Stored, json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if json {
        serde_json::to_writer(&mut out, event)?;
        writeln!(out)?;
    } else {
        writeln!(out, "{}", line(event))?;
    }
    out.flush()
}

/// One line for people: time, session, what happened. Control characters in text
/// are made visible.
fn line(event: &Stored) -> String {
    let payload: Value = serde_json::from_str(event.payload.get()).unwrap_or_default();
    let field = |name: &str| payload[name].as_str().unwrap_or_default().to_owned();
    let said = match event.event_type.as_str() {
        "turn_detected" => format!("{:5} {}", field("actor"), field("text")),
        "session_registered" => format!("registered in {}", field("working_directory")),
        "session_ended" => format!("ended: {}", field("reason")),
        "state_transition" => show::moved(
            &field("from_state"),
            &field("to_state"),
            payload["needs"].as_str(),
        ),
        _ => event.event_type.clone(),
    };
    let session = field("session_uuid");
    let short = session.get(..8).unwrap_or(&session);
    let time = event
        .timestamp
        .get(..19)
        .unwrap_or(&event.timestamp)
        .replace('T', " ");
    clip(&visible(&format!(
        "{:>6}  {time}  {short}  {said}",
        event.id
    )))
}

fn clip(line: &str) -> String {
    match line.char_indices().nth(WIDTH) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}
