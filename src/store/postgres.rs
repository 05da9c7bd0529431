//! PostgreSQL: all the writing SQL.
//!
//! The checkpoint's row is locked first. Whoever comes second waits there and
//! then sees the truth, so an answer to COMMIT may be lost without harm.

use std::collections::HashMap;

use sqlx::{PgConnection, Postgres, Row, postgres::PgRow};

use crate::{
    derive::Agent,
    event::{SessionSeen, Timestamp, project_name},
    tail::Position,
};

use super::{
    append::{EventRow, Locked, Moved, Outcome, RejectionRow, StoredKey, Transaction},
    segment::{Beat, CheckpointRow, OpenSession},
};

pub struct PostgresTransaction<'c>(sqlx::Transaction<'c, Postgres>);

impl<'c> PostgresTransaction<'c> {
    pub async fn begin(connection: &'c mut PgConnection) -> Outcome<Self> {
        Ok(Self(sqlx::Connection::begin(connection).await?))
    }
}

impl Transaction for PostgresTransaction<'_> {
    async fn lock_checkpoint(&mut self, host: &str, path: &str) -> Outcome<Locked> {
        sqlx::query(
            r#"INSERT INTO checkpoints (host, path, identity, "offset", updated_at)
               SELECT $1, $2, '', 0, clock_timestamp()
               WHERE NOT EXISTS (SELECT FROM checkpoints WHERE host = $1 AND path = $2)
               ON CONFLICT (host, path) DO NOTHING"#,
        )
        .bind(host)
        .bind(path)
        .execute(&mut *self.0)
        .await?;
        let row = sqlx::query(
            r#"SELECT id, identity, "offset" FROM checkpoints WHERE host = $1 AND path = $2
               FOR UPDATE"#,
        )
        .bind(host)
        .bind(path)
        .fetch_one(&mut *self.0)
        .await?;
        Ok(Locked {
            id: row.get(0),
            position: position(&row, 1),
        })
    }

    async fn facts(&mut self, keys: &[StoredKey]) -> Outcome<HashMap<Vec<u8>, i64>> {
        let keys: Vec<&[u8]> = keys.iter().map(|key| key.as_slice()).collect();
        let rows = sqlx::query("SELECT key, event_id FROM facts WHERE key = ANY($1)")
            .bind(keys)
            .fetch_all(&mut *self.0)
            .await?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    async fn group_sizes(&mut self, groups: &[[u8; 10]]) -> Outcome<Vec<u32>> {
        let groups: Vec<&[u8]> = groups.iter().map(|group| group.as_slice()).collect();
        let counts: Vec<i64> = sqlx::query_scalar(
            r#"SELECT (SELECT count(*) FROM facts
                       WHERE key BETWEEN start || '\x00000000000000000000'::bytea
                                     AND start || '\xffffffffffffffffffff'::bytea)
               FROM unnest($1::bytea[]) WITH ORDINALITY AS asked (start, n) ORDER BY n"#,
        )
        .bind(groups)
        .fetch_all(&mut *self.0)
        .await?;
        Ok(counts
            .into_iter()
            .map(|count| u32::try_from(count).unwrap_or(u32::MAX))
            .collect())
    }

    async fn agents(&mut self, sessions: &[&str]) -> Outcome<HashMap<String, Agent>> {
        let rows = sqlx::query(
            "SELECT session_uuid, id, project_id,
                    (extract(epoch FROM started_at) * 1000000)::bigint,
                    (extract(epoch FROM last_seen_at) * 1000000)::bigint,
                    ended_at IS NOT NULL, registrations,
                    (SELECT path FROM projects WHERE projects.id = project_id)
             FROM agents WHERE session_uuid = ANY($1)",
        )
        .bind(sessions)
        .fetch_all(&mut *self.0)
        .await?;
        Ok(rows.iter().map(|row| (row.get(0), agent(row))).collect())
    }

    async fn put_project(&mut self, host: &str, path: &str, seen: &SessionSeen) -> Outcome<i64> {
        let works_there = path == seen.project_path;
        let id = sqlx::query_scalar(
            "INSERT INTO projects AS p (host, path, name, git_remote, current_branch, created_at)
             VALUES ($1, $2, $3, $4, $5, clock_timestamp())
             ON CONFLICT (host, path) DO UPDATE SET
                 git_remote = coalesce(excluded.git_remote, p.git_remote),
                 current_branch = coalesce(excluded.current_branch, p.current_branch)
             RETURNING id",
        )
        .bind(host)
        .bind(path)
        .bind(project_name(path))
        .bind(seen.git_remote.as_ref().filter(|_| works_there))
        .bind(seen.git_branch.as_ref().filter(|_| works_there))
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
        let id = sqlx::query_scalar(
            "INSERT INTO agents (session_uuid, project_id, parent_agent_id, transcript_path,
                                 working_directory, cli, started_at, last_seen_at,
                                 registrations)
             VALUES ($1, $2, $3, $4, $5, $6, $7::timestamptz, $8::timestamptz, $9)
             RETURNING id",
        )
        .bind(&seen.session_uuid)
        .bind(project_id)
        .bind(parent)
        .bind(&seen.transcript_path)
        .bind(seen.working_directory())
        .bind(seen.cli)
        .bind(seen.first.to_string())
        .bind(seen.last.to_string())
        .bind(i64::from(registrations))
        .fetch_one(&mut *self.0)
        .await?;
        Ok(id)
    }

    async fn touch_agent(&mut self, seen: &SessionSeen, reopen: bool) -> Outcome<()> {
        sqlx::query(
            "UPDATE agents SET
                 started_at = least(started_at, $1::timestamptz),
                 last_seen_at = greatest(last_seen_at, $2::timestamptz),
                 working_directory = coalesce($3, working_directory),
                 transcript_path = coalesce($4, transcript_path),
                 ended_at = CASE WHEN $5 THEN NULL ELSE ended_at END,
                 end_reason = CASE WHEN $5 THEN NULL ELSE end_reason END,
                 registrations = registrations + CASE WHEN $5 THEN 1 ELSE 0 END
             WHERE session_uuid = $6",
        )
        .bind(seen.first.to_string())
        .bind(seen.last.to_string())
        .bind(&seen.working_directory)
        .bind(&seen.transcript_path)
        .bind(reopen)
        .bind(&seen.session_uuid)
        .execute(&mut *self.0)
        .await?;
        Ok(())
    }

    async fn end_agent(&mut self, session: &str, at: Timestamp, reason: &str) -> Outcome<()> {
        sqlx::query(
            "UPDATE agents SET ended_at = $1::timestamptz, end_reason = $2 WHERE session_uuid = $3",
        )
        .bind(at.to_string())
        .bind(reason)
        .bind(session)
        .execute(&mut *self.0)
        .await?;
        Ok(())
    }

    async fn insert_events(&mut self, rows: &[EventRow]) -> Outcome<Vec<i64>> {
        let count = i32::try_from(rows.len()).unwrap_or(i32::MAX);
        let mut ids: Vec<i64> =
            sqlx::query_scalar("SELECT next_event_id() FROM generate_series(1, $1)")
                .bind(count)
                .fetch_all(&mut *self.0)
                .await?;
        ids.sort_unstable();
        let column = |value: fn(&EventRow) -> String| rows.iter().map(value).collect::<Vec<_>>();
        let ids_of =
            |value: fn(&EventRow) -> Option<i64>| rows.iter().map(value).collect::<Vec<_>>();
        sqlx::query(
            "INSERT INTO events (id, timestamp, recorded_at, event_type, payload, event_key,
                                 project_id, agent_id, checkpoint_id, source_offset, observed)
             SELECT id, at::timestamptz, clock_timestamp(), kind, payload::jsonb, key,
                    project_id, agent_id, checkpoint_id, source_offset, observed
             FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::bytea[],
                         $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::boolean[])
                  AS row (id, at, kind, payload, key, project_id, agent_id, checkpoint_id,
                          source_offset, observed)",
        )
        .bind(&ids)
        .bind(column(|row| row.timestamp.to_string()))
        .bind(column(|row| row.kind.as_str().to_owned()))
        .bind(
            rows.iter()
                .map(|row| row.payload.as_str())
                .collect::<Vec<_>>(),
        )
        .bind(
            rows.iter()
                .map(|row| row.key.as_slice())
                .collect::<Vec<_>>(),
        )
        .bind(ids_of(|row| row.project_id))
        .bind(ids_of(|row| row.agent_id))
        .bind(ids_of(|row| row.checkpoint_id))
        .bind(ids_of(|row| row.source_offset))
        .bind(rows.iter().map(|row| row.observed).collect::<Vec<_>>())
        .execute(&mut *self.0)
        .await?;
        Ok(ids)
    }

    async fn insert_facts(&mut self, facts: &[(StoredKey, i64)]) -> Outcome<()> {
        let rows = facts.iter().map(|(key, id)| (key.as_slice(), *id));
        let (keys, ids): (Vec<&[u8]>, Vec<i64>) = rows.unzip();
        sqlx::query(
            "INSERT INTO facts (key, event_id) SELECT * FROM unnest($1::bytea[], $2::bigint[])",
        )
        .bind(keys)
        .bind(ids)
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
                   VALUES ($1, $2, $3, $4, $5, $6, clock_timestamp(), $7)
                   ON CONFLICT (rejection_key) DO NOTHING"#,
            )
            .bind(row.source)
            .bind(row.offset.cast_signed())
            .bind(row.rejection.length.cast_signed())
            .bind(&row.rejection.sha256)
            .bind(&row.rejection.reason)
            .bind(&row.rejection.excerpt)
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
                 WHERE path = $1 AND id <> $2
                   AND host = (SELECT host FROM checkpoints WHERE id = $2)",
            )
            .bind(&to.path)
            .bind(locked.id)
            .execute(&mut *self.0)
            .await?;
        }
        sqlx::query(
            r#"UPDATE checkpoints SET path = $1, identity = $2, "offset" = $3,
                      rewrites = rewrites + $4, updated_at = clock_timestamp()
               WHERE id = $5"#,
        )
        .bind(&to.path)
        .bind(&to.after.identity)
        .bind(to.after.offset.cast_signed())
        .bind(i64::from(to.rewritten))
        .bind(locked.id)
        .execute(&mut *self.0)
        .await?;
        Ok(())
    }

    async fn commit(mut self) -> Outcome<()> {
        // Part of the transaction: readers hear of it when it is visible. It
        // carries no data and may be lost.
        sqlx::query("SELECT pg_notify('headspace_events', '')")
            .execute(&mut *self.0)
            .await?;
        Ok(self.0.commit().await?)
    }
}

