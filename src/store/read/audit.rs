//! What `headspace verify` compares with the inputs. Both databases side by
//! side: each question is small and must mean the same on both.

use std::collections::HashMap;

use crate::{
    event::{FactKey, hex},
    tail::Position,
};

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

/// A session's row, as far as events must stand for it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct StoredSession {
    pub session_uuid: String,
    pub path: Option<String>,
    /// How often it began.
    pub registrations: i64,
    pub has_ended: bool,
}

const SESSIONS: &str = "SELECT session_uuid, transcript_path AS path, registrations, \
                        ended_at IS NOT NULL AS has_ended FROM agents \
                        JOIN projects ON projects.id = project_id WHERE host = $1 ORDER BY agents.id";

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

    pub async fn sessions(&self, host: &str) -> Result<Vec<StoredSession>> {
        ask!(self.sessions(host))
    }

    /// The types of those of these events that are there.
    pub async fn event_types(&self, ids: &[i64]) -> Result<HashMap<i64, String>> {
        ask!(self.event_types(ids))
    }

    pub async fn checkpoints(&self, host: &str) -> Result<Vec<CheckpointFacts>> {
        ask!(self.checkpoints(host))
    }

    /// The events these keys are stored for.
    pub async fn facts(&self, keys: &[&str]) -> Result<HashMap<String, i64>> {
        let stored = keys.iter().map(|key| hex(&FactKey::stored(key)));
        let asked: Vec<String> = stored.clone().collect();
        let found = ask!(self.facts(&asked))?;
        let known = keys.iter().zip(stored);
        Ok(known
            .filter_map(|(key, stored)| Some(((*key).to_owned(), *found.get(&stored)?)))
            .collect())
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

    async fn sessions(&self, host: &str) -> Result<Vec<StoredSession>> {
        let rows = sqlx::query_as(SESSIONS).bind(host);
        Ok(rows.fetch_all(&self.ready().await?).await?)
    }

    async fn event_types(&self, ids: &[i64]) -> Result<HashMap<i64, String>> {
        let sql = "SELECT id, event_type FROM events WHERE id IN (SELECT value FROM json_each(?))";
        let rows: Vec<(i64, String)> = sqlx::query_as(sql)
            .bind(list(ids))
            .fetch_all(&self.ready().await?)
            .await?;
        Ok(rows.into_iter().collect())
    }

    async fn checkpoints(&self, host: &str) -> Result<Vec<CheckpointFacts>> {
        let sql = r#"SELECT path, identity, "offset", rewrites FROM checkpoints WHERE host = ?"#;
        Ok(sqlx::query_as(sql)
            .bind(host)
            .fetch_all(&self.ready().await?)
            .await?)
    }

    async fn facts(&self, keys: &[String]) -> Result<HashMap<String, i64>> {
        let sql = "SELECT lower(hex(key)), event_id FROM facts
                   WHERE key IN (SELECT unhex(value) FROM json_each(?))";
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

    async fn sessions(&self, host: &str) -> Result<Vec<StoredSession>> {
        let rows = sqlx::query_as(SESSIONS).bind(host);
        Ok(rows.fetch_all(&self.ready().await?).await?)
    }

    async fn event_types(&self, ids: &[i64]) -> Result<HashMap<i64, String>> {
        let sql = "SELECT id, event_type FROM events WHERE id = ANY($1)";
        let rows: Vec<(i64, String)> = sqlx::query_as(sql)
            .bind(ids)
            .fetch_all(&self.ready().await?)
            .await?;
        Ok(rows.into_iter().collect())
    }

    async fn checkpoints(&self, host: &str) -> Result<Vec<CheckpointFacts>> {
        let sql = r#"SELECT path, identity, "offset", rewrites FROM checkpoints WHERE host = $1"#;
        Ok(sqlx::query_as(sql)
            .bind(host)
            .fetch_all(&self.ready().await?)
            .await?)
    }

    async fn facts(&self, keys: &[String]) -> Result<HashMap<String, i64>> {
        let sql = "SELECT encode(key, 'hex'), event_id FROM facts
                   WHERE key = ANY (SELECT decode(key, 'hex') FROM unnest($1::text[]) AS asked (key))";
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
