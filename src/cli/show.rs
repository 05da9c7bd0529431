//! `headspace show`: a session's conversation.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use serde_json::Value;

use super::{agents, columns::Paper, complete, pager::Pager};
use crate::{
    config,
    event::EventType,
    show::{self, first_line},
    store::{
        Filter, Stored,
        read::{AgentRow, PAGE_BYTES, PAGE_EVENTS, Reader, ToolUseRow},
    },
    telemetry::visible,
};

pub const EXAMPLES: &str = "Examples:
  headspace show 7                       in $PAGER, or less
  headspace show 'fix login' | tail -40";

#[derive(clap::Args)]
pub struct ShowArgs {
    /// Which session: its id, the beginning of its uuid, or its title
    #[arg(value_name = "SESSION", add = complete::of_all())]
    session: String,
}

pub fn main(flags: &config::Flags, args: &ShowArgs) -> anyhow::Result<ExitCode> {
    let settings = super::prepare(flags, "headspace")?;
    super::runtime()?.block_on(async {
        let reader = super::brief_reader(&settings)?;
        let agent = agents::find(&reader, &args.session).await?;
        page(&reader, &agent, Pager::open(false)?).await
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Returns when the pager is closed.
pub async fn page(reader: &Reader, agent: &AgentRow, mut pager: Pager) -> anyhow::Result<()> {
    let written = write(reader, agent, &mut pager).await;
    pager.close(written)
}

async fn write(reader: &Reader, agent: &AgentRow, out: &mut impl Write) -> anyhow::Result<()> {
    let paper = Paper::of_output();
    let place = [
        &agent.project_name,
        agent.branch.as_deref().unwrap_or_default(),
    ]
    .join(" ");
    let title = paper.bold(&visible(show::title(agent)));
    writeln!(
        out,
        "{title} · {} · {}",
        visible(place.trim()),
        agent.session_uuid
    )?;
    let mut tools = tools(reader, agent).await?.into_iter().peekable();
    let filter = Filter {
        types: vec![EventType::TurnDetected],
        agent_ids: vec![agent.id],
        ..Filter::default()
    };
    let (end, mut after) = (reader.settled().await?, 0);
    loop {
        let page = reader
            .replay(&filter, after, end, PAGE_EVENTS, PAGE_BYTES)
            .await?;
        for turn in &page.events {
            while let Some(tool) = tools.next_if(|tool| *tool.started_at < *turn.timestamp) {
                writeln!(out, "{}", paper.faint(&call(&tool)))?;
            }
            write_turn(turn, paper, out)?;
        }
        match page.events.last() {
            Some(last) if page.more => after = last.id,
            _ => break,
        }
    }
    for tool in tools {
        writeln!(out, "{}", paper.faint(&call(&tool)))?;
    }
    Ok(out.flush()?)
}

/// All calls of the agent, the first one first.
async fn tools(reader: &Reader, agent: &AgentRow) -> anyhow::Result<Vec<ToolUseRow>> {
    let mut tools: Vec<ToolUseRow> = Vec::new();
    loop {
        let after = tools.last().map_or(0, |tool| tool.id);
        let page = reader.tool_uses_of(agent.id, after).await?;
        if page.is_empty() {
            tools.sort_by(|a, b| (&*a.started_at, a.id).cmp(&(&*b.started_at, b.id)));
            return Ok(tools);
        }
        tools.extend(page);
    }
}

/// `  ▸ Bash cargo test · 41 s · error`
fn call(tool: &ToolUseRow) -> String {
    let summary = first_line(&tool.summary);
    let ended = tool.ended_at.as_ref().and_then(|ended| ended.parse().ok());
    let took = ended.map(|ended| show::age(&tool.started_at, ended).words());
    let outcome = tool.outcome.clone().filter(|outcome| outcome != "ok");
    let parts = [
        Some(format!("{} {summary}", tool.name).trim().to_owned()),
        took,
        outcome,
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    format!("  ▸ {}", visible(&parts.join(" · ")))
}

/// A head with the time and the speaker, then the words, line by line.
fn write_turn(turn: &Stored, paper: Paper, out: &mut impl Write) -> io::Result<()> {
    // A payload that was damaged in the database has no words; its head still stands.
    let payload: Value = serde_json::from_str(turn.payload.get()).unwrap_or_default();
    let text = payload["text"].as_str().unwrap_or_default();
    let is_users = payload["actor"] == "user";
    let text = match is_users {
        true => show::typed(text),
        false => text.into(),
    };
    if payload["part"].is_null() {
        let time = turn.timestamp.get(..16).unwrap_or(&turn.timestamp);
        let time = paper.faint(&time.replace('T', " "));
        let speaker = if is_users {
            paper.bold("you")
        } else {
            "agent".into()
        };
        writeln!(out, "\n{time}  {speaker}")?;
    }
    for line in text.lines() {
        let line = format!("  {}", visible(line));
        let line = if is_users { paper.bold(&line) } else { line };
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}
