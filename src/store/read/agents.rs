//! Agents, their commands and their turns, as they are derived from the log.

use schemars::JsonSchema;
use serde::Serialize;
use sqlx::{Database, Encode, QueryBuilder, Type};

use crate::event::Timestamp;

use super::{
    Arm, Reader, Result,
    columns::{At, Json, UtcText},
    page::{push_among, push_list},
};

/// The most rows in one answer.
pub const PAGE_ROWS: usize = 500;

/// The words of the columns `state` and `needs`.
pub const STATES: [&str; 5] = [
    "idle",
    "commanded",
    "processing",
    "awaiting_input",
    "complete",
];
pub const NEEDS: [&str; 8] = [
    "permission",
    "question",
    "plan",
    "dialog",
    "asked",
    "error",
    "limit",
    "none",
];

/// An agent with its project and what the view `agent_states` shows of it.
#[derive(Debug, Clone, Serialize, JsonSchema, sqlx::FromRow)]
pub struct AgentRow {
    pub id: i64,
    pub session_uuid: String,
    pub project_id: i64,
    pub project_name: String,
    pub project_path: String,
    /// The project's branch.
    pub branch: Option<String>,
    pub host: String,
    pub parent_agent_id: Option<i64>,
    pub cli: String,
    pub title: Option<String>,
    pub state: String,
    pub needs: String,
    pub asks: Option<String>,
    /// When the state or the need began.
    pub since: Option<UtcText>,
    /// Tasks that run on after the turn's end.
    pub background: i64,
    pub unseen: bool,
    pub viewed_at: Option<UtcText>,
    /// Until then, or until it changes, it is put off.
    pub snoozed_until: Option<UtcText>,
    pub open: bool,
    pub last_words: Option<String>,
    /// The newest one.
    pub command_id: Option<i64>,
    pub model: Option<String>,
    pub context_tokens: Option<i64>,
    pub todos: Option<Json>,
    pub queue_length: i64,
    pub permission_mode: Option<String>,
    pub working_directory: String,
    pub transcript_path: Option<String>,
    pub terminal: Option<Json>,
    pub iterm_pane_id: Option<String>,
    pub started_at: UtcText,
    pub last_seen_at: UtcText,
    pub ended_at: Option<UtcText>,
    pub end_reason: Option<String>,
    /// The session that its process went on in.
    pub successor_id: Option<i64>,
    /// The session that it began as a copy of.
    pub forked_from_id: Option<i64>,
    /// Machines that it was seen on, beside `host`.
    pub other_hosts: Option<Json>,
    /// A process or a hook tells of it, and not only its transcript.
    pub witnessed: bool,
}

#[derive(Debug, Clone, Serialize, JsonSchema, sqlx::FromRow)]
pub struct CommandRow {
    pub id: i64,
    pub agent_id: i64,
    pub state: String,
    pub origin: String,
    pub outcome: Option<String>,
    pub started_at: UtcText,
    pub completed_at: Option<UtcText>,
}

#[derive(Debug, Clone, Serialize, JsonSchema, sqlx::FromRow)]
pub struct TurnRow {
    pub id: i64,
    pub command_id: i64,
    pub actor: String,
    pub intent: String,
    pub text: String,
    pub timestamp: UtcText,
    pub message_id: Option<String>,
    /// The event that made it.
    pub event_id: i64,
}

#[derive(Debug, Clone, Serialize, JsonSchema, sqlx::FromRow)]
pub struct ToolUseRow {
    pub id: i64,
    pub agent_id: i64,
    pub command_id: Option<i64>,
    pub tool_use_id: String,
    pub name: String,
    pub summary: String,
    pub started_at: UtcText,
    pub ended_at: Option<UtcText>,
    pub outcome: Option<String>,
}

/// Which agents a reader wants. Fields combine with AND, values in one with OR; an
/// empty field asks for everything.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AgentFilter {
    pub ids: Vec<i64>,
    pub states: Vec<String>,
    pub needs: Vec<String>,
    pub project_ids: Vec<i64>,
    pub parent_ids: Vec<i64>,
    pub hosts: Vec<String>,
    pub open: Option<bool>,
}

/// An agent's place in the list that begins with the one seen last.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AgentCursor {
    pub last_seen_at: Timestamp,
    pub id: i64,
}

impl AgentRow {
    /// It was seen on this machine.
    pub fn is_on(&self, host: &str) -> bool {
        let others = self.other_hosts.as_ref();
        let others = others.and_then(|json| serde_json::from_str::<Vec<String>>(json.get()).ok());
        self.host == host || others.is_some_and(|others| others.iter().any(|one| one == host))
    }

