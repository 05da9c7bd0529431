//! What is read and written beside the transactions that store events.

use sqlx::{PgConnection, Row, types::Json};

use crate::tail::Position;

use super::{
    super::{
        append::{Outcome, Transaction},
        correction::Correction,
        segment::{CheckpointRow, OpenSession, READING, WatcherBeat},
    },
    PostgresTransaction, position,
    statements::put_commands,
};

/// An agent's rows in one statement, as one JSON object.
const CORRECT: &str = concat!(
    "
WITH agent AS (
    UPDATE agents SET state = $1 ->> 'state', needs = $1 ->> 'needs', asks = $1 ->> 'asks',
        since = ($1 ->> 'since')::timestamptz, background = ($1 ->> 'background')::bigint,
        unseen = ($1 ->> 'unseen')::boolean, last_words = $1 ->> 'last_words',
        viewed_at = ($1 ->> 'viewed_at')::timestamptz,
        snoozed_until = ($1 ->> 'snoozed_until')::timestamptz,
        ended_at = ($1 ->> 'ended_at')::timestamptz, end_reason = $1 ->> 'end_reason'
    WHERE id = $2
), some_commands AS (
",
    put_commands!(
        "jsonb_to_recordset($3) AS row (
        id bigint, agent_id bigint, state text, origin text, outcome text,
        started_at timestamptz, completed_at timestamptz)"
    ),
    "
), some_turns AS (
    INSERT INTO turns (id, command_id, actor, intent, text, timestamp, message_id, event_id)
    SELECT id, command_id, actor, intent, text, timestamp, message_id, event_id
    FROM jsonb_to_recordset($4) AS row (
        id bigint, command_id bigint, actor text, intent text, text text,
        timestamp timestamptz, message_id text, event_id bigint)
    ON CONFLICT (id) DO UPDATE SET
        command_id = excluded.command_id, actor = excluded.actor, intent = excluded.intent,
        text = excluded.text, timestamp = excluded.timestamp,
        message_id = excluded.message_id, event_id = excluded.event_id
), gone_turns AS (
    DELETE FROM turns WHERE id = ANY($5)
)
DELETE FROM commands WHERE id = ANY($6)"
);

pub async fn correct(link: &mut PgConnection, corrections: &[Correction]) -> Outcome<()> {
    let mut tx = PostgresTransaction::begin(link).await?;
    for one in corrections {
        sqlx::query(CORRECT)
            .bind(Json(&one.shown))
            .bind(one.agent_id)
            .bind(Json(&one.commands))
            .bind(Json(&one.turns))
            .bind(&one.extra_turns)
            .bind(&one.extra_commands)
            .execute(&mut *tx.0)
            .await?;
    }
    tx.commit().await
}

pub async fn checkpoints(link: &mut PgConnection, host: &str) -> Outcome<Vec<CheckpointRow>> {
    let rows = sqlx::query(
        r#"SELECT path, identity, "offset",
                  "offset" > 0 AND reading < $2 OR "offset" < known_until, known_until
           FROM checkpoints WHERE host = $1"#,
    )
    .bind(host)
    .bind(READING)
    .fetch_all(link)
    .await?;
    Ok(rows
        .iter()
        .map(|row| CheckpointRow {
            path: row.get(0),
            position: position(row, 1),
            is_outdated: row.get(3),
            known_until: row.get::<i64, _>(4).cast_unsigned(),
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
    let sessions = sqlx::query_as(
        "SELECT session_uuid, transcript_path, EXISTS (
             SELECT 1 FROM commands c WHERE c.agent_id = a.id AND c.state = 'idle') AS is_quiet,
                open_facts -> 'processes' AS processes
         FROM agents a JOIN projects ON projects.id = project_id
         WHERE host = $1 AND ended_at IS NULL",
    );
    Ok(sessions.bind(host).fetch_all(link).await?)
}

pub async fn registered_sessions(link: &mut PgConnection, host: &str) -> Outcome<Vec<String>> {
    let sessions = sqlx::query_scalar(
        "SELECT session_uuid FROM agents
         JOIN projects ON projects.id = project_id WHERE host = $1 AND registered",
    );
    Ok(sessions.bind(host).fetch_all(link).await?)
}

pub async fn beat(link: &mut PgConnection, host: &str, beat: &WatcherBeat) -> Outcome<()> {
    sqlx::query(
        "INSERT INTO watchers AS w (host, state_dir, pid, version, started_at, beat_at,
             last_write_at, state, reason, counters)
         VALUES ($1, $2, $3, $4, $5::timestamptz, clock_timestamp(), $6::timestamptz,
                 $7, $8, $9::jsonb)
         ON CONFLICT (host, state_dir) DO UPDATE SET
             pid = excluded.pid, version = excluded.version, started_at = excluded.started_at,
             beat_at = excluded.beat_at,
             last_write_at = coalesce(excluded.last_write_at, w.last_write_at),
             state = excluded.state, reason = excluded.reason, counters = excluded.counters",
    )
    .bind(host)
    .bind(&beat.state_dir)
    .bind(i64::from(beat.pid))
    .bind(beat.version)
    .bind(beat.started_at.to_string())
    .bind(beat.last_write_at.map(|at| at.to_string()))
    .bind(beat.state)
    .bind(&beat.reason)
    .bind(beat.counters.json())
    .execute(link)
    .await?;
    Ok(())
}
