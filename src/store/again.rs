//! Files that are to be read once more, from their start: all the SQL.

use sqlx::{PgConnection, SqliteConnection, types::Json};

use crate::tail::Position;

use super::{
    append::Outcome,
    segment::{CheckpointRow, READING},
};

/// What another writer moved meanwhile stays.
const SQLITE: &str = r#"
UPDATE checkpoints SET known_until = max(known_until, "offset"), "offset" = 0, identity = '',
                       reading = ?3
WHERE host = ?1 AND reading < ?3 AND (path, identity, "offset") IN (
    SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?2))"#;

const POSTGRES: &str = r#"
UPDATE checkpoints SET known_until = greatest(known_until, "offset"), "offset" = 0, identity = '',
                       reading = $3
WHERE host = $1 AND reading < $3 AND (path, identity, "offset") IN (
    SELECT value ->> 0, value ->> 1, (value ->> 2)::bigint FROM jsonb_array_elements($2))"#;

pub async fn sqlite(
    link: &mut SqliteConnection,
    host: &str,
    rows: &[CheckpointRow],
) -> Outcome<()> {
    let again = sqlx::query(SQLITE).bind(host).bind(Json(places(rows)));
    again.bind(READING).execute(link).await?;
    Ok(())
}

pub async fn postgres(link: &mut PgConnection, host: &str, rows: &[CheckpointRow]) -> Outcome<()> {
    let again = sqlx::query(POSTGRES).bind(host).bind(Json(places(rows)));
    again.bind(READING).execute(link).await?;
    Ok(())
}

fn places(rows: &[CheckpointRow]) -> Vec<(&str, &str, u64)> {
    let rows = rows.iter();
    rows.map(|row| {
        let Position { identity, offset } = &row.position;
        (row.path.as_str(), identity.as_str(), *offset)
    })
    .collect()
}
