//! The pieces of a file that is gone, one by one, for the writer's own machine.

use sqlx::{PgConnection, SqliteConnection};

use crate::archive::{PIECE_BYTES, Piece};

use super::super::append::Outcome;

/// The piece of what stands there now that holds the byte at `at`, or else the next one.
const PIECE: &str = r#"
SELECT a."offset", length, content FROM archive a JOIN checkpoints c ON c.id = checkpoint_id
WHERE host = $1 AND path = $2 AND generation = rewrites
  AND a."offset" > $3 AND a."offset" + length > $4
ORDER BY a."offset" LIMIT 1"#;

/// The same in both databases.
macro_rules! piece {
    ($link:ident, $host:ident, $path:ident, $at:ident) => {{
        let at = $at.cast_signed();
        let asked = sqlx::query_as::<_, (i64, i64, Vec<u8>)>(PIECE)
            .bind($host)
            .bind($path)
            .bind(at - PIECE_BYTES as i64)
            .bind(at);
        let row = asked.fetch_optional($link).await?;
        Ok(row.map(|(offset, length, content)| Piece {
            offset: offset.cast_unsigned(),
            length: length.cast_unsigned(),
            content,
        }))
    }};
}

pub async fn sqlite(
    link: &mut SqliteConnection,
    host: &str,
    path: &str,
    at: u64,
) -> Outcome<Option<Piece>> {
    piece!(link, host, path, at)
}

pub async fn postgres(
    link: &mut PgConnection,
    host: &str,
    path: &str,
    at: u64,
) -> Outcome<Option<Piece>> {
    piece!(link, host, path, at)
}
