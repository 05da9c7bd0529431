//! Which agents a command is about.

use std::fmt;

use anyhow::bail;

use crate::{
    show,
    store::read::{AgentFilter, AgentRow, PAGE_ROWS, ReadError, Reader},
    telemetry::visible,
};

/// So many of the agents that a name fits are listed.
const LISTED: usize = 10;

/// A name that several agents have: wrong usage.
#[derive(Debug)]
pub struct Ambiguous {
    wanted: String,
    candidates: Vec<AgentRow>,
}

impl std::error::Error for Ambiguous {}

impl fmt::Display for Ambiguous {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: several sessions have this name:", self.wanted)?;
        for agent in self.candidates.iter().take(LISTED) {
            let uuid = &agent.session_uuid;
            let (id, title, project) = (agent.id, show::title(agent), &agent.project_name);
            write!(f, "\n  {id:>5}  {uuid}  {project}  {title}")?;
        }
        match self.candidates.len().saturating_sub(LISTED) {
            0 => Ok(()),
            more => write!(f, "\n  … and {more} more"),
        }
    }
}

/// The agent of this id, else the one whose session's uuid begins so, else the one of
/// this title, else the one whose title begins so.
pub async fn find(reader: &Reader, wanted: &str) -> anyhow::Result<AgentRow> {
    let wanted = wanted.trim();
    if let Ok(id) = wanted.parse()
        && let Some(agent) = of_ids(reader, vec![id]).await?.pop()
    {
        return Ok(agent);
    }
    let mut found = match wanted.is_empty() {
        true => Vec::new(),
        false => named(reader, wanted).await?,
    };
    match found.pop() {
        None => bail!(
            "{}: no session has this id, title or beginning of its uuid; `headspace status -a` lists them",
            visible(wanted)
        ),
        Some(agent) if found.is_empty() => Ok(agent),
        Some(agent) => {
            found.push(agent);
            Err(Ambiguous {
                wanted: wanted.to_owned(),
                candidates: found,
            }
            .into())
        }
    }
}

/// The same; of a subagent its root.
pub async fn find_root(reader: &Reader, wanted: &str) -> anyhow::Result<AgentRow> {
    let agent = find(reader, wanted).await?;
    let (root, _) = agent
        .session_uuid
        .split_once('/')
        .unwrap_or((&agent.session_uuid, ""));
    match agent.parent_agent_id {
        None => Ok(agent),
        Some(_) => Ok(reader.session(root).await?.unwrap_or(agent)),
    }
}

/// The open subagents of an agent, and theirs: their uuids begin with its own.
pub async fn below(reader: &Reader, agent: &AgentRow) -> Result<Vec<AgentRow>, ReadError> {
    let beginning = format!("{}/", agent.session_uuid);
    let ids = reader.agents_named(&beginning).await?;
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let filter = AgentFilter {
        ids: ids.into_iter().map(|(id, _)| id).collect(),
        open: Some(true),
        ..AgentFilter::default()
    };
    reader.agents(&filter, None, PAGE_ROWS).await
}

async fn named(reader: &Reader, wanted: &str) -> Result<Vec<AgentRow>, ReadError> {
    let mut ids = reader.agents_named(wanted).await?;
    // The uuid of a subagent begins with its root's.
    if !wanted.contains('/') && ids.iter().any(|(_, uuid)| !uuid.contains('/')) {
        ids.retain(|(_, uuid)| !uuid.contains('/'));
    }
    if ids.is_empty() {
        ids = reader.agents_titled(wanted).await?;
        let lower = wanted.to_lowercase();
        if ids.iter().any(|(_, title)| title.to_lowercase() == lower) {
            ids.retain(|(_, title)| title.to_lowercase() == lower);
        }
    }
    of_ids(reader, ids.into_iter().map(|(id, _)| id).collect()).await
}

async fn of_ids(reader: &Reader, ids: Vec<i64>) -> Result<Vec<AgentRow>, ReadError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let filter = AgentFilter {
        ids,
        ..AgentFilter::default()
    };
    reader.agents(&filter, None, PAGE_ROWS).await
}
