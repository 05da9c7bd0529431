//! `headspace explain`: why a session shows as it does, from the log alone.

use std::{io::Write, process::ExitCode};

use jiff::Zoned;
use serde::Serialize;
use serde_json::Value;

use super::{agents, columns::Paper, complete, pager::Pager, say::say};
use crate::{
    config,
    event::EventType,
    show::{self, Mark, Session},
    store::{
        Filter, Stored,
        read::{AgentRow, PAGE_EVENTS, ReadError, Reader},
    },
    telemetry::visible,
};

pub const EXAMPLES: &str = "Examples:
  headspace explain 7
  headspace explain 'fix login' --all
  headspace explain 7 --json | jq -r .sentence

A line for each change of state: when, from and to, what caused it, by which rule and how
sure that is, what was needed, and where the evidence stands.";

/// So many changes are shown without --all.
const SHOWN: usize = 5;

#[derive(clap::Args)]
pub struct ExplainArgs {
    /// Which agent: its id, the beginning of its uuid, or its title
    #[arg(value_name = "AGENT", add = complete::of_all())]
    agent: String,
    /// Every change of state, not the last five alone
    #[arg(long)]
    all: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Explanation<'a> {
    agent_id: i64,
    session_uuid: &'a str,
    shows: Mark,
    sentence: String,
    /// `state_transition` events, oldest first.
    transitions: &'a [Stored],
}

pub fn main(flags: &config::Flags, args: &ExplainArgs) -> anyhow::Result<ExitCode> {
    let settings = super::prepare(flags, "headspace")?;
    super::runtime()?.block_on(async {
        let reader = super::brief_reader(&settings)?;
        let agent = agents::find(&reader, &args.agent).await?;
        explain(&reader, agent, args).await
    })
}

