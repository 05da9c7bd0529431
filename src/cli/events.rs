//! `headspace events`: the log in the terminal and in pipes.

use std::{
    collections::{HashMap, HashSet},
    io::{self, Write},
    process::ExitCode,
};

use anyhow::{Context, bail};

use super::{
    agents,
    columns::{Paper, clipped, padded},
    complete, say,
};
use crate::{
    config::{self, Settings},
    event::{EventType, Timestamp},
    show,
    store::{
        Filter, Stored,
        read::{AgentFilter, PAGE_ROWS, ReadError, Reader},
    },
    stream::{self, Hub, Item, Start},
};

pub const EXAMPLES: &str = "Examples:
  headspace events                                   the last 50 events
  headspace events --follow                          and then each new one
  headspace events --type turn_detected --since 2026-11-21T00:00:00Z --json
  headspace events --project shop --limit 10
  headspace events --json | jq -r .payload.text";

/// Columns of a session's title, and of what happened.
const SESSION: usize = 20;
const SUMMARY: usize = 90;

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
    let events = newest(reader, &filter, head, limit).await?;
    print(reader, &events, args.json).await?;
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
            Item::Event(frame) => {
                print(reader, std::slice::from_ref(&frame.event), json).await?;
            }
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

async fn print(reader: &Reader, events: &[Stored], json: bool) -> io::Result<()> {
    let titles = match json {
        true => HashMap::new(),
        // A line without its title is better than none, should the database be away now.
        false => titles(reader, events).await.unwrap_or_default(),
    };
    let paper = Paper::of_output();
    let mut out = io::stdout().lock();
    for event in events {
        if json {
            serde_json::to_writer(&mut out, event)?;
            writeln!(out)?;
        } else {
            let title = event.agent_id.and_then(|id| titles.get(&id));
            let title = title.map_or("", String::as_str);
            writeln!(out, "{}", line(event, title, paper))?;
        }
    }
    out.flush()
}

/// One line for people: its id, when, what its session shows as from then on, the session,
/// what happened. Text is made harmless.
fn line(event: &Stored, session: &str, paper: Paper) -> String {
    let summary = show::summary(event);
    let time = event.timestamp.get(..19).unwrap_or(&event.timestamp);
    let glyph = summary.mark.map_or(" ".to_owned(), |mark| {
        paper.marked(mark, &mark.glyph().to_string())
    });
    format!(
        "{:>6}  {}  {glyph} {}  {}",
        event.id,
        time.replace('T', " "),
        padded(session, SESSION),
        clipped(&summary.text, SUMMARY)
    )
}

/// The titles of the sessions of these events, by their agents' ids.
async fn titles(reader: &Reader, events: &[Stored]) -> Result<HashMap<i64, String>, ReadError> {
    let ids: HashSet<i64> = events.iter().filter_map(|event| event.agent_id).collect();
    let mut titles = HashMap::new();
    let ids: Vec<i64> = ids.into_iter().collect();
    for ids in ids.chunks(PAGE_ROWS) {
        let filter = AgentFilter {
            ids: ids.to_vec(),
            ..AgentFilter::default()
        };
        let agents = reader.agents(&filter, None, PAGE_ROWS).await?.into_iter();
        titles.extend(agents.map(|agent| (agent.id, show::title(&agent).to_owned())));
    }
    Ok(titles)
}
