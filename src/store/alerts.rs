//! Which alerts were sent: all the SQL that writes it.
//!
//! Each statement commits by itself, and before what it says is done.

use serde::Serialize;
use sqlx::{PgConnection, SqliteConnection, types::Json};

use crate::event::Timestamp;

use super::append::Outcome;

/// An alert that is about to be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewAlert {
    pub agent_id: i64,
    pub kind: String,
    /// In the fixed width form.
    pub opened_at: String,
    pub way: &'static str,
    pub repeat: bool,
    pub message: String,
    pub sent_at: String,
}

/// Of a new alert the part that tells it from the others of its message.
pub type AlertKey = (i64, String, bool);

const TELL_SQLITE: &str = "
INSERT INTO alerts (agent_id, kind, opened_at, way, repeat, message, sent_at)
SELECT value ->> 'agent_id', value ->> 'kind', value ->> 'opened_at', value ->> 'way',
       value ->> 'repeat', value ->> 'message', value ->> 'sent_at'
FROM json_each(?1) WHERE true
ON CONFLICT DO NOTHING
RETURNING agent_id, kind, repeat";

const TELL_POSTGRES: &str = "
INSERT INTO alerts (agent_id, kind, opened_at, way, repeat, message, sent_at)
SELECT agent_id, kind, opened_at, way, repeat, message, sent_at
FROM jsonb_to_recordset($1) AS row (agent_id bigint, kind text, opened_at timestamptz,
     way text, repeat boolean, message text, sent_at timestamptz)
ON CONFLICT DO NOTHING
RETURNING agent_id, kind, repeat";

const WITHDRAW_SQLITE: &str =
    "UPDATE alerts SET withdrawn_at = $2 WHERE message = $1 AND withdrawn_at IS NULL";

const WITHDRAW_POSTGRES: &str =
    "UPDATE alerts SET withdrawn_at = $2::timestamptz WHERE message = $1 AND withdrawn_at IS NULL";

const KEEP_RECEIPT: &str = "UPDATE alerts SET receipt = $2 WHERE message = $1 AND receipt IS NULL";

pub async fn tell_sqlite(
    link: &mut SqliteConnection,
    alerts: &[NewAlert],
) -> Outcome<Vec<AlertKey>> {
    let rows = sqlx::query_as(TELL_SQLITE).bind(Json(alerts));
    Ok(rows.fetch_all(link).await?)
}

pub async fn tell_postgres(link: &mut PgConnection, alerts: &[NewAlert]) -> Outcome<Vec<AlertKey>> {
    let rows = sqlx::query_as(TELL_POSTGRES).bind(Json(alerts));
    Ok(rows.fetch_all(link).await?)
}

pub async fn withdraw_sqlite(
    link: &mut SqliteConnection,
    message: &str,
    at: Timestamp,
) -> Outcome<bool> {
    let done = sqlx::query(WITHDRAW_SQLITE)
        .bind(message)
        .bind(at.to_string());
    Ok(done.execute(link).await?.rows_affected() > 0)
}

pub async fn withdraw_postgres(
    link: &mut PgConnection,
    message: &str,
    at: Timestamp,
) -> Outcome<bool> {
    let done = sqlx::query(WITHDRAW_POSTGRES)
        .bind(message)
        .bind(at.to_string());
    Ok(done.execute(link).await?.rows_affected() > 0)
}

pub async fn keep_receipt_sqlite(
    link: &mut SqliteConnection,
    message: &str,
    receipt: &str,
) -> Outcome<()> {
    let done = sqlx::query(KEEP_RECEIPT).bind(message).bind(receipt);
    done.execute(link).await?;
    Ok(())
}

pub async fn keep_receipt_postgres(
    link: &mut PgConnection,
    message: &str,
    receipt: &str,
) -> Outcome<()> {
    let done = sqlx::query(KEEP_RECEIPT).bind(message).bind(receipt);
    done.execute(link).await?;
    Ok(())
}
