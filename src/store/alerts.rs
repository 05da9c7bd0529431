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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Database, Writer, read::server};

    fn alert(repeat: bool, message: &str) -> NewAlert {
        let at = "2026-11-30T12:00:00.000000Z".to_owned();
        NewAlert {
            agent_id: 1,
            kind: "permission".to_owned(),
            opened_at: at.clone(),
            way: "command",
            repeat,
            message: message.to_owned(),
            sent_at: at,
        }
    }

    /// Two programs that tell of the same wait in the same moment.
    async fn each_is_told_and_withdrawn_by_one_alone(database: Database) {
        let writer = || Writer::new(database.clone(), "here".to_owned());
        let (mut one, mut two) = (writer(), writer());
        let key = |repeat| (1, "permission".to_owned(), repeat);
        assert_eq!(one.tell(&[alert(false, "m1")]).await.unwrap(), [key(false)]);
        let both = [alert(false, "m2"), alert(true, "m2")];
        assert_eq!(two.tell(&both).await.unwrap(), [key(true)]);
        assert_eq!(one.tell(&both).await.unwrap(), []);
        let now = Timestamp::now();
        assert!(one.withdraw("m1", now).await.unwrap());
        assert!(!two.withdraw("m1", now).await.unwrap());
        assert!(two.withdraw("m2", now).await.unwrap());
        two.keep_receipt("m1", "7").await.unwrap();
        one.close().await;
        two.close().await;
    }

    const AGENT: &str = "INSERT INTO projects (id, host, path, name, created_at) \
         VALUES (1, 'here', '/p', 'p', '2026-11-30T12:00:00.000000Z'); \
         INSERT INTO agents (id, session_uuid, project_id, working_directory, cli, started_at, last_seen_at) \
         VALUES (1, 'u', 1, '/p', 'claude', '2026-11-30T12:00:00.000000Z', '2026-11-30T12:00:00.000000Z')";

    #[tokio::test]
    async fn on_sqlite_an_alert_is_of_one_program_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log.db");
        let mut link = crate::store::new_sqlite(&path).await;
        sqlx::raw_sql(AGENT).execute(&mut link).await.unwrap();
        each_is_told_and_withdrawn_by_one_alone(Database::Sqlite(path)).await;
        let receipts: Vec<Option<String>> =
            sqlx::query_scalar("SELECT receipt FROM alerts ORDER BY repeat")
                .fetch_all(&mut link)
                .await
                .unwrap();
        assert_eq!(receipts, [Some("7".to_owned()), None]);
    }

    #[tokio::test]
    async fn on_postgres_an_alert_is_of_one_program_alone() {
        let server = tokio::task::spawn_blocking(server::Database::create)
            .await
            .unwrap();
        let database = Database::Postgres(server.url());
        let mut first = Writer::new(database.clone(), "here".to_owned());
        first.ensure_link().await.unwrap();
        first.close().await;
        server.sql(AGENT);
        each_is_told_and_withdrawn_by_one_alone(database).await;
    }
}
