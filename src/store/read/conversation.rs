//! A session as it is read by a person: a window of turns with what was done between
//! them, and what stands beside it.

use sqlx::FromRow;

use super::{
    Arm, CommandRow, Reader, Result, ToolUseRow, TurnRow, UtcText, agents::turns, columns::At,
    page::push_list,
};
use crate::event::Timestamp;

/// A prompt's place in a conversation.
#[derive(Debug, FromRow)]
pub struct PromptRow {
    pub id: i64,
    /// Its beginning.
    pub text: String,
    pub timestamp: UtcText,
}

/// A file that was written, and how often.
#[derive(Debug, FromRow)]
pub struct FileRow {
    pub path: String,
    pub times: i64,
}

impl Reader {
    /// An agent's turns from `from` on, oldest first.
    pub async fn turns_from(&self, agent_id: i64, from: i64, limit: usize) -> Result<Vec<TurnRow>> {
        let sql = concat!(
            turns!(),
            " JOIN commands c ON c.id = command_id \
             WHERE agent_id = $1 AND t.id >= $2 ORDER BY t.id LIMIT $3"
        );
        fetch!(self, fetch_all, query_as(sql), agent_id, from, limit as i64)
    }

    pub async fn commands_among(&self, ids: &[i64]) -> Result<Vec<CommandRow>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let sql = "SELECT id, agent_id, state, origin, outcome, started_at, completed_at \
                   FROM commands WHERE id IN ";
        fetch_among!(self, sql, ids.iter().copied())
    }

    /// An agent's calls of tools that began in a span, the newest first.
    pub async fn tool_uses_between(
        &self,
        agent_id: i64,
        from: Timestamp,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<ToolUseRow>> {
        let sql = "SELECT id, agent_id, command_id, tool_use_id, name, summary, started_at, \
                   ended_at, outcome FROM tool_uses WHERE agent_id = $1 \
                   AND started_at >= $2 AND started_at < $3 ORDER BY id DESC LIMIT $4";
        let limit = limit as i64;
        fetch!(
            self,
            fetch_all,
            query_as(sql),
            agent_id,
            At(from),
            At(until),
            limit
        )
    }

    /// An agent's newest prompts, newest first.
    pub async fn prompts_of(&self, agent_id: i64, limit: usize) -> Result<Vec<PromptRow>> {
        let sql = "SELECT t.id, substr(t.text, 1, 400) AS text, t.timestamp FROM turns t \
                   JOIN commands c ON c.id = t.command_id \
                   WHERE c.agent_id = $1 AND actor = 'user' ORDER BY t.id DESC LIMIT $2";
        fetch!(self, fetch_all, query_as(sql), agent_id, limit as i64)
    }

    /// The files an agent wrote, the one written last first.
    pub async fn files_of(&self, agent_id: i64) -> Result<Vec<FileRow>> {
        let sql = "SELECT summary AS path, count(*) AS times FROM tool_uses \
                   WHERE agent_id = $1 AND name IN ('Edit', 'Write', 'MultiEdit', 'NotebookEdit') \
                   GROUP BY summary ORDER BY max(id) DESC LIMIT 50";
        fetch!(self, fetch_all, query_as(sql), agent_id)
    }

    /// The tokens an agent took; what was read from the cache is not counted.
    pub async fn tokens_of(&self, agent_id: i64) -> Result<i64> {
        let sql = "SELECT CAST(coalesce(sum(input + output + cache_write), 0) AS bigint) \
                   FROM usage WHERE agent_id = $1";
        fetch!(self, fetch_one, query_scalar(sql), agent_id)
    }
}
