//! The archive: which files it has something of, and their bytes piece by piece.

use std::ops::Range;

use serde::Serialize;

use super::{Arm, Reader, Result, UtcText, columns::At, page::push_list};
use crate::{
    archive::{PIECE_BYTES, Piece},
    event::Timestamp,
};

/// A file that was read.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct ArchivedFile {
    pub checkpoint_id: i64,
    pub path: String,
    /// Up to where it was read since it was last rewritten, and how often it was.
    pub offset: i64,
    pub rewrites: i64,
    #[sqlx(try_from = "UtcText")]
    pub updated_at: String,
}

/// What the archive is next to what was read.
#[derive(Debug, Clone, Copy, Serialize, sqlx::FromRow)]
pub struct ArchiveFacts {
    /// Bytes of compressed content.
    pub bytes: i64,
    /// Bytes of the transcripts before their checkpoints.
    pub transcript_bytes: i64,
    /// How many of them the archive holds.
    pub held_bytes: i64,
}

/// Where the bytes of a file are kept that is read now.
#[derive(Debug, Clone, Copy, sqlx::FromRow)]
pub struct KeptFile {
    pub checkpoint_id: i64,
    /// Up to where it was read since it was last rewritten, and how often it was.
    pub offset: i64,
    pub rewrites: i64,
}

/// A session, and the file of it that is known.
pub type SessionFile = (String, Option<String>);

impl Reader {
    /// The sessions, subagents too, whose id begins so.
    pub async fn sessions_like(&self, prefix: &str) -> Result<Vec<SessionFile>> {
        let sql = "SELECT session_uuid, transcript_path FROM agents \
                   WHERE session_uuid LIKE $1 ESCAPE '!' ORDER BY id";
        fetch!(
            self,
            fetch_all,
            query_as(sql),
            format!("{}%", literal(prefix))
        )
    }

    /// The files with this in their path, or that such a session has; of every host.
    pub async fn files_like(&self, prefix: &str) -> Result<Vec<ArchivedFile>> {
        let sql = r#"SELECT id AS checkpoint_id, path, "offset", rewrites, updated_at
                     FROM checkpoints
                     WHERE path LIKE $1 ESCAPE '!' OR path LIKE 'replaced:%' OR path IN (
                         SELECT transcript_path FROM agents WHERE session_uuid LIKE $2 ESCAPE '!')
                     ORDER BY id"#;
        let prefix = literal(prefix);
        let (within, begins) = (format!("%/{prefix}%"), format!("{prefix}%"));
        fetch!(self, fetch_all, query_as(sql), &within, &begins)
    }

    /// The generations of a file of which there is anything.
    pub async fn generations(&self, checkpoint_id: i64) -> Result<Vec<i64>> {
        let sql = "SELECT DISTINCT generation FROM archive WHERE checkpoint_id = $1 ORDER BY 1";
        fetch!(self, fetch_all, query_scalar(sql), checkpoint_id)
    }

    /// The piece that holds the byte at `at`, or else the next one behind it.
    pub async fn piece(
        &self,
        checkpoint_id: i64,
        generation: i64,
        at: u64,
    ) -> Result<Option<Piece>> {
        let sql = r#"SELECT "offset", length, content FROM archive
                     WHERE checkpoint_id = $1 AND generation = $2
                         AND "offset" > $3 AND "offset" + length > $4
                     ORDER BY "offset" LIMIT 1"#;
        let at = at.cast_signed();
        let row: Option<(i64, i64, Vec<u8>)> = fetch!(
            self,
            fetch_optional,
            query_as(sql),
            checkpoint_id,
            generation,
            at - PIECE_BYTES as i64,
            at
        )?;
        Ok(row.map(piece))
    }

    /// A file of a host by its path.
    pub async fn kept_file(&self, host: &str, path: &str) -> Result<Option<KeptFile>> {
        let sql = r#"SELECT id AS checkpoint_id, "offset", rewrites FROM checkpoints
                     WHERE host = $1 AND path = $2"#;
        fetch!(self, fetch_optional, query_as(sql), host, path)
    }