async fn explain(reader: &Reader, agent: AgentRow, args: &ExplainArgs) -> anyhow::Result<ExitCode> {
    let limit = if args.all { usize::MAX } else { SHOWN };
    let below = agents::below(reader, &agent).await?;
    let session = show::session(&agent, &below);
    let (sentence, transitions) = because(reader, &session, limit).await?;
    if args.json {
        let explanation = Explanation {
            agent_id: agent.id,
            session_uuid: &agent.session_uuid,
            shows: session.mark,
            sentence,
            transitions: &transitions,
        };
        say!("{}", serde_json::to_string_pretty(&explanation)?);
    } else {
        for line in lines(&session, &sentence, &transitions, Paper::of_output()) {
            say!("{line}");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The same in a pager.
pub async fn page(reader: &Reader, agent: &AgentRow, mut pager: Pager) -> anyhow::Result<()> {
    let below = agents::below(reader, agent).await?;
    let session = show::session(agent, &below);
    let (sentence, transitions) = because(reader, &session, SHOWN).await?;
    let lines = lines(&session, &sentence, &transitions, Paper::of_output());
    let written = writeln!(pager, "{}", lines.join("\n"));
    pager.close(written.map_err(Into::into))
}

/// The sentence, and the changes of state behind it. What a subagent needs stands on its
/// root, and is explained by the subagent's changes.
async fn because(
    reader: &Reader,
    session: &Session<'_>,
    limit: usize,
) -> Result<(String, Vec<Stored>), ReadError> {
    let explained = session.asker.unwrap_or(session.agent);
    let transitions = transitions(reader, explained.id, limit).await?;
    let mut sentence = sentence(session, &Zoned::now());
    let said_by = witnesses(reader, &transitions).await?;
    if !said_by.is_empty() {
        sentence = format!("{sentence}, said by {}", said_by.join(" and "));
    }
    Ok((sentence, transitions))
}

fn lines(
    session: &Session<'_>,
    sentence: &str,
    transitions: &[Stored],
    paper: Paper,
) -> Vec<String> {
    let glyph = paper.marked(session.mark, &session.mark.glyph().to_string());
    let title = paper.bold(&visible(show::title(session.agent)));
    let mut lines = vec![format!("{glyph} {title} {}", visible(sentence))];
    lines.extend(
        transitions
            .iter()
            .map(|transition| format!("  {}", visible(&line(transition)))),
    );
    if transitions.is_empty() {
        lines.push("  no change of its state is in the log".into());
    }
    lines
}

/// The newest ones, oldest first.
async fn transitions(reader: &Reader, agent: i64, limit: usize) -> Result<Vec<Stored>, ReadError> {
    let filter = Filter {
        types: vec![EventType::StateTransition],
        agent_ids: vec![agent],
        ..Filter::default()
    };
    let (mut all, mut before): (Vec<Stored>, _) = (Vec::new(), None);
    while all.len() < limit {
        let most = (limit - all.len()).min(PAGE_EVENTS);
        let page = reader.page(&filter, before, None, most).await?;
        before = page.events.last().map(|event| event.id);
        all.extend(page.events);
        if !page.more {
            break;
        }
    }
    all.reverse();
    Ok(all)
}

/// `waits for you for 3 min: asks to run `npm test``
fn sentence(session: &Session<'_>, now: &Zoned) -> String {
    let age = show::age(session.since(), now.timestamp()).words();
    let agent = session.agent;
    let words = || show::last_words(agent).map_or(String::new(), |words| format!(": “{words}”"));
    match session.mark {
        Mark::NeedsYou => {
            let need = session.asker.and_then(|asker| show::need(asker, now));
            let need = need.map_or(String::new(), |need| format!(": {}", need.sentence()));
            format!("waits for you for {age}{need}")
        }
        Mark::Finished => format!("finished {age} ago{}", words()),
        Mark::Working => format!("works for {age}"),
        Mark::Background => format!("waits for tasks in the background for {age}"),
        Mark::Idle => format!("is idle for {age}"),
        Mark::Ended => {
            let reason = agent.end_reason.as_deref().unwrap_or("it is not known why");
            format!("ended {age} ago: {reason}")
        }
    }
}

/// What said that it is as it is now: the causes of the last changes that led there.
async fn witnesses(reader: &Reader, transitions: &[Stored]) -> Result<Vec<String>, ReadError> {
    let payloads: Vec<Value> = transitions.iter().map(payload).collect();
    let now = |payload: &&Value| {
        let last = payloads.last().unwrap_or(&Value::Null);
        ["to_state", "needs"]
            .iter()
            .all(|field| payload[field] == last[field])
    };
    let mut names: Vec<String> = Vec::new();
    for payload in payloads.iter().rev().take_while(now) {
        let name = match payload["trigger"].as_str().unwrap_or_default() {
            "hook" => match hook(reader, &payload["evidence"]).await? {
                Some(hook) => format!("its {hook} hook"),
                None => "its hook".into(),
            },
            "turn" => "its transcript".into(),
            "registry" => "its registry".into(),
            "process" => "the table of processes".into(),
            "timeout" => "the clock".into(),
            "manual" => "you".into(),
            other => other.to_owned(),
        };
        if !names.contains(&name) {
            names.insert(0, name);
        }
    }
    Ok(names)
}

/// The type of the hook that is the evidence.
async fn hook(reader: &Reader, evidence: &Value) -> Result<Option<String>, ReadError> {
    if let Some(hook) = evidence["hook"].as_str() {
        return Ok(Some(hook.to_owned()));
    }
    let Some(id) = event_id(evidence) else {
        return Ok(None);
    };
    let page = reader
        .page(&Filter::default(), Some(id + 1), Some(id - 1), 1)
        .await?;
    // An event that was pruned has no type.
    let payload = page.events.first().map(payload).unwrap_or_default();
    Ok(payload["hook_type"].as_str().map(str::to_owned))
}

/// Nothing of one that was damaged in the database.
fn payload(event: &Stored) -> Value {
    serde_json::from_str(event.payload.get()).unwrap_or_default()
}

fn event_id(evidence: &Value) -> Option<i64> {
    ["event", "event_id"]
        .into_iter()
        .find_map(|field| evidence[field].as_i64())
        .or(evidence.as_i64())
}

/// `2026-11-30 14:02:11  processing → awaiting_input  hook, rule 14 (1.0)  permission: …  event 812`
fn line(event: &Stored) -> String {
    let payload = payload(event);
    let text = |field: &str| payload[field].as_str().filter(|text| *text != "none");
    let time = event
        .timestamp
        .get(..19)
        .unwrap_or(&event.timestamp)
        .replace('T', " ");
    let states = ["from_state", "to_state"].map(|field| text(field).unwrap_or("?"));
    let mut cause = text("trigger").unwrap_or("?").to_owned();
    let evidence = &payload["evidence"];
    let rule = [&payload["rule"], &evidence["rule"]];
    if let Some(rule) = rule.into_iter().find(|rule| !rule.is_null()) {
        cause += &format!(", rule {}", plain(rule));
    }
    if let Some(confidence) = payload["confidence"].as_f64() {
        cause += &format!(" ({confidence:.2})");
    }
    let needs = text("needs").map(|needs| match text("asks").map(show::first_line) {
        Some(asks) => format!("{needs}: {asks}"),
        None => needs.to_owned(),
    });
    let parts = [
        Some(format!("{:32}", states.join(" → "))),
        Some(cause),
        needs,
        text("outcome").map(str::to_owned),
        place(evidence),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    format!("{time}  {}", parts.join("  "))
}

/// Where the evidence stands: an event of the log, or a place in a file.
fn place(evidence: &Value) -> Option<String> {
    if let Some(id) = event_id(evidence) {
        return Some(format!("event {id}"));
    }
    if let Some(hook) = evidence["hook"].as_str() {
        return Some(hook.to_owned());
    }
    let source = evidence["source"].as_str()?;
    match evidence["offset"].as_u64() {
        Some(offset) => Some(format!("{source} at {offset}")),
        None => Some(source.to_owned()),
    }
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}