    /// Behind it the list goes on.
    pub fn cursor(&self) -> AgentCursor {
        AgentCursor {
            last_seen_at: Timestamp::parse(&self.last_seen_at).unwrap_or(Timestamp::UNIX_EPOCH),
            id: self.id,
        }
    }
}

/// The columns of an [`AgentRow`].
macro_rules! agent_columns {
    () => {
        "a.id, a.session_uuid, a.project_id, p.name AS project_name, \
         p.path AS project_path, p.current_branch AS branch, p.host, a.parent_agent_id, cli, \
         a.title, a.state, a.needs, a.asks, a.since, a.background, a.unseen, viewed_at, \
         snoozed_until, s.open, a.last_words, s.command_id, model, \
         context_tokens, todos, queue_length, permission_mode, working_directory, \
         transcript_path, terminal, iterm_pane_id, a.started_at, last_seen_at, a.ended_at, \
         end_reason, successor_id, forked_from_id, other_hosts, s.witnessed"
    };
}
pub(super) use agent_columns;

/// Where they are.
macro_rules! agent_tables {
    () => {
        "agents a JOIN agent_states s ON s.agent_id = a.id \
         JOIN projects p ON p.id = a.project_id"
    };
}
pub(super) use agent_tables;

macro_rules! agents {
    () => {
        concat!("SELECT ", agent_columns!(), " FROM ", agent_tables!())
    };
}

macro_rules! turns {
    () => {
        "SELECT t.id, command_id, actor, intent, text, timestamp, message_id, event_id FROM turns t"
    };
}
pub(super) use turns;

macro_rules! tool_uses {
    () => {
        "SELECT id, agent_id, command_id, tool_use_id, name, summary, started_at, ended_at, \
         outcome FROM tool_uses"
    };
}

impl Reader {
    pub async fn session(&self, session_uuid: &str) -> Result<Option<AgentRow>> {
        let sql = concat!(agents!(), " WHERE a.session_uuid = $1");
        fetch!(self, fetch_optional, query_as(sql), session_uuid)
    }

    /// The agents whose session's uuid begins so, each with it.
    pub async fn agents_named(&self, beginning: &str) -> Result<Vec<(i64, String)>> {
        let sql = "SELECT id, session_uuid FROM agents \
                   WHERE substr(session_uuid, 1, length($1)) = $1 ORDER BY id";
        fetch!(self, fetch_all, query_as(sql), beginning)
    }

    /// The agents whose title begins so, whatever the case, each with it.
    pub async fn agents_titled(&self, beginning: &str) -> Result<Vec<(i64, String)>> {
        let sql = "SELECT id, title FROM agents \
                   WHERE substr(lower(title), 1, length($1)) = lower($1) ORDER BY id";
        fetch!(self, fetch_all, query_as(sql), beginning)
    }

    /// Those seen last come first; `after` is the last one of the page before.
    pub async fn agents(
        &self,
        filter: &AgentFilter,
        after: Option<AgentCursor>,
        limit: usize,
    ) -> Result<Vec<AgentRow>> {
        self.in_time(async {
            Ok(match &self.arm {
                Arm::Sqlite(db) => {
                    let mut sql = QueryBuilder::<sqlx::Sqlite>::new(agents!());
                    filter.push(&mut sql, "json_each(other_hosts)", after, limit);
                    sql.build_query_as().fetch_all(&db.ready().await?).await?
                }
                Arm::Postgres(db) => {
                    let mut sql = QueryBuilder::<sqlx::Postgres>::new(agents!());
                    let elsewhere = "jsonb_array_elements_text(other_hosts) AS value";
                    filter.push(&mut sql, elsewhere, after, limit);
                    sql.build_query_as().fetch_all(&db.ready().await?).await?
                }
            })
        })
        .await
    }

