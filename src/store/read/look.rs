//! What there is at the moment: totals, the ends of the log, and the rows beside it.

use super::{
    Arm, Reader, Result, UtcText,
    rows::{Head, HookRow, ProjectRow, WatcherRow},
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
        let sql = "SELECT hook_type, count, last_received_at FROM hook_counts \
                   ORDER BY last_received_at DESC, hook_type";
        fetch!(self, fetch_all, query_as(sql))
    }

    pub async fn projects(&self) -> Result<Vec<ProjectRow>> {
        let sql = "SELECT id, host, path, name, git_remote, current_branch, created_at, \
                   (SELECT count(*) FROM agents a WHERE a.project_id = p.id) AS agents, \
                   (SELECT count(*) FROM agent_states s WHERE s.project_id = p.id AND s.open) \
                   AS open_agents FROM projects p ORDER BY name, id";
        fetch!(self, fetch_all, query_as(sql))
    }
}