    /// The pieces of a file that have something of a span, in their order.
    pub async fn pieces(
        &self,
        checkpoint_id: i64,
        generation: i64,
        span: Range<u64>,
    ) -> Result<Vec<Piece>> {
        let sql = r#"SELECT "offset", length, content FROM archive
                     WHERE checkpoint_id = $1 AND generation = $2 AND "offset" > $3
                         AND "offset" + length > $4 AND "offset" < $5
                     ORDER BY "offset""#;
        let (start, end) = (span.start.cast_signed(), span.end.cast_signed());
        let rows: Vec<(i64, i64, Vec<u8>)> = fetch!(
            self,
            fetch_all,
            query_as(sql),
            checkpoint_id,
            generation,
            start - PIECE_BYTES as i64,
            start,
            end
        )?;
        Ok(rows.into_iter().map(piece).collect())
    }

    /// The places of a file's pieces, in their order: where each begins, and its length.
    pub async fn extents(&self, checkpoint_id: i64, generation: i64) -> Result<Vec<(i64, i64)>> {
        let sql = r#"SELECT "offset", length FROM archive
                     WHERE checkpoint_id = $1 AND generation = $2 ORDER BY "offset""#;
        fetch!(self, fetch_all, query_as(sql), checkpoint_id, generation)
    }

    /// The last line of a file, by its offset, whose event happened at that time or before.
    pub async fn line_before(&self, checkpoint_id: i64, at: Timestamp) -> Result<Option<i64>> {
        let sql = "SELECT source_offset FROM events \
                   WHERE checkpoint_id = $1 AND timestamp <= $2 AND source_offset IS NOT NULL \
                   ORDER BY source_offset DESC LIMIT 1";
        fetch!(
            self,
            fetch_optional,
            query_scalar(sql),
            checkpoint_id,
            At(at)
        )
    }

    /// The lines that these events come from: the file's checkpoint, and the offset in it.
    pub async fn lines_of(&self, events: &[i64]) -> Result<Vec<(i64, i64)>> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let sql = "SELECT checkpoint_id, source_offset FROM events \
                   WHERE checkpoint_id IS NOT NULL AND source_offset IS NOT NULL AND id IN ";
        fetch_among!(self, sql, events.iter().copied())
    }

    /// What there is of all files. A segment of the spool is no transcript.
    pub async fn archive_facts(&self) -> Result<ArchiveFacts> {
        let sql = r#"
            SELECT CAST(coalesce(sum(packed), 0) AS bigint) AS bytes,
                   CAST(coalesce(sum("offset"), 0) AS bigint) AS transcript_bytes,
                   CAST(coalesce(sum(CASE WHEN held < "offset" THEN held ELSE "offset" END), 0)
                        AS bigint) AS held_bytes
            FROM (SELECT c."offset",
                      coalesce((SELECT sum(length(content)) FROM archive a
                                WHERE a.checkpoint_id = c.id), 0) AS packed,
                      coalesce((SELECT sum(length) FROM archive a
                                WHERE a.checkpoint_id = c.id AND generation = rewrites), 0) AS held
                  FROM checkpoints c
                  WHERE path NOT LIKE '%/spool/____________________.jsonl') one"#;
        fetch!(self, fetch_one, query_as(sql))
    }
}

fn piece((offset, length, content): (i64, i64, Vec<u8>)) -> Piece {
    Piece {
        offset: offset.cast_unsigned(),
        length: length.cast_unsigned(),
        content,
    }
}

/// Text for `LIKE` that stands for itself.
fn literal(text: &str) -> String {
    let special = |c| matches!(c, '%' | '_' | '!');
    let mut literal = String::new();
    for c in text.chars() {
        if special(c) {
            literal.push('!');
        }
        literal.push(c);
    }
    literal
}
