//! `/api/projects`, `/api/agents`, `/api/commands`: what is derived from the log.

use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
    http::{StatusCode, header},
    response::IntoResponse,
};
use schemars::JsonSchema;
use serde::Serialize;

use super::query::{AgentsQuery, BeforeQuery, Query, cursor_text};
use crate::{
    event::EventType,
    store::{
        Filter, Stored,
        read::{AgentFilter, AgentRow, CommandRow, PAGE_ROWS, ProjectRow, ToolUseRow, TurnRow},
    },
    web::{Shared, error::Problem},
};

#[derive(Serialize, JsonSchema)]
pub struct Projects {
    projects: Vec<ProjectRow>,
}

#[derive(Serialize, JsonSchema)]
pub struct Agents {
    agents: Vec<AgentRow>,
    /// Ask with `cursor` of this for the next ones.
    next_cursor: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub struct Agent {
    #[serde(flatten)]
    agent: AgentRow,
    /// Its subagents, the one seen last first.
    children: Vec<AgentRow>,
}

#[derive(Serialize, JsonSchema)]
pub struct Turns {
    /// Newest first.
    turns: Vec<TurnRow>,
    /// Ask with `before` of this for the next older ones.
    next_before: Option<i64>,
}

#[derive(Serialize, JsonSchema)]
pub struct Transitions {
    /// Newest first.
    transitions: Vec<Stored>,
    next_before: Option<i64>,
}

#[derive(Serialize, JsonSchema)]
pub struct Command {
    #[serde(flatten)]
    command: CommandRow,
    /// Oldest first, as the calls of tools; at most 500 of each.
    turns: Vec<TurnRow>,
    tool_uses: Vec<ToolUseRow>,
}

pub type Id = Result<Path<i64>, PathRejection>;
type Answer<T> = Result<([(header::HeaderName, &'static str); 1], Json<T>), Problem>;

pub async fn projects(State(app): State<Shared>) -> impl IntoResponse {
    answer(Projects {
        projects: app.reader.projects().await?,
    })
}

pub async fn list(
    State(app): State<Shared>,
    Query(query): Query<AgentsQuery>,
) -> impl IntoResponse {
    let (cursor, limit) = (query.cursor(), query.limit());
    let agents = app.reader.agents(&query.filter()?, cursor, limit).await?;
    let is_full = agents.len() == limit;
    let last = agents.last().filter(|_| is_full);
    answer(Agents {
        next_cursor: last.map(|last| cursor_text(last.cursor())),
        agents,
    })
}

pub async fn show(State(app): State<Shared>, id: Id) -> impl IntoResponse {
    let agent = agent(&app, id).await?;
    let children = AgentFilter {
        parent_ids: vec![agent.id],
        ..AgentFilter::default()
    };
    answer(Agent {
        children: app.reader.agents(&children, None, PAGE_ROWS).await?,
        agent,
    })
}

pub async fn turns(
    State(app): State<Shared>,
    id: Id,
    Query(query): Query<BeforeQuery>,
) -> impl IntoResponse {
    let (agent, limit) = (agent(&app, id).await?, query.limit());
    let turns = app.reader.turns_of(agent.id, query.before(), limit).await?;
    let is_full = turns.len() == limit;
    answer(Turns {
        next_before: turns.last().filter(|_| is_full).map(|turn| turn.id),
        turns,
    })
}

pub async fn transitions(
    State(app): State<Shared>,
    id: Id,
    Query(query): Query<BeforeQuery>,
) -> impl IntoResponse {
    let filter = Filter {
        types: vec![EventType::StateTransition],
        agent_ids: vec![agent(&app, id).await?.id],
        ..Filter::default()
    };
    let page = app
        .reader
        .page(&filter, query.before(), None, query.limit())
        .await?;
    let oldest = page.events.last().map(|event| event.id);
    answer(Transitions {
        next_before: oldest.filter(|_| page.more),
        transitions: page.events,
    })
}

pub async fn command(State(app): State<Shared>, id: Id) -> impl IntoResponse {
    let id = number(id, "command")?;
    let command = app.reader.command(id).await?;
    answer(Command {
        command: command.ok_or_else(|| unknown("command"))?,
        turns: app.reader.turns_of_command(id).await?,
        tool_uses: app.reader.tool_uses_of_command(id).await?,
    })
}

pub async fn agent(app: &Shared, id: Id) -> Result<AgentRow, Problem> {
    let one = AgentFilter {
        ids: vec![number(id, "agent")?],
        ..AgentFilter::default()
    };
    let agents = app.reader.agents(&one, None, 1).await?;
    agents.into_iter().next().ok_or_else(|| unknown("agent"))
}

fn answer<T>(body: T) -> Answer<T> {
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(body)))
}

fn number(id: Id, what: &str) -> Result<i64, Problem> {
    let Path(id) =
        id.map_err(|_| Problem::bad_request(format!("the {what}'s id is no integer")))?;
    Ok(id)
}

fn unknown(what: &str) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, format!("there is no such {what}"))
}
