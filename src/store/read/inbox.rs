//! What a person looks at first: the sessions that are open or were left hanging,
//! with what they are at, and the day so far.

use sqlx::FromRow;

use super::{
    AgentRow, Arm, Reader, Result, UtcText,
    agents::{agent_columns, agent_tables},
    columns::At,
};
use crate::event::Timestamp;

/// The most agents in one look.
const AGENTS: i64 = 2000;

/// An agent, and what it is at.
#[derive(Debug, FromRow)]
pub struct InboxRow {
    #[sqlx(flatten)]
    pub agent: AgentRow,
    #[sqlx(flatten)]
    pub work: WorkRow,
}

/// An agent's newest command.
#[derive(Debug, Clone, Default, FromRow)]
pub struct WorkRow {
    /// The beginning of its newest prompt.
    pub prompt: Option<String>,
    /// The newest call of a tool that has not ended.
    pub tool_name: Option<String>,
    pub tool_summary: Option<String>,
    pub command_started_at: Option<UtcText>,
    pub command_completed_at: Option<UtcText>,
    pub outcome: Option<String>,
}

/// A command's span; without an end it goes on.
#[derive(Debug, FromRow)]
pub struct SpanRow {
    pub started_at: UtcText,
    pub completed_at: Option<UtcText>,
}

impl Reader {
    /// Root agents that are open and not idle, or seen since `idle_since`; those that
    /// ended since `ended_since` in the midst of something; and the subagents that work
    /// or need something.
    pub async fn inbox(
        &self,
        idle_since: Timestamp,
        ended_since: Timestamp,
    ) -> Result<Vec<InboxRow>> {
        let sql = concat!(
            "SELECT ",
            agent_columns!(),
            ", (SELECT substr(t.text, 1, 300) FROM turns t WHERE t.command_id = c.id \
               AND t.actor = 'user' ORDER BY t.id DESC LIMIT 1) AS prompt, \
             u.name AS tool_name, u.summary AS tool_summary, \
             c.started_at AS command_started_at, c.completed_at AS command_completed_at, \
             c.outcome FROM ",
            agent_tables!(),
            " LEFT JOIN commands c ON c.id = s.command_id \
             LEFT JOIN tool_uses u ON u.id = (SELECT max(id) FROM tool_uses \
               WHERE agent_id = a.id AND ended_at IS NULL AND started_at >= c.started_at) \
             WHERE CASE WHEN a.parent_agent_id IS NOT NULL \
               THEN a.ended_at IS NULL \
                 AND (a.needs <> 'none' OR a.state IN ('commanded', 'processing')) \
               WHEN s.open \
               THEN a.state <> 'idle' OR a.needs <> 'none' OR a.unseen \
                 OR a.background > 0 OR a.last_seen_at >= $1 \
               ELSE coalesce(a.ended_at, a.last_seen_at) >= $2 AND (a.needs <> 'none' \
                 OR a.state IN ('commanded', 'processing') OR c.outcome = 'abandoned') END \
             ORDER BY last_seen_at DESC, a.id DESC LIMIT $3"
        );
        fetch!(
            self,
            fetch_all,
            query_as(sql),
            At(idle_since),
            At(ended_since),
            AGENTS
        )
    }

    /// The spans of the commands that were at work since `from`.
    pub async fn spans_since(&self, from: Timestamp) -> Result<Vec<SpanRow>> {
        let sql = "SELECT c.started_at, \
                   CASE WHEN a.state NOT IN ('commanded', 'processing') \
                   THEN coalesce(c.completed_at, a.last_seen_at) ELSE c.completed_at END \
                   AS completed_at FROM commands c \
                   JOIN agents a ON a.id = c.agent_id WHERE a.last_seen_at >= $1 \
                   AND coalesce(c.completed_at, a.last_seen_at) >= $1";
        fetch!(self, fetch_all, query_as(sql), At(from))
    }

    /// How many turns there were since `from`, and how many tokens they took; what was
    /// read from the cache is not counted.
    pub async fn turns_and_tokens_since(&self, from: Timestamp) -> Result<(i64, i64)> {
        let sql = "SELECT (SELECT count(*) FROM agents a JOIN commands c ON c.agent_id = a.id \
                     JOIN turns t ON t.command_id = c.id \
                     WHERE a.last_seen_at >= $1 AND c.started_at >= $1 AND t.timestamp >= $1), \
                   (SELECT CAST(coalesce(sum(input + output + cache_write), 0) AS bigint) \
                     FROM agents a JOIN usage u ON u.agent_id = a.id \
                     WHERE a.last_seen_at >= $1 AND u.at >= $1)";
        fetch!(self, fetch_one, query_as(sql), At(from))
    }
}