pub async fn checkpoints(link: &mut PgConnection, host: &str) -> Outcome<Vec<CheckpointRow>> {
    let rows = sqlx::query(r#"SELECT path, identity, "offset" FROM checkpoints WHERE host = $1"#)
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

pub async fn checkpoint(link: &mut PgConnection, host: &str, path: &str) -> Outcome<Position> {
    let row =
        sqlx::query(r#"SELECT identity, "offset" FROM checkpoints WHERE host = $1 AND path = $2"#)
            .bind(host)
            .bind(path)
            .fetch_optional(link)
            .await?;
    Ok(row.map(|row| position(&row, 0)).unwrap_or_default())
}

pub async fn open_sessions(link: &mut PgConnection, host: &str) -> Outcome<Vec<OpenSession>> {
    let rows = sqlx::query(
        "SELECT session_uuid, transcript_path FROM agents
         JOIN projects ON projects.id = project_id WHERE host = $1 AND ended_at IS NULL",
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

pub async fn beat(link: &mut PgConnection, host: &str, beat: &Beat) -> Outcome<()> {
    sqlx::query(
        "INSERT INTO watchers AS w (host, state_dir, pid, version, started_at, beat_at,
             last_write_at, events_written, duplicates, failed_writes, retries, rejected,
             bytes_behind, sessions, state, reason)
         VALUES ($1, $2, $3, $4, $5::timestamptz, clock_timestamp(), $6::timestamptz,
                 $7, $8, $9, $10, $11, $12, $13, $14, $15)
         ON CONFLICT (host, state_dir) DO UPDATE SET
             pid = excluded.pid, version = excluded.version, started_at = excluded.started_at,
             beat_at = excluded.beat_at,
             last_write_at = coalesce(excluded.last_write_at, w.last_write_at),
             events_written = excluded.events_written, duplicates = excluded.duplicates,
             failed_writes = excluded.failed_writes, retries = excluded.retries,
             rejected = excluded.rejected, bytes_behind = excluded.bytes_behind,
             sessions = excluded.sessions, state = excluded.state, reason = excluded.reason",
    )
    .bind(host)
    .bind(&beat.state_dir)
    .bind(i64::from(beat.pid))
    .bind(beat.version)
    .bind(beat.started_at.to_string())
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

fn position(row: &PgRow, from: usize) -> Position {
    Position {
        identity: row.get(from),
        offset: row.get::<i64, _>(from + 1).cast_unsigned(),
    }
}

fn agent(row: &PgRow) -> Agent {
    Agent {
        id: row.get(1),
        project_id: row.get(2),
        started_at: Timestamp::from_micros(row.get(3)),
        last_seen_at: Timestamp::from_micros(row.get(4)),
        ended: row.get(5),
        registrations: u32::try_from(row.get::<i64, _>(6)).unwrap_or(u32::MAX),
        project_path: row.get(7),
    }
}
