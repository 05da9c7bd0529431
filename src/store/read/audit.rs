//! What `headspace verify` compares with the inputs, and what a first look counts.

use std::collections::HashMap;

use super::{Arm, Reader, Result, UtcText, columns::JsonText, page::push_list};
use crate::{event::FactKey, tail::Position};

/// Values asked for in one statement: well below what either database takes.
const ASKED: usize = 1024;

/// A checkpoint, and whether its file was ever found rewritten.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct CheckpointFacts {
    pub id: i64,
    pub path: String,
    pub identity: String,
    pub offset: i64,
    pub rewrites: i64,
    /// While it is read once more: up to where it was read before.
    pub known_until: i64,
}

impl CheckpointFacts {
    /// Whether a line that begins here waits to be read once more.
    pub fn is_due(&self, line: i64) -> bool {
        (self.offset..self.known_until).contains(&line)
    }

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
    #[sqlx(try_from = "UtcText")]
    pub timestamp: String,
    #[sqlx(try_from = "JsonText")]
    pub payload: String,
    pub observed: bool,
    /// The file it came from, if that has a checkpoint, and where its line begins.
    pub checkpoint_id: Option<i64>,
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

/// What there is, for a first look.
#[derive(Debug, Clone, Copy, sqlx::FromRow)]
pub struct Totals {
    pub sessions: i64,
    pub turns: i64,
}

/// The columns of a stored turn, up to its conditions.
macro_rules! turns {
    ($condition:literal) => {
        concat!(
            "SELECT id, timestamp, payload, observed, checkpoint_id, source_offset FROM events \
             WHERE event_type = 'turn_detected' AND ",
            $condition
        )
    };
}

impl Reader {
    pub async fn totals(&self) -> Result<Totals> {
        let sql = "SELECT (SELECT count(*) FROM agents WHERE parent_agent_id IS NULL) AS sessions, \
                   (SELECT count(*) FROM events) \
                   - (SELECT count(*) FROM events WHERE event_type <> 'turn_detected') AS turns";
        fetch!(self, fetch_one, query_as(sql))
    }

    pub async fn sessions(&self, host: &str) -> Result<Vec<StoredSession>> {
        let sql = "SELECT session_uuid, transcript_path AS path, registrations, \
                   ended_at IS NOT NULL AS has_ended FROM agents \
                   JOIN projects ON projects.id = project_id WHERE host = $1 ORDER BY agents.id";
        fetch!(self, fetch_all, query_as(sql), host)
    }

    /// The sessions that a program registered.
    pub async fn registered(&self, host: &str) -> Result<Vec<String>> {
        let sql = "SELECT session_uuid FROM agents \
                   JOIN projects ON projects.id = project_id WHERE host = $1 AND registered";
        fetch!(self, fetch_all, query_scalar(sql), host)
    }

    /// The types of those of these events that are there.
    pub async fn event_types(&self, ids: &[i64]) -> Result<HashMap<i64, String>> {
        let mut types = HashMap::new();
        for ids in ids.chunks(ASKED) {
            let sql = "SELECT id, event_type FROM events WHERE id IN ";
            let rows: Vec<(i64, String)> = fetch_among!(self, sql, ids.iter().copied())?;
            types.extend(rows);
        }
        Ok(types)
    }

    pub async fn checkpoints(&self, host: &str) -> Result<Vec<CheckpointFacts>> {
        let sql = r#"SELECT id, path, identity, "offset", rewrites, known_until
               FROM checkpoints WHERE host = $1"#;
        fetch!(self, fetch_all, query_as(sql), host)
    }

    /// The events these keys are stored for.
    pub async fn facts(&self, keys: &[&str]) -> Result<HashMap<String, i64>> {
        let mut known = HashMap::new();
        for keys in keys.chunks(ASKED) {
            let stored: Vec<Vec<u8>> = keys.iter().map(|key| FactKey::stored(key).into()).collect();
            let sql = "SELECT key, event_id FROM facts WHERE key IN ";
            let rows: Vec<(Vec<u8>, i64)> = fetch_among!(self, sql, stored.clone())?;
            let found: HashMap<Vec<u8>, i64> = rows.into_iter().collect();
            let pairs = keys.iter().zip(&stored);
            known.extend(
                pairs.filter_map(|(key, stored)| Some(((*key).into(), *found.get(stored)?))),
            );
        }
        Ok(known)
    }

    /// Which of these rejections are stored.
    pub async fn rejections(&self, keys: &[String]) -> Result<Vec<String>> {
        let mut known = Vec::new();
        for keys in keys.chunks(ASKED) {
            let sql = "SELECT rejection_key FROM rejections WHERE rejection_key IN ";
            let rows: Vec<(String,)> = fetch_among!(self, sql, keys.iter().cloned())?;
            known.extend(rows.into_iter().map(|(key,)| key));
        }
        Ok(known)
    }

    pub async fn turns(&self, ids: &[i64]) -> Result<Vec<StoredTurn>> {
        let mut turns = Vec::new();
        for ids in ids.chunks(ASKED) {
            let rows: Vec<StoredTurn> = fetch_among!(self, turns!("id IN "), ids.iter().copied())?;
            turns.extend(rows);
        }
        Ok(turns)
    }

    /// The ids of the turns of a file, and where the line of each begins.
    pub async fn turn_places(&self, checkpoint: i64) -> Result<Vec<(i64, Option<i64>)>> {
        let sql = "SELECT id, source_offset FROM events \
                   WHERE checkpoint_id = $1 AND event_type = 'turn_detected'";
        fetch!(self, fetch_all, query_as(sql), checkpoint)
    }

    /// The turns that came from no file that is known.
    pub async fn turns_without_file(&self) -> Result<Vec<StoredTurn>> {
        fetch!(self, fetch_all, query_as(turns!("checkpoint_id IS NULL")))
    }
}
