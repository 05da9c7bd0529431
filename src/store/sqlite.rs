//! SQLite: all the writing SQL.
//!
//! `BEGIN IMMEDIATE` takes the only write lock, so what is read inside the
//! transaction stays true until its end, and ids become visible in order.

use std::collections::HashMap;

use sqlx::{Row, Sqlite, SqliteConnection, sqlite::SqliteRow};

use crate::{
    derive::Agent,
    event::{SessionSeen, Timestamp, hex, project_name},
    tail::Position,
};

use super::{
    append::{EventRow, Locked, Moved, Outcome, RejectionRow, StoredKey, Transaction},
    segment::{Beat, CheckpointRow, OpenSession},
};

/// Every statement is handed to the driver's thread and its end handed back,
/// which costs more than inserting a row.
const ROWS_PER_INSERT: usize = 64;

pub struct SqliteTransaction<'c>(sqlx::Transaction<'c, Sqlite>);

impl<'c> SqliteTransaction<'c> {
    pub async fn begin(connection: &'c mut SqliteConnection) -> Outcome<Self> {
        Ok(Self(
            sqlx::Connection::begin_with(connection, "BEGIN IMMEDIATE").await?,
        ))
    }
}

impl Transaction for SqliteTransaction<'_> {
    async fn lock_checkpoint(&mut self, host: &str, path: &str) -> Outcome<Locked> {
        let row = sqlx::query(
            r#"SELECT id, identity, "offset" FROM checkpoints WHERE host = ? AND path = ?"#,
        )
        .bind(host)
        .bind(path)
        .fetch_optional(&mut *self.0)
        .await?;
        if let Some(row) = row {
            return Ok(Locked {
                id: row.get(0),
                position: position(&row, 1),
            });
        }
        let done = sqlx::query(
            r#"INSERT INTO checkpoints (host, path, identity, "offset", updated_at)
               VALUES (?, ?, '', 0, ?)"#,
        )
        .bind(host)
        .bind(path)
        .bind(now())
        .execute(&mut *self.0)
        .await?;
        Ok(Locked {
            id: done.last_insert_rowid(),
            position: Position::default(),
        })
    }

    async fn facts(&mut self, keys: &[StoredKey]) -> Outcome<HashMap<Vec<u8>, i64>> {
        let rows = sqlx::query(
            "SELECT key, event_id FROM facts WHERE key IN (SELECT unhex(value) FROM json_each(?))",
        )
        .bind(json(keys.iter().map(|key| hex(key)).collect::<Vec<_>>()))
        .fetch_all(&mut *self.0)
        .await?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    async fn group_sizes(&mut self, groups: &[[u8; 10]]) -> Outcome<Vec<u32>> {
        let counts = sqlx::query_scalar(
            "SELECT (SELECT count(*) FROM facts
                     WHERE facts.key BETWEEN unhex(start.value || '00000000000000000000')
                                         AND unhex(start.value || 'ffffffffffffffffffff'))
             FROM json_each(?) AS start ORDER BY start.key",
        )
        .bind(json(groups.iter().map(|g| hex(g)).collect::<Vec<_>>()))
        .fetch_all(&mut *self.0)
        .await?;
        Ok(counts)
    }

    async fn agents(&mut self, sessions: &[&str]) -> Outcome<HashMap<String, Agent>> {
        let rows = sqlx::query(
            "SELECT session_uuid, id, project_id, started_at, last_seen_at,
                    ended_at IS NOT NULL, registrations,
                    (SELECT path FROM projects WHERE projects.id = project_id)
             FROM agents WHERE session_uuid IN (SELECT value FROM json_each(?))",
        )
        .bind(json(sessions))
        .fetch_all(&mut *self.0)
        .await?;
        Ok(rows.iter().map(|row| (row.get(0), agent(row))).collect())
    }

    async fn put_project(&mut self, host: &str, path: &str, seen: &SessionSeen) -> Outcome<i64> {
        let works_there = path == seen.project_path;
        let id = sqlx::query_scalar(
            "INSERT INTO projects (host, path, name, git_remote, current_branch, created_at)
             VALUES (?, ?, ?, ?, ?, ?)
             ON CONFLICT (host, path) DO UPDATE SET
                 git_remote = coalesce(excluded.git_remote, git_remote),
                 current_branch = coalesce(excluded.current_branch, current_branch)
             RETURNING id",
        )
        .bind(host)
        .bind(path)
        .bind(project_name(path))
        .bind(seen.git_remote.as_ref().filter(|_| works_there))
        .bind(seen.git_branch.as_ref().filter(|_| works_there))
        .bind(now())
        .fetch_one(&mut *self.0)
        .await?;
        Ok(id)
    }

    async fn put_agent(
        &mut self,
        project_id: i64,
        parent: Option<i64>,
        registrations: u32,
        seen: &SessionSeen,
    ) -> Outcome<i64> {
        let done = sqlx::query(
            "INSERT INTO agents (session_uuid, project_id, parent_agent_id, transcript_path,
                                 working_directory, cli, started_at, last_seen_at,
                                 registrations)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&seen.session_uuid)
        .bind(project_id)
        .bind(parent)
        .bind(&seen.transcript_path)
        .bind(seen.working_directory())
        .bind(seen.cli)
        .bind(seen.first.to_string())
        .bind(seen.last.to_string())
        .bind(registrations)
        .execute(&mut *self.0)
        .await?;
        Ok(done.last_insert_rowid())
    }

    async fn touch_agent(&mut self, seen: &SessionSeen, reopen: bool) -> Outcome<()> {
        sqlx::query(
            "UPDATE agents SET
                 started_at = min(started_at, ?1),
                 last_seen_at = max(last_seen_at, ?2),
                 working_directory = coalesce(?3, working_directory),
                 transcript_path = coalesce(?4, transcript_path),
                 ended_at = CASE WHEN ?5 THEN NULL ELSE ended_at END,
                 end_reason = CASE WHEN ?5 THEN NULL ELSE end_reason END,
                 registrations = registrations + ?5
             WHERE session_uuid = ?6",
        )
        .bind(seen.first.to_string())
        .bind(seen.last.to_string())
        .bind(&seen.working_directory)
        .bind(&seen.transcript_path)
        .bind(i64::from(reopen))
        .bind(&seen.session_uuid)
        .execute(&mut *self.0)
        .await?;
        Ok(())
    }

    async fn end_agent(&mut self, session: &str, at: Timestamp, reason: &str) -> Outcome<()> {
        sqlx::query("UPDATE agents SET ended_at = ?, end_reason = ? WHERE session_uuid = ?")
            .bind(at.to_string())
            .bind(reason)
            .bind(session)
            .execute(&mut *self.0)
            .await?;
        Ok(())
    }

    async fn insert_events(&mut self, rows: &[EventRow]) -> Outcome<Vec<i64>> {
        let recorded_at = now();
        let mut ids = Vec::with_capacity(rows.len());
        for some in rows.chunks(ROWS_PER_INSERT) {
            let mut insert = sqlx::QueryBuilder::<Sqlite>::new(
                "INSERT INTO events (timestamp, recorded_at, project_id, agent_id, event_type,
                                     payload, event_key, observed, checkpoint_id, source_offset) ",
            );
            insert.push_values(some, |mut values, row| {
                values
                    .push_bind(row.timestamp.to_string())
                    .push_bind(&recorded_at)
                    .push_bind(row.project_id)
                    .push_bind(row.agent_id)
                    .push_bind(row.kind.as_str())
                    .push_bind(&row.payload)
                    .push_bind(row.key.as_slice())
                    .push_bind(row.observed)
                    .push_bind(row.checkpoint_id)
                    .push_bind(row.source_offset);
            });
            // Only the two usual sizes are worth keeping prepared.
            let is_usual = [1, ROWS_PER_INSERT].contains(&some.len());
            let insert = insert.build().persistent(is_usual);
            let last = insert.execute(&mut *self.0).await?.last_insert_rowid();
            // Nobody else can insert meanwhile, so the ids of one statement follow each other.
            ids.extend((last - some.len().cast_signed() as i64 + 1)..=last);
        }
        Ok(ids)
    }

    async fn insert_facts(&mut self, facts: &[(StoredKey, i64)]) -> Outcome<()> {
        let facts: Vec<_> = facts.iter().map(|(key, id)| (hex(key), id)).collect();
        sqlx::query(
            "INSERT INTO facts (key, event_id)
             SELECT unhex(value ->> 0), value ->> 1 FROM json_each(?)",
        )
        .bind(json(facts))
        .execute(&mut *self.0)
        .await?;
        Ok(())
    }

    async fn insert_rejections(&mut self, rows: &[RejectionRow<'_>]) -> Outcome<u64> {
        let mut inserted = 0;
        for row in rows {
            let done = sqlx::query(
                r#"INSERT INTO rejections (source, "offset", length, sha256, reason, excerpt, at,
                                           rejection_key)
                   VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (rejection_key) DO NOTHING"#,
            )
            .bind(row.source)
            .bind(row.offset.cast_signed())
            .bind(row.rejection.length.cast_signed())
            .bind(&row.rejection.sha256)
            .bind(&row.rejection.reason)
            .bind(&row.rejection.excerpt)
            .bind(now())
            .bind(&row.key)
            .execute(&mut *self.0)
            .await?;
            inserted += done.rows_affected();
        }
        Ok(inserted)
    }

    async fn move_checkpoint(&mut self, locked: &Locked, to: &Moved) -> Outcome<()> {
        if to.renamed {
            sqlx::query(
                "DELETE FROM checkpoints
                 WHERE path = ?1 AND id <> ?2
                   AND host = (SELECT host FROM checkpoints WHERE id = ?2)",
            )
            .bind(&to.path)
            .bind(locked.id)
            .execute(&mut *self.0)
            .await?;
        }
        sqlx::query(
            r#"UPDATE checkpoints SET path = ?, identity = ?, "offset" = ?,
                      rewrites = rewrites + ?, updated_at = ?
               WHERE id = ?"#,
        )
        .bind(&to.path)
        .bind(&to.after.identity)
        .bind(to.after.offset.cast_signed())
        .bind(i64::from(to.rewritten))
        .bind(now())
        .bind(locked.id)
        .execute(&mut *self.0)
        .await?;
        Ok(())
    }

    async fn commit(self) -> Outcome<()> {
        Ok(self.0.commit().await?)
    }
}

