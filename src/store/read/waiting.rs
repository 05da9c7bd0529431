//! What alerts are made of: the agents that wait for a person, and what was sent of them.

use sqlx::FromRow;

use super::{
    AgentRow, Arm, Reader, Result, UtcText,
    agents::{agent_columns, agent_tables},
};

/// An agent that needs something or was not seen, or the parent of one; with its newest
/// command.
#[derive(Debug, FromRow)]
pub struct WaitingRow {
    #[sqlx(flatten)]
    pub agent: AgentRow,
    pub command_started_at: Option<UtcText>,
    pub command_completed_at: Option<UtcText>,
    pub outcome: Option<String>,
}

/// A row of `alerts`.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct AlertRow {
    pub agent_id: i64,
    pub session_uuid: String,
    pub kind: String,
    pub opened_at: UtcText,
    pub repeat: bool,
    pub message: String,
    pub sent_at: UtcText,
    pub withdrawn_at: Option<UtcText>,
    pub receipt: Option<String>,
}

macro_rules! alerts {
    ($tables:expr) => {
        concat!(
            "SELECT l.agent_id, a.session_uuid, l.kind, l.opened_at, l.repeat, l.message, \
             l.sent_at, l.withdrawn_at, l.receipt FROM ",
            $tables,
            " JOIN projects p ON p.id = a.project_id WHERE l.way = $1 AND p.host = $2 AND "
        )
    };
}

impl Reader {
    /// The agents of a host, or of all, that have not ended and wait for a person, with
    /// those above them.
    pub async fn waiting(&self, host: Option<&str>) -> Result<Vec<WaitingRow>> {
        let sql = concat!(
            "WITH RECURSIVE needy (id, parent) AS (\
             SELECT a.id, a.parent_agent_id FROM agents a JOIN projects p ON p.id = a.project_id \
             WHERE p.host = coalesce($1, p.host) AND a.ended_at IS NULL \
               AND (a.needs <> 'none' OR a.unseen) \
             UNION SELECT a.id, a.parent_agent_id FROM needy n JOIN agents a ON a.id = n.parent) \
             SELECT ",
            agent_columns!(),
            ", c.started_at AS command_started_at, c.completed_at AS command_completed_at, \
             c.outcome FROM ",
            agent_tables!(),
            " LEFT JOIN commands c ON c.id = s.command_id \
             WHERE a.id IN (SELECT id FROM needy) ORDER BY a.id"
        );
        fetch!(self, fetch_all, query_as(sql), host)
    }

    /// What was sent in one way of a host's agents: alerts that are not withdrawn, and all
    /// of what an agent waits for now.
    pub async fn alerts(&self, way: &str, host: &str) -> Result<Vec<AlertRow>> {
        let sql = concat!(
            alerts!("alerts l JOIN agents a ON a.id = l.agent_id"),
            "l.withdrawn_at IS NULL UNION ",
            alerts!("agents a JOIN alerts l ON l.agent_id = a.id"),
            "a.ended_at IS NULL AND (a.needs <> 'none' OR a.unseen) AND l.opened_at >= a.since"
        );
        fetch!(self, fetch_all, query_as(sql), way, host)
    }
}
