//! Small pieces of the archive become larger ones: what comes line by line packs badly.
//!
//! One run of pieces at a time, in a transaction of its own: the bytes are there as
//! they were, or in one piece, and nothing between.

use sqlx::{Connection, PgConnection, SqliteConnection};

use crate::archive::{Extent, PIECE_BYTES, Packer, Piece, mergeable, unpack};

use super::super::{append::Outcome, failure::Failure};

/// Files of this host with neighbours that fit one piece.
const SCATTERED: &str = r#"
SELECT DISTINCT path FROM checkpoints JOIN (
    SELECT checkpoint_id, "offset" AS first, "offset" + length AS middle,
           lead("offset") OVER w AS next, lead("offset" + length) OVER w AS last
    FROM archive WINDOW w AS (PARTITION BY checkpoint_id, generation ORDER BY "offset")
) AS pair ON checkpoint_id = id
WHERE host = $1 AND next <= middle AND last - first <= $2"#;

const EXTENTS: &str = r#"
SELECT checkpoint_id, generation, a."offset", length
FROM archive a JOIN checkpoints ON id = checkpoint_id
WHERE host = $1 AND path = $2 ORDER BY generation, a."offset""#;

const PIECES: &str = r#"
SELECT "offset", length, content FROM archive
WHERE checkpoint_id = $1 AND generation = $2 AND "offset" BETWEEN $3 AND $4 ORDER BY "offset""#;

const REMOVE: &str = r#"
DELETE FROM archive
WHERE checkpoint_id = $1 AND generation = $2 AND "offset" BETWEEN $3 AND $4"#;

const INSERT: &str = r#"
INSERT INTO archive (checkpoint_id, generation, "offset", length, content)
VALUES ($1, $2, $3, $4, $5)"#;

type ExtentRow = (i64, i64, i64, i64);
type PieceRow = (i64, i64, Vec<u8>);

/// Pieces of one generation of a file that are to be one.
struct Run {
    checkpoint_id: i64,
    generation: i64,
    extents: Vec<Extent>,
}

macro_rules! of_run {
    ($query:expr, $run:ident) => {
        $query
            .bind($run.checkpoint_id)
            .bind($run.generation)
            .bind($run.first())
            .bind($run.last())
    };
}
/// The same statements in both databases, once the transaction has begun.
macro_rules! merge {
    ($tx:ident, $run:ident) => {{
        let rows: Vec<PieceRow> = of_run!(sqlx::query_as(PIECES), $run)
            .fetch_all(&mut *$tx)
            .await?;
        // Another watcher may have merged them since they were found.
        if let Some(merged) = $run.merge(rows)? {
            of_run!(sqlx::query(REMOVE), $run)
                .execute(&mut *$tx)
                .await?;
            for piece in &merged {
                sqlx::query(INSERT)
                    .bind($run.checkpoint_id)
                    .bind($run.generation)
                    .bind(piece.offset.cast_signed())
                    .bind(piece.length.cast_signed())
                    .bind(piece.content.as_slice())
                    .execute(&mut *$tx)
                    .await?;
            }
        }
        $tx.commit().await?;
    }};
}

/// Merges one run of a file's pieces; false if there is none.
pub async fn sqlite(link: &mut SqliteConnection, host: &str, path: &str) -> Outcome<bool> {
    let extents = sqlx::query_as(EXTENTS).bind(host).bind(path);
    let Some(run) = Run::among(&extents.fetch_all(&mut *link).await?) else {
        return Ok(false);
    };
    let mut tx = link.begin_with("BEGIN IMMEDIATE").await?;
    merge!(tx, run);
    Ok(true)
}

/// The same; whatever writes to the file's pieces waits for it meanwhile.
pub async fn postgres(link: &mut PgConnection, host: &str, path: &str) -> Outcome<bool> {
    let extents = sqlx::query_as(EXTENTS).bind(host).bind(path);
    let Some(run) = Run::among(&extents.fetch_all(&mut *link).await?) else {
        return Ok(false);
    };
    let mut tx = link.begin().await?;
    sqlx::query("SELECT FROM checkpoints WHERE id = $1 FOR UPDATE")
        .bind(run.checkpoint_id)
        .execute(&mut *tx)
        .await?;
    merge!(tx, run);
    Ok(true)
}

pub async fn scattered_sqlite(link: &mut SqliteConnection, host: &str) -> Outcome<Vec<String>> {
    let paths = sqlx::query_scalar(SCATTERED).bind(host);
    Ok(paths.bind(PIECE_BYTES as i64).fetch_all(link).await?)
}

pub async fn scattered_postgres(link: &mut PgConnection, host: &str) -> Outcome<Vec<String>> {
    let paths = sqlx::query_scalar(SCATTERED).bind(host);
    Ok(paths.bind(PIECE_BYTES as i64).fetch_all(link).await?)
}

impl Run {
    /// The first run that is better one piece, in any generation of a file.
    fn among(rows: &[ExtentRow]) -> Option<Run> {
        rows.chunk_by(|a, b| a.1 == b.1).find_map(|rows| {
            let extents = rows.iter().map(|row| extent(row.2, row.3));
            let extents: Vec<Extent> = extents.collect();
            let run = mergeable(&extents)?;
            Some(Run {
                checkpoint_id: rows[0].0,
                generation: rows[0].1,
                extents: extents[run].to_vec(),
            })
        })
    }

    fn first(&self) -> i64 {
        self.extents[0].offset.cast_signed()
    }

    fn last(&self) -> i64 {
        let last = self.extents.last();
        last.map_or(0, |last| last.offset.cast_signed())
    }

    /// The bytes of these rows in one piece; nothing if they are not this run.
    fn merge(&self, rows: Vec<PieceRow>) -> Outcome<Option<Vec<Piece>>> {
        let found = rows.iter().map(|row| extent(row.0, row.1));
        if !found.eq(self.extents.iter().copied()) {
            return Ok(None);
        }
        let damaged = |error: std::io::Error| Failure::Refused(error.to_string());
        let mut packer = Packer::default();
        packer.restart(self.extents[0].offset);
        for (offset, length, content) in rows {
            let piece = Piece {
                offset: offset.cast_unsigned(),
                length: length.cast_unsigned(),
                content,
            };
            let bytes = unpack(&piece).map_err(damaged)?;
            // What the pieces before it hold already.
            let known = packer.end() - piece.offset;
            let new = usize::try_from(known)
                .ok()
                .and_then(|known| bytes.get(known..));
            packer.push(new.unwrap_or_default()).map_err(damaged)?;
        }
        Ok(Some(packer.finish().map_err(damaged)?))
    }
}

fn extent(offset: i64, length: i64) -> Extent {
    Extent {
        offset: offset.cast_unsigned(),
        length: length.cast_unsigned(),
    }
}
