//! What `headspace verify` compares with the inputs. Both databases side by
//! side: each question is small and must mean the same on both.

use std::collections::HashMap;

use crate::tail::Position;

use super::{Arm, Reader, Result, postgres::Postgres, sqlite::Sqlite};

/// A checkpoint, and whether its file was ever found rewritten.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct CheckpointFacts {
    pub path: String,
    pub identity: String,
    pub offset: i64,
    pub rewrites: i64,
}

impl CheckpointFacts {
    pub fn position(&self) -> Position {
        Position {
            offset: self.offset.cast_unsigned(),
            identity: self.identity.clone(),
        }
    }
}

/// A stored turn, as far as it follows from its line.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct StoredTurn {
    pub id: i64,
    pub timestamp: String,
    pub payload: String,
    pub observed: bool,
    /// The file it came from, if that has a checkpoint, and where its line begins.
    pub path: Option<String>,
    pub source_offset: Option<i64>,
}

/// What there is, for a first look.
#[derive(Debug, Clone, Copy, sqlx::FromRow)]
pub struct Totals {
    pub sessions: i64,
    pub turns: i64,
}

const TOTALS: &str = "SELECT (SELECT count(*) FROM agents WHERE parent_agent_id IS NULL) AS sessions, \
                      (SELECT count(*) FROM events WHERE event_type = 'turn_detected') AS turns";

impl Reader {
    pub async fn totals(&self) -> Result<Totals> {
        ask!(self.totals())
    }

    pub async fn checkpoints(&self, host: &str) -> Result<Vec<CheckpointFacts>> {
        ask!(self.checkpoints(host))
    }

    /// The events these keys are stored for.
    pub async fn facts(&self, keys: &[&str]) -> Result<HashMap<String, i64>> {
        ask!(self.facts(keys))
    }

    /// Which of these rejections are stored.
    pub async fn rejections(&self, keys: &[String]) -> Result<Vec<String>> {
        ask!(self.rejections(keys))
    }

    pub async fn turns(&self, ids: &[i64]) -> Result<Vec<StoredTurn>> {
        ask!(self.turns(ids))
    }

    /// All turns that came from a file; from none that is known for `None`.
    pub async fn turns_from(&self, host: &str, path: Option<&str>) -> Result<Vec<StoredTurn>> {
        ask!(self.turns_from(host, path))
    }
}

macro_rules! turn_columns {
    ($time:literal, $payload:literal) => {
        concat!(
            "SELECT e.id, ",
            $time,
            " AS timestamp, ",
            $payload,
            " AS payload, e.observed, c.path, \
             e.source_offset FROM events e LEFT JOIN checkpoints c ON c.id = e.checkpoint_id \
             WHERE e.event_type = 'turn_detected' AND "
        )
    };
}

macro_rules! sqlite_turns {
    ($where:literal) => {
        concat!(turn_columns!("e.timestamp", "e.payload"), $where)
    };
}

macro_rules! postgres_turns {
    ($where:literal) => {
        concat!(
            turn_columns!(
                "to_char(e.timestamp AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')",
                "e.payload::text"
            ),
            $where
        )
    };
}

impl Sqlite {
    async fn totals(&self) -> Result<Totals> {
        Ok(sqlx::query_as(TOTALS)
            .fetch_one(&self.ready().await?)
            .await?)
    }

    async fn checkpoints(&self, host: &str) -> Result<Vec<CheckpointFacts>> {
        let sql = r#"SELECT path, identity, "offset", rewrites FROM checkpoints WHERE host = ?"#;
        Ok(sqlx::query_as(sql)
            .bind(host)
            .fetch_all(&self.ready().await?)
            .await?)
    }

    async fn facts(&self, keys: &[&str]) -> Result<HashMap<String, i64>> {
        let sql = "SELECT key, event_id FROM facts WHERE key IN (SELECT value FROM json_each(?))";
        let rows: Vec<(String, i64)> = sqlx::query_as(sql)
            .bind(list(keys))
            .fetch_all(&self.ready().await?)
            .await?;
        Ok(rows.into_iter().collect())
    }

    async fn rejections(&self, keys: &[String]) -> Result<Vec<String>> {
        let sql = "SELECT rejection_key FROM rejections
                   WHERE rejection_key IN (SELECT value FROM json_each(?))";
        Ok(sqlx::query_scalar(sql)
            .bind(list(keys))
            .fetch_all(&self.ready().await?)
            .await?)
    }

    async fn turns(&self, ids: &[i64]) -> Result<Vec<StoredTurn>> {
        let sql = sqlite_turns!("e.id IN (SELECT value FROM json_each(?))");
        Ok(sqlx::query_as(sql)
            .bind(list(ids))
            .fetch_all(&self.ready().await?)
            .await?)
    }

    async fn turns_from(&self, host: &str, path: Option<&str>) -> Result<Vec<StoredTurn>> {
        let sql = sqlite_turns!("(c.host = ?1 AND c.path = ?2 OR ?2 IS NULL AND c.id IS NULL)");
        let rows = sqlx::query_as(sql).bind(host).bind(path);
        Ok(rows.fetch_all(&self.ready().await?).await?)
    }
}

impl Postgres {
    async fn totals(&self) -> Result<Totals> {
        Ok(sqlx::query_as(TOTALS)
            .fetch_one(&self.ready().await?)
            .await?)
    }

    async fn checkpoints(&self, host: &str) -> Result<Vec<CheckpointFacts>> {
        let sql = r#"SELECT path, identity, "offset", rewrites FROM checkpoints WHERE host = $1"#;
        Ok(sqlx::query_as(sql)
            .bind(host)
            .fetch_all(&self.ready().await?)
            .await?)
    }

    async fn facts(&self, keys: &[&str]) -> Result<HashMap<String, i64>> {
        let sql = "SELECT key, event_id FROM facts WHERE key = ANY($1)";
        let rows: Vec<(String, i64)> = sqlx::query_as(sql)
            .bind(keys)
            .fetch_all(&self.ready().await?)
            .await?;
        Ok(rows.into_iter().collect())
    }

    async fn rejections(&self, keys: &[String]) -> Result<Vec<String>> {
        let sql = "SELECT rejection_key FROM rejections WHERE rejection_key = ANY($1)";
        Ok(sqlx::query_scalar(sql)
            .bind(keys)
            .fetch_all(&self.ready().await?)
            .await?)
    }

    async fn turns(&self, ids: &[i64]) -> Result<Vec<StoredTurn>> {
        let sql = postgres_turns!("e.id = ANY($1)");
        Ok(sqlx::query_as(sql)
            .bind(ids)
            .fetch_all(&self.ready().await?)
            .await?)
    }

    async fn turns_from(&self, host: &str, path: Option<&str>) -> Result<Vec<StoredTurn>> {
        let sql = postgres_turns!("(c.host = $1 AND c.path = $2 OR $2 IS NULL AND c.id IS NULL)");
        let rows = sqlx::query_as(sql).bind(host).bind(path);
        Ok(rows.fetch_all(&self.ready().await?).await?)
    }
}

fn list(items: &(impl serde::Serialize + ?Sized)) -> String {
    serde_json::to_string(items).expect("keys and ids are plain JSON")
}