pub async fn checkpoints(link: &mut SqliteConnection, host: &str) -> Outcome<Vec<CheckpointRow>> {
    let rows = sqlx::query(r#"SELECT path, identity, "offset" FROM checkpoints WHERE host = ?"#)
        .bind(host)
        .fetch_all(link)
        .await?;
    Ok(rows
        .iter()
        .map(|row| CheckpointRow {
            path: row.get(0),
            position: position(row, 1),
        })
        .collect())
}

pub async fn checkpoint(link: &mut SqliteConnection, host: &str, path: &str) -> Outcome<Position> {
    let row =
        sqlx::query(r#"SELECT identity, "offset" FROM checkpoints WHERE host = ? AND path = ?"#)
            .bind(host)
            .bind(path)
            .fetch_optional(link)
            .await?;
    Ok(row.map(|row| position(&row, 0)).unwrap_or_default())
}

pub async fn open_sessions(link: &mut SqliteConnection, host: &str) -> Outcome<Vec<OpenSession>> {
    let rows = sqlx::query(
        "SELECT session_uuid, transcript_path FROM agents
         JOIN projects ON projects.id = project_id WHERE host = ? AND ended_at IS NULL",
    )
    .bind(host)
    .fetch_all(link)
    .await?;
    Ok(rows
        .iter()
        .map(|row| OpenSession {
            session_uuid: row.get(0),
            transcript_path: row.get(1),
        })
        .collect())
}

pub async fn beat(link: &mut SqliteConnection, host: &str, beat: &Beat) -> Outcome<()> {
    sqlx::query(
        "INSERT INTO watchers (host, state_dir, pid, version, started_at, beat_at, last_write_at,
             events_written, duplicates, failed_writes, retries, rejected, bytes_behind, sessions,
             state, reason)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (host, state_dir) DO UPDATE SET
             pid = excluded.pid, version = excluded.version, started_at = excluded.started_at,
             beat_at = excluded.beat_at,
             last_write_at = coalesce(excluded.last_write_at, last_write_at),
             events_written = excluded.events_written, duplicates = excluded.duplicates,
             failed_writes = excluded.failed_writes, retries = excluded.retries,
             rejected = excluded.rejected, bytes_behind = excluded.bytes_behind,
             sessions = excluded.sessions, state = excluded.state, reason = excluded.reason",
    )
    .bind(host)
    .bind(&beat.state_dir)
    .bind(beat.pid)
    .bind(beat.version)
    .bind(beat.started_at.to_string())
    .bind(now())
    .bind(beat.last_write_at.map(|at| at.to_string()))
    .bind(beat.events_written.cast_signed())
    .bind(beat.duplicates.cast_signed())
    .bind(beat.failed_writes.cast_signed())
    .bind(beat.retries.cast_signed())
    .bind(beat.rejected.cast_signed())
    .bind(beat.bytes_behind.cast_signed())
    .bind(beat.sessions.cast_signed())
    .bind(beat.state)
    .bind(&beat.reason)
    .execute(link)
    .await?;
    Ok(())
}

fn position(row: &SqliteRow, from: usize) -> Position {
    Position {
        identity: row.get(from),
        offset: row.get::<i64, _>(from + 1).cast_unsigned(),
    }
}

fn agent(row: &SqliteRow) -> Agent {
    let time = |column| Timestamp::parse(row.get(column)).unwrap_or(Timestamp::UNIX_EPOCH);
    Agent {
        id: row.get(1),
        project_id: row.get(2),
        started_at: time(3),
        last_seen_at: time(4),
        ended: row.get(5),
        registrations: row.get(6),
        project_path: row.get(7),
    }
}

fn json(list: impl serde::Serialize) -> String {
    serde_json::to_string(&list).expect("keys and ids are plain JSON")
}

fn now() -> String {
    Timestamp::now().to_string()
}
