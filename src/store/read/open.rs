//! The agents that are open now: whole, and in short for a look that has to be quick.

use serde::Deserialize;

use super::{
    AgentRow, Arm, Reader, Result,
    agents::{agent_columns, agent_tables},
    columns::JsonText,
};

/// The most in one answer.
const AGENTS: i64 = 10_000;

/// What an open agent shows, in short.
#[derive(Debug, Clone, Deserialize)]
pub struct Sign {
    pub session_uuid: String,
    pub parent_agent_id: Option<i64>,
    pub state: String,
    pub needs: String,
    pub snoozed_until: Option<String>,
}

/// All of them in one row: SQLite's driver hands every row from one thread to another,
/// which takes longer than finding them. `$list` makes a list of one row's values, `$all`
/// one of rows.
macro_rules! signs {
    ($list:expr, $all:expr) => {
        concat!(
            "SELECT ",
            $all,
            "(",
            $list,
            "(s.session_uuid, s.parent_agent_id, s.state, s.needs, snoozed_until)) AS signs \
             FROM agent_states s JOIN agents ON id = agent_id \
             WHERE open AND (s.needs <> 'none' OR s.parent_agent_id IS NULL \
                             AND s.state IN ('commanded', 'processing'))"
        )
    };
}

impl Sign {
    pub fn of(agent: AgentRow) -> Sign {
        Sign {
            session_uuid: agent.session_uuid,
            parent_agent_id: agent.parent_agent_id,
            state: agent.state,
            needs: agent.needs,
            snoozed_until: agent.snoozed_until.map(String::from),
        }
    }

    /// The session that it belongs to: a subagent's uuid begins with it.
    pub fn root(&self) -> &str {
        self.session_uuid.split('/').next().unwrap_or_default()
    }
}

impl Reader {
    /// All of them, those that began last first: in this order no row is held back to be
    /// sorted.
    pub async fn open_agents(&self) -> Result<Vec<AgentRow>> {
        let sql = concat!(
            "SELECT ",
            agent_columns!(),
            " FROM ",
            agent_tables!(),
            " WHERE s.open ORDER BY a.id DESC LIMIT $1"
        );
        fetch!(self, fetch_all, query_as(sql), AGENTS)
    }

    /// Of all of them those that need something, and of sessions those at work.
    pub async fn signs(&self) -> Result<Vec<Sign>> {
        let found: Option<JsonText> = self
            .in_time(async {
                Ok(match &self.arm {
                    Arm::Sqlite(db) => {
                        let sql = signs!("json_array", "json_group_array");
                        let found = sqlx::query_scalar(sql);
                        found.fetch_one(&db.ready().await?).await?
                    }
                    Arm::Postgres(db) => {
                        let sql = signs!("jsonb_build_array", "jsonb_agg");
                        let found = sqlx::query_scalar(sql);
                        found.fetch_one(&db.ready().await?).await?
                    }
                })
            })
            .await?;
        let Some(JsonText(signs)) = found else {
            return Ok(Vec::new());
        };
        Ok(serde_json::from_str(&signs).map_err(|error| sqlx::Error::Decode(error.into()))?)
    }
}
