//! Pieces on their way into the archive, within the transaction that moves the
//! checkpoint.
//!
//! A file that is read once more gives its bytes again: those that the nearest piece
//! before them holds already stay there, and a longer piece takes a shorter one's place.

use sqlx::{PgConnection, SqliteConnection};

use crate::archive::Piece;

use super::super::{
    append::{Moved, Outcome},
    postgres::{Query, column},
};

/// After the checkpoint has moved.
const SQLITE: &str = r#"
INSERT INTO archive (checkpoint_id, generation, "offset", length, content)
SELECT id, rewrites, ?2, ?3, ?4 FROM checkpoints c
WHERE id = ?1 AND ?2 + ?3 > coalesce((
    SELECT a."offset" + a.length FROM archive a
    WHERE a.checkpoint_id = c.id AND a.generation = c.rewrites AND a."offset" <= ?2
    ORDER BY a."offset" DESC LIMIT 1), 0)
ON CONFLICT (checkpoint_id, generation, "offset") DO UPDATE SET
    length = excluded.length, content = excluded.content"#;

/// Before the checkpoint has moved, or in the same statement.
macro_rules! keep {
    ($id:literal, $rewrites:literal, $offset:literal, $length:literal, $content:literal) => {
        concat!(
            r#"
INSERT INTO archive (checkpoint_id, generation, "offset", length, content)
SELECT c.id, c.rewrites + row.rewrites, row."offset", row.length, row.content
FROM unnest("#,
            concat!($id, "::bigint[], ", $rewrites, "::bigint[], "),
            concat!($offset, "::bigint[], ", $length, "::bigint[], "),
            concat!($content, "::bytea[]"),
            r#") AS row (id, rewrites, "offset", length, content)
JOIN checkpoints c ON c.id = row.id
WHERE row."offset" + row.length > coalesce((
    SELECT a."offset" + a.length FROM archive a
    WHERE a.checkpoint_id = c.id AND a.generation = c.rewrites + row.rewrites
      AND a."offset" <= row."offset"
    ORDER BY a."offset" DESC LIMIT 1), 0)
ON CONFLICT (checkpoint_id, generation, "offset") DO UPDATE SET
    length = excluded.length, content = excluded.content"#
        )
    };
}
pub(in crate::store) use keep;

const POSTGRES: &str = keep!("$1", "$2", "$3", "$4", "$5");

/// Compressed bytes that one statement takes: the driver holds all of a statement in
/// memory more than once, and those of a long line are many.
const BYTES_AT_ONCE: usize = 1024 * 1024;

/// A piece, and where its file's checkpoint goes.
pub type MovedPiece<'a> = (&'a Moved<'a>, &'a Piece);

pub fn pieces<'a>(moves: &'a [Moved<'a>]) -> Vec<MovedPiece<'a>> {
    let of = |to: &'a Moved<'a>| to.pieces.iter().map(move |piece| (to, piece));
    moves.iter().flat_map(of).collect()
}

pub async fn sqlite(link: &mut SqliteConnection, checkpoint_id: i64, piece: &Piece) -> Outcome<()> {
    sqlx::query(SQLITE)
        .bind(checkpoint_id)
        .bind(piece.offset.cast_signed())
        .bind(piece.length.cast_signed())
        .bind(piece.content.as_slice())
        .execute(link)
        .await?;
    Ok(())
}

/// Writes what is too much for one statement; what is left goes with the other rows.
pub async fn postgres<'p, 'a>(
    link: &mut PgConnection,
    pieces: &'p [MovedPiece<'a>],
) -> Outcome<&'p [MovedPiece<'a>]> {
    let mut parts = parts(pieces);
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let write = bind(sqlx::query(POSTGRES), part);
        write.execute(&mut *link).await?;
    }
    Ok(last)
}

pub fn bind<'q>(write: Query<'q>, pieces: &'q [MovedPiece<'_>]) -> Query<'q> {
    write
        .bind(column(pieces, |(to, _)| to.id))
        .bind(column(pieces, |(to, _)| i64::from(to.rewritten)))
        .bind(column(pieces, |(_, piece)| piece.offset.cast_signed()))
        .bind(column(pieces, |(_, piece)| piece.length.cast_signed()))
        .bind(column(pieces, |(_, piece)| piece.content.as_slice()))
}

fn parts<'p, 'a>(pieces: &'p [MovedPiece<'a>]) -> Vec<&'p [MovedPiece<'a>]> {
    let mut bytes = 0;
    let fits = |last: &MovedPiece<'_>, _: &MovedPiece<'_>| {
        bytes += last.1.content.len();
        let fits = bytes < BYTES_AT_ONCE;
        if !fits {
            bytes = 0;
        }
        fits
    };
    pieces.chunk_by(fits).collect()
}
