//! What there is at the moment: totals, the ends of the log, and the rows beside it.

use super::{
    Arm, Reader, Result, UtcText,
    rows::{AgentRow, Head, HookRow, ProjectRow, SessionRow, WatcherRow},
};

impl Reader {
    pub async fn head(&self) -> Result<Head> {
        ask!(self.head())
    }

    /// The highest id below `oldest` that was an event and is gone; 0 if none.
    pub async fn pruned_below(&self, oldest: i64) -> Result<i64> {
        let sql = "SELECT coalesce(max(event_id), 0) FROM facts WHERE event_id < $1";
        fetch!(self, fetch_one, query_scalar(sql), oldest)
    }

    /// How many events have an id in (`after`, `upto`].
    pub async fn count(&self, after: i64, upto: i64) -> Result<i64> {
        let sql = "SELECT count(*) FROM events WHERE id > $1 AND id <= $2";
        fetch!(self, fetch_one, query_scalar(sql), after, upto)
    }

    pub async fn rejected(&self) -> Result<i64> {
        fetch!(
            self,
            fetch_one,
            query_scalar("SELECT count(*) FROM rejections")
        )
    }

    /// When the newest event was committed.
    pub async fn last_write(&self) -> Result<Option<String>> {
        let sql = "SELECT recorded_at FROM events ORDER BY id DESC LIMIT 1";
        let last: Option<UtcText> = fetch!(self, fetch_optional, query_scalar(sql))?;
        Ok(last.map(String::from))
    }

    pub async fn schema_version(&self) -> Result<i64> {
        ask!(self.schema_version())
    }

    pub async fn watchers(&self) -> Result<Vec<WatcherRow>> {
        let sql = "SELECT id, host, state_dir, pid, version, started_at, beat_at, last_write_at, \
                   state, reason, counters FROM watchers ORDER BY id";
        fetch!(self, fetch_all, query_as(sql))
    }

    /// The type of the last received first.
    pub async fn hooks(&self) -> Result<Vec<HookRow>> {
        let sql = "SELECT payload ->> 'hook_type' AS hook_type, count(*) AS count, \
                   max(timestamp) AS last_received_at FROM events \
                   WHERE event_type = 'hook_received' AND event_type <> 'turn_detected' \
                   GROUP BY payload ->> 'hook_type' ORDER BY last_received_at DESC, hook_type";
        fetch!(self, fetch_all, query_as(sql))
    }

    pub async fn projects(&self) -> Result<Vec<ProjectRow>> {
        let sql = "SELECT id, host, path, name, git_remote, current_branch, created_at, \
                   (SELECT count(*) FROM agents a WHERE a.project_id = p.id) AS agents \
                   FROM projects p ORDER BY name, id";
        fetch!(self, fetch_all, query_as(sql))
    }

    pub async fn session(&self, session_uuid: &str) -> Result<Option<SessionRow>> {
        let sql = "SELECT a.id, session_uuid, project_id, p.name AS project_name, parent_agent_id, \
                   cli, started_at, last_seen_at, ended_at, end_reason, p.path AS project_path, \
                   working_directory, iterm_pane_id \
                   FROM agents a JOIN projects p ON p.id = a.project_id WHERE session_uuid = $1";
        fetch!(self, fetch_optional, query_as(sql), session_uuid)
    }

    /// The agents seen last, at most `limit`.
    pub async fn agents(&self, limit: usize) -> Result<Vec<AgentRow>> {
        let sql = "SELECT a.id, session_uuid, project_id, p.name AS project_name, parent_agent_id, \
                   cli, started_at, last_seen_at, ended_at, end_reason \
                   FROM agents a JOIN projects p ON p.id = a.project_id \
                   ORDER BY a.last_seen_at DESC, a.id DESC LIMIT $1";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        fetch!(self, fetch_all, query_as(sql), limit)
    }
}
