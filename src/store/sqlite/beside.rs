//! What is read and written beside the transactions that store events.

use sqlx::{Row, SqliteConnection, types::Json};

use crate::tail::Position;

use super::{
    super::{
        append::{Outcome, Transaction},
        correction::Correction,
        segment::{CheckpointRow, OpenSession, READING, WatcherBeat},
    },
    SqliteTransaction, now, position,
    statements::COMMANDS,
};

const CORRECTED_AGENT: &str = "
UPDATE agents SET state = ?1 ->> 'state', needs = ?1 ->> 'needs', asks = ?1 ->> 'asks',
    since = ?1 ->> 'since', background = ?1 ->> 'background', unseen = ?1 ->> 'unseen',
    last_words = ?1 ->> 'last_words', viewed_at = ?1 ->> 'viewed_at',
    snoozed_until = ?1 ->> 'snoozed_until', ended_at = ?1 ->> 'ended_at',
    end_reason = ?1 ->> 'end_reason'
WHERE id = ?2";

const CORRECTED_TURNS: &str = "
INSERT INTO turns (id, command_id, actor, intent, text, timestamp, message_id, event_id)
SELECT value ->> 'id', value ->> 'command_id', value ->> 'actor', value ->> 'intent',
       value ->> 'text', value ->> 'timestamp', value ->> 'message_id', value ->> 'event_id'
FROM json_each(?1) WHERE true
ON CONFLICT (id) DO UPDATE SET
    command_id = excluded.command_id, actor = excluded.actor, intent = excluded.intent,
    text = excluded.text, timestamp = excluded.timestamp, message_id = excluded.message_id,
    event_id = excluded.event_id";

pub async fn correct(link: &mut SqliteConnection, corrections: &[Correction]) -> Outcome<()> {
    let mut tx = SqliteTransaction::begin(link).await?;
    for one in corrections {
        let agent = sqlx::query(CORRECTED_AGENT).bind(Json(&one.shown));
        agent.bind(one.agent_id).execute(&mut *tx.0).await?;
        tx.put(COMMANDS, &one.commands).await?;
        tx.put(CORRECTED_TURNS, &one.turns).await?;
        let gone = "DELETE FROM turns WHERE id IN (SELECT value FROM json_each(?1))";
        tx.put(gone, &one.extra_turns).await?;
        let gone = "DELETE FROM commands WHERE id IN (SELECT value FROM json_each(?1))";
        tx.put(gone, &one.extra_commands).await?;
    }
    tx.commit().await
}

pub async fn checkpoints(link: &mut SqliteConnection, host: &str) -> Outcome<Vec<CheckpointRow>> {
    let rows = sqlx::query(
        r#"SELECT path, identity, "offset",
                  "offset" > 0 AND reading < ?2 OR "offset" < known_until, known_until
           FROM checkpoints WHERE host = ?1"#,
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
    let sessions = sqlx::query_as(
        "SELECT session_uuid, transcript_path, EXISTS (
             SELECT 1 FROM commands c WHERE c.agent_id = a.id AND c.state = 'idle') AS is_quiet,
                json_extract(open_facts, '$.processes') AS processes
         FROM agents a JOIN projects ON projects.id = project_id
         WHERE host = ? AND ended_at IS NULL",
    );
    Ok(sessions.bind(host).fetch_all(link).await?)
}

pub async fn registered_sessions(link: &mut SqliteConnection, host: &str) -> Outcome<Vec<String>> {
    let sessions = sqlx::query_scalar(
        "SELECT session_uuid FROM agents
         JOIN projects ON projects.id = project_id WHERE host = ? AND registered",
    );
    Ok(sessions.bind(host).fetch_all(link).await?)
}

pub async fn beat(link: &mut SqliteConnection, host: &str, beat: &WatcherBeat) -> Outcome<()> {
    sqlx::query(
        "INSERT INTO watchers (host, state_dir, pid, version, started_at, beat_at, last_write_at,
             state, reason, counters)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (host, state_dir) DO UPDATE SET
             pid = excluded.pid, version = excluded.version, started_at = excluded.started_at,
             beat_at = excluded.beat_at,
             last_write_at = coalesce(excluded.last_write_at, last_write_at),
             state = excluded.state, reason = excluded.reason, counters = excluded.counters",
    )
    .bind(host)
    .bind(&beat.state_dir)
    .bind(beat.pid)
    .bind(beat.version)
    .bind(beat.started_at.to_string())
    .bind(now())
    .bind(beat.last_write_at.map(|at| at.to_string()))
    .bind(beat.state)
    .bind(&beat.reason)
    .bind(beat.counters.json())
    .execute(link)
    .await?;
    Ok(())
}