    /// An agent's turns below `before`, newest first.
    pub async fn turns_of(
        &self,
        agent_id: i64,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<TurnRow>> {
        let sql = concat!(
            turns!(),
            " JOIN commands c ON c.id = command_id \
             WHERE agent_id = $1 AND t.id < $2 ORDER BY t.id DESC LIMIT $3"
        );
        let (before, limit) = (before.unwrap_or(i64::MAX), limit as i64);
        fetch!(self, fetch_all, query_as(sql), agent_id, before, limit)
    }

    pub async fn command(&self, id: i64) -> Result<Option<CommandRow>> {
        let sql = "SELECT id, agent_id, state, origin, outcome, started_at, completed_at \
                   FROM commands WHERE id = $1";
        fetch!(self, fetch_optional, query_as(sql), id)
    }

    /// A command's first turns, oldest first.
    pub async fn turns_of_command(&self, command_id: i64) -> Result<Vec<TurnRow>> {
        let sql = concat!(turns!(), " WHERE command_id = $1 ORDER BY t.id LIMIT $2");
        let limit = PAGE_ROWS as i64;
        fetch!(self, fetch_all, query_as(sql), command_id, limit)
    }

    /// A command's first calls of tools, oldest first.
    pub async fn tool_uses_of_command(&self, command_id: i64) -> Result<Vec<ToolUseRow>> {
        let sql = concat!(
            tool_uses!(),
            " WHERE command_id = $1 ORDER BY started_at, id LIMIT $2"
        );
        let limit = PAGE_ROWS as i64;
        fetch!(self, fetch_all, query_as(sql), command_id, limit)
    }

    /// A call of an agent.
    pub async fn tool_use(&self, agent_id: i64, id: i64) -> Result<Option<ToolUseRow>> {
        let sql = concat!(tool_uses!(), " WHERE agent_id = $1 AND id = $2");
        fetch!(self, fetch_optional, query_as(sql), agent_id, id)
    }

    /// An agent's next calls of tools behind the one of this id, in the order of ids.
    pub async fn tool_uses_of(&self, agent_id: i64, after: i64) -> Result<Vec<ToolUseRow>> {
        let sql = concat!(
            tool_uses!(),
            " WHERE agent_id = $1 AND id > $2 ORDER BY id LIMIT $3"
        );
        fetch!(
            self,
            fetch_all,
            query_as(sql),
            agent_id,
            after,
            PAGE_ROWS as i64
        )
    }

    /// The calls of tools of these agents that have not ended, oldest first.
    pub async fn running_tools(&self, agent_ids: &[i64]) -> Result<Vec<ToolUseRow>> {
        if agent_ids.is_empty() {
            return Ok(Vec::new());
        }
        let sql = concat!(tool_uses!(), " WHERE ended_at IS NULL AND agent_id IN ");
        let mut tools: Vec<ToolUseRow> = fetch_among!(self, sql, agent_ids.iter().copied())?;
        tools.sort_unstable_by_key(|tool| tool.id);
        Ok(tools)
    }
}

impl AgentFilter {
    /// `elsewhere` gives the further machines of an agent, as rows of one `value`.
    fn push<DB>(
        &self,
        sql: &mut QueryBuilder<DB>,
        elsewhere: &str,
        after: Option<AgentCursor>,
        limit: usize,
    ) where
        DB: Database,
        i64: for<'q> Encode<'q, DB> + Type<DB>,
        At: for<'q> Encode<'q, DB> + Type<DB>,
        String: for<'q> Encode<'q, DB> + Type<DB>,
    {
        sql.push(" WHERE true");
        push_among(sql, "a.id", self.ids.iter().copied());
        push_among(sql, "a.state", self.states.iter().cloned());
        push_among(sql, "a.needs", self.needs.iter().cloned());
        push_among(sql, "a.project_id", self.project_ids.iter().copied());
        push_among(sql, "a.parent_agent_id", self.parent_ids.iter().copied());
        self.push_hosts(sql, elsewhere);
        match self.open {
            None => {}
            Some(true) => drop(sql.push(" AND s.open")),
            Some(false) => drop(sql.push(" AND NOT s.open")),
        }
        if let Some(AgentCursor { last_seen_at, id }) = after {
            sql.push(" AND (last_seen_at, a.id) < (");
            sql.push_bind(At(last_seen_at)).push(", ").push_bind(id);
            sql.push(")");
        }
        sql.push(" ORDER BY last_seen_at DESC, a.id DESC LIMIT ");
        sql.push_bind(limit.min(PAGE_ROWS) as i64);
    }

    /// Of a session that moves with its home folder, each of its machines counts.
    fn push_hosts<DB>(&self, sql: &mut QueryBuilder<DB>, elsewhere: &str)
    where
        DB: Database,
        String: for<'q> Encode<'q, DB> + Type<DB>,
    {
        if self.hosts.is_empty() {
            return;
        }
        sql.push(" AND (p.host IN ");
        push_list(sql, self.hosts.iter().cloned());
        sql.push(format_args!(
            " OR EXISTS (SELECT 1 FROM {elsewhere} WHERE value IN "
        ));
        push_list(sql, self.hosts.iter().cloned());
        sql.push("))");
    }
}
